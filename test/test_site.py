# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Build the documentation site and follow its links, as a reader does."""

from __future__ import annotations

import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit
from xml.etree import ElementTree

import pytest
import yaml
from test_docs import PAGES, ROOT

from sspinnpose_ros.cli.main import sspinnpose


class Page(HTMLParser):
    """Links, anchors and words of one page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.anchors: set[str] = set()
        self.classes: list[str] = []
        self.words = ''
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = {name: value or '' for name, value in attributes}
        self.anchors |= {found[name] for name in ('id', 'name') if name in found}
        self.links |= {found[name] for name in ('href', 'src') if name in found}
        self.classes += found.get('class', '').split()

    def handle_data(self, data: str) -> None:
        self.words += data


@pytest.fixture(scope='module')
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for name in ('sphinx', 'myst_parser', 'furo'):
        pytest.importorskip(name, reason='the site is built where make docs can build it')
    folder = tmp_path_factory.mktemp('site')
    options = ['-W', '--keep-going', '-q', '-b', 'html', '-d', folder / 'doctrees']
    done = subprocess.run(
        [sys.executable, '-m', 'sphinx', *options, ROOT / 'docs', folder / 'html'],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return folder / 'html'


@pytest.fixture(scope='module')
def pages(site: Path) -> dict[str, Page]:
    return {
        path.name: Page(path.read_text(encoding='utf-8'))
        for path in site.glob('*.html')
        if path.name not in ('genindex.html', 'search.html')
    }


def test_every_page_of_the_repository_is_on_the_site(pages: dict[str, Page]) -> None:
    for page in PAGES:
        name = {'README': 'overview', 'CONTRIBUTING': 'contributing'}.get(page.stem, page.stem)
        assert f'{name}.html' in pages
    assert 'What is logged, published and refused' in pages['overview.html'].words
    assert 'Rules of the house' in pages['contributing.html'].words
    assert 'Forthcoming' in pages['changelog.html'].words
    assert 'The way to level 3' in pages['quality_declaration.html'].words
    assert 'held-out synthetic wearers' in pages['model_card.html'].words


def test_every_link_leads_somewhere(site: Path, pages: dict[str, Page]) -> None:
    for name, page in pages.items():
        for link in page.links:
            path, anchor = urldefrag(link)
            if urlsplit(link).scheme:
                continue
            target = site / unquote(path).partition('?')[0] if path else site / name
            assert target.exists(), f'{name} links to {link}'
            if anchor and target.suffix == '.html' and target.name in pages:
                assert unquote(anchor) in pages[target.name].anchors, f'{name} links to {link}'


def test_equations_are_set_as_equations(pages: dict[str, Page]) -> None:
    method = pages['method.html']
    assert method.classes.count('math') > 20
    assert '$' not in method.words.replace('$$', '$')
    assert 'doi.org/10.1145/3806199' in ' '.join(method.links)


def test_every_command_and_option_is_on_the_site(pages: dict[str, Page]) -> None:
    words = pages['commands.html'].words
    for name, command in sspinnpose.commands.items():
        assert f'sspinnpose {name}' in words
        for parameter in command.params:
            for option in parameter.opts if parameter.param_type_name == 'option' else ():
                assert option in words, f'{name} {option}'


def test_rosdoc2_finds_the_site() -> None:
    manifest = ElementTree.parse(ROOT / 'package.xml').getroot()
    head, content = yaml.safe_load_all(
        (ROOT / manifest.findtext('export/rosdoc2', '')).read_text()
    )
    assert head == {'type': 'rosdoc2 config', 'version': 1}
    (builder,) = content['builders']
    folder = ROOT / builder['sphinx']['sphinx_sourcedir']
    # It would make an index.rst of its own where there is none.
    assert (folder / 'index.rst').is_file()
    assert (folder / 'conf.py').is_file()
