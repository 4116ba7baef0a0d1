# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Settings of the documentation site, which `make docs` and rosdoc2 build.

Sources are the pages as the repository shows them. What lies outside of this folder (README.md,
CONTRIBUTING.md and their like) has a stub here, which the site replaces by the file itself.
"""

import os
import posixpath
import re
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType

# rosdoc2 runs a copy of this file elsewhere, with the package in front of the module path.
PLACES = (Path(__file__).resolve().parents[1], *map(Path, sys.path))
ROOT = next((path for path in PLACES if (path / 'package.xml').is_file()), None)
"""Of the repository; None where it cannot be known, and then the stubs stay."""

OUTSIDE: Mapping[str, str] = MappingProxyType(
    {
        'changelog': 'CHANGELOG.rst',
        'contributing': 'CONTRIBUTING.md',
        'model_card': 'sspinnpose_ros/models/README.md',
        'overview': 'README.md',
        'quality_declaration': 'QUALITY_DECLARATION.md',
    }
)
"""Stubs, and the files that the site puts in their places."""

project = 'sspinnpose_ros'
author = 'The sspinnpose_ros authors'
copyright = f'2026, {author}'  # noqa: A001
if ROOT is not None:
    manifest = (ROOT / 'package.xml').read_text(encoding='utf-8')
    release = version = re.findall('<version>(.+)</version>', manifest)[0]

extensions = ['myst_parser', 'sphinx.ext.mathjax']
# Pages have names in lower case; what rosdoc2 lays beside them has not.
exclude_patterns = ['[A-Z_]*', '**/__pycache__']
highlight_language = 'none'

myst_enable_extensions = ['dollarmath']
myst_heading_anchors = 4
myst_url_schemes = ['http', 'https', 'mailto']

html_theme = 'furo'
html_title = 'sspinnpose_ros'
html_show_sourcelink = False

FENCE = re.compile(r'^( *```.*?^ *```$)', re.MULTILINE | re.DOTALL)
HOW_TO_END = '   security\n'
LINK = re.compile(r'\]\((?![a-z]+:|#)([^)\s#]+)')


def site_links(text, *, file):
    """Return a page whose links lead to pages of the site.

    Args:
        text: of a Markdown page.
        file: path of the page in the repository, from its root.

    Returns:
        The text; links to files that have no page lead to the file in the repository.

    """
    stubs = {outside: name + Path(outside).suffix for name, outside in OUTSIDE.items()}

    def lead(match):
        place = posixpath.normpath(posixpath.join(posixpath.dirname(file), match[1]))
        return f']({stubs.get(place) or posixpath.relpath(place, "docs")}'

    parts = FENCE.split(text)
    parts[::2] = [LINK.sub(lead, part) for part in parts[::2]]
    return ''.join(parts)


def command_reference():
    """Return the options of every command, as `--help` tells them."""
    sys.path.insert(0, str(ROOT))
    from click import Context, Group

    from sspinnpose_ros.cli.main import sspinnpose

    def described(command, name):
        context = Context(command, info_name=name, max_content_width=88)
        yield f'### {name}\n\n```text\n{command.get_help(context)}\n```\n'
        if isinstance(command, Group):
            for each in sorted(command.commands):
                yield from described(command.commands[each], f'{name} {each}')

    return '\n'.join(described(sspinnpose, 'sspinnpose'))


def with_every_page(index, *, pages):
    """Return the index with the pages that no list of it names, at the end of the how-to list."""
    named = set(re.findall(r'^   (?:.+ <)?(\w+)>?$', index, re.MULTILINE))
    others = ''.join(f'   {page}\n' for page in sorted(pages - named - {'index'}))
    return index.replace(HOW_TO_END, HOW_TO_END + others, 1)


def read_source(app, docname, source):
    """Put the file itself in the place of a stub, and lead links to pages of the site."""
    if docname in OUTSIDE:
        file = OUTSIDE[docname]
        source[0] = (ROOT / file).read_text(encoding='utf-8')
        app.env.note_dependency(str(ROOT / file))
    else:
        file = f'docs/{docname}.md'
    if os.fspath(app.env.doc2path(docname)).endswith('.md'):
        source[0] = site_links(source[0], file=file)
    if docname == 'index':
        source[0] = with_every_page(source[0], pages=app.env.found_docs)
    if docname == 'commands' and find_spec('click') is not None:
        source[0] += f'\n\n## Every command and option\n\n{command_reference()}'


def read_index(app, env, docnames):
    """Read the index anew, since a page that was added may have to join it."""
    if 'index' not in docnames:
        docnames.append('index')


def setup(app):
    """Read all sources through `read_source`."""
    if ROOT is not None:
        app.connect('env-before-read-docs', read_index)
        app.connect('source-read', read_source)
