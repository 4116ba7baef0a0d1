# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Drive a real headless Chromium through its DevTools protocol, over pipes."""

from __future__ import annotations

import base64
import fcntl
import itertools
import json
import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

PATIENCE_S = float(os.environ.get('SSPINNPOSE_TEST_PATIENCE_S', '30'))

CHROMIUM = next(filter(None, map(shutil.which, ('chromium', 'chromium-browser'))), None)
MISSING = 'chromium is not installed (sudo apt install chromium): no page is looked at'

FLAGS = (
    '--headless',
    '--no-sandbox',
    '--no-first-run',
    '--disable-quic',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--disable-dev-shm-usage',
    # Software draws WebGL where there is no graphics card.
    '--use-gl=angle',
    '--use-angle=swiftshader',
    '--enable-unsafe-swiftshader',
)


class Browser:
    """One page in a browser of its own."""

    def __init__(self, process: subprocess.Popen[bytes], *, write: int, read: int) -> None:
        self._process, self._write, self._read = process, write, read
        self._numbers = itertools.count(1)
        self._buffer = b''
        self.events: list[dict[str, Any]] = []
        self._session: str | None = None
        target = self.send('Target.createTarget', url='about:blank')['targetId']
        self._session = self.send('Target.attachToTarget', targetId=target, flatten=True)[
            'sessionId'
        ]
        for domain in ('Page', 'Runtime', 'Network', 'Log'):
            self.send(f'{domain}.enable')

    def send(self, method: str, **parameters: Any) -> Any:
        """Call a method of the protocol and return its result."""
        number = next(self._numbers)
        message: dict[str, Any] = {'id': number, 'method': method, 'params': parameters}
        if self._session is not None:
            message['sessionId'] = self._session
        os.write(self._write, json.dumps(message).encode() + b'\0')
        end = time.monotonic() + PATIENCE_S
        while True:
            answer = self._next(end)
            if answer.get('id') == number:
                assert 'error' not in answer, f'{method}: {answer["error"]}'
                return answer['result']
            self.events.append(answer)

    def _next(self, end: float) -> dict[str, Any]:
        while b'\0' not in self._buffer:
            ready, _, _ = select.select([self._read], [], [], max(0.0, end - time.monotonic()))
            assert ready, f'the browser did not answer within {PATIENCE_S} s'
            some = os.read(self._read, 1 << 20)
            assert some, f'the browser ended with {self._process.poll()}'
            self._buffer += some
        message, _, self._buffer = self._buffer.partition(b'\0')
        return dict(json.loads(message))

    def open(
        self, url: str, *, width: int = 1280, height: int = 800, scheme: str = 'light'
    ) -> None:
        """Load a page."""
        self.send(
            'Emulation.setDeviceMetricsOverride',
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        self.send(
            'Emulation.setEmulatedMedia',
            features=[{'name': 'prefers-color-scheme', 'value': scheme}],
        )
        # Only another document is loaded, not another place of the same.
        self.send('Page.navigate', url='about:blank')
        self.send('Page.navigate', url=url)

    def run(self, script: str) -> Any:
        """Return what a JavaScript expression gives."""
        answer = self.send(
            'Runtime.evaluate', expression=script, returnByValue=True, awaitPromise=True
        )
        assert 'exceptionDetails' not in answer, answer['exceptionDetails']
        return answer['result'].get('value')

    def wait_for(self, script: str) -> Any:
        """Wait until an expression is true and return its value."""
        end = time.monotonic() + PATIENCE_S
        # A page that is just being loaded has neither a document nor variables.
        script = f'(() => {{ try {{ return {script}; }} catch {{ return null; }} }})()'
        while not (value := self.run(script)):
            assert time.monotonic() < end, f'{script} did not become true; {self.complaints()}'
            time.sleep(0.05)
        return value

    def screenshot(self, path: Path) -> Path:
        """Save what is seen as PNG."""
        data = self.send('Page.captureScreenshot', format='png', captureBeyondViewport=False)
        path.write_bytes(base64.b64decode(data['data']))
        return path

    def complaints(self) -> list[str]:
        """Return errors and warnings of the page so far."""
        found = []
        for event in self.events:
            parameters = event.get('params', {})
            if event.get('method') == 'Runtime.exceptionThrown':
                found.append(str(parameters['exceptionDetails']))
            elif event.get('method') == 'Log.entryAdded':
                entry = parameters['entry']
                if entry['level'] in ('error', 'warning') and 'GPU stall' not in entry['text']:
                    found.append(f'{entry["text"]} {entry.get("url", "")}')
            elif event.get('method') == 'Runtime.consoleAPICalled' and parameters['type'] in (
                'error',
                'warning',
                'assert',
            ):
                found.append(str(parameters['args']))
        return found

    def requested(self) -> list[str]:
        """Return the addresses that the page asked for."""
        return [
            event['params']['request']['url']
            for event in self.events
            if event.get('method') == 'Network.requestWillBeSent'
        ]


@contextmanager
def browser() -> Iterator[Browser]:
    """Start Chromium with a new profile; end it, whatever happens."""
    assert CHROMIUM is not None
    to_browser, write = os.pipe()
    read, from_browser = os.pipe()

    def descriptors() -> None:
        # The protocol is spoken over descriptors 3 and 4, and each pipe may be either of them.
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 5) for end in (to_browser, from_browser)]
        for number, end in zip((3, 4), ends, strict=True):
            os.dup2(end, number)

    with TemporaryDirectory(prefix='chromium_', ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [CHROMIUM, *FLAGS, '--remote-debugging-pipe', f'--user-data-dir={profile}'],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            close_fds=False,
            preexec_fn=descriptors,
            start_new_session=True,
        )
        os.close(to_browser)
        os.close(from_browser)
        try:
            yield Browser(process, write=write, read=read)
        finally:
            os.close(write)
            os.close(read)
            try:
                process.wait(timeout=5.0)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
