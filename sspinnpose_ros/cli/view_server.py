# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Serve the page of `sspinnpose view`, read-only, to browsers on this machine."""

from __future__ import annotations

import ipaddress
import json
import socket
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import TCPServer
from typing import Any

import click

from sspinnpose_ros.core.errors import UserError

PAGE = Path(__file__).parent / 'view_page'
TYPES = {
    '.html': 'text/html; charset=utf-8',
    '.css': 'text/css; charset=utf-8',
    '.js': 'text/javascript; charset=utf-8',
    '.svg': 'image/svg+xml',
    '.txt': 'text/plain; charset=utf-8',
}
HEADERS = {
    # A page that somebody smuggled something into could still neither load nor send anything.
    'Content-Security-Policy': "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    'Cache-Control': 'no-store',
    'Cross-Origin-Resource-Policy': 'same-origin',
    'Referrer-Policy': 'no-referrer',
    'X-Content-Type-Options': 'nosniff',
}
MOST_LISTENERS = 16
MOST_WAITING = 200
"""Events kept for a browser that does not keep up, about six seconds."""

PATIENCE_S = 15.0
SILENCE_S = 2.0
"""After this long without an event a comment is sent, which finds browsers that left."""

Event = tuple[str, str]


class ServerError(UserError):
    """Report a page that cannot be served."""


class Feed:
    """Hand events to every browser that listens; one that comes late gets the last of each kind.

    An event is a kind and a line of JSON.
    """

    def __init__(self, *, passing: frozenset[str] = frozenset({'rows'})) -> None:
        """Take the kinds of which only news matter."""
        self._passing = passing
        self._lock = threading.Condition()
        self._last: dict[str, str] = {}
        self._queues: list[deque[Event]] = []
        self._closed = False

    def send(self, kind: str, data: str) -> None:
        """Pass an event on."""
        with self._lock:
            if kind not in self._passing:
                self._last[kind] = data
            for queue in self._queues:
                queue.append((kind, data))
            self._lock.notify_all()

    def close(self) -> None:
        """Let all listeners go."""
        with self._lock:
            self._closed = True
            self._lock.notify_all()

    def listen(self) -> Iterator[list[Event]] | None:
        """Return an iterator over what comes, empty lists while nothing does; None if full."""
        queue: deque[Event] = deque(maxlen=MOST_WAITING)
        with self._lock:
            if len(self._queues) >= MOST_LISTENERS:
                return None
            queue.extend(self._last.items())
            self._queues.append(queue)
        return self._events(queue)

    def _events(self, queue: deque[Event]) -> Iterator[list[Event]]:
        try:
            while not self._closed:
                with self._lock:
                    if not queue and not self._closed:
                        self._lock.wait(SILENCE_S)
                    events = list(queue)
                    queue.clear()
                yield events
        finally:
            with self._lock:
                self._queues = [each for each in self._queues if each is not queue]


class ViewServer(ThreadingHTTPServer):
    """Serve the files of the page, its data, and the events of a feed; nothing else."""

    daemon_threads = True
    block_on_close = False

    def __init__(
        self,
        *,
        host: str,
        port: int,
        scene: Mapping[str, Any],
        rows: bytes = b'',
        feed: Feed | None = None,
    ) -> None:
        """Listen.

        Args:
            host: address to listen on.
            port: 0 for any that is free.
            scene: JSON of `scene.json`.
            rows: content of `rows.f32`.
            feed: of `events`; without one there are none.

        Raises:
            ServerError: where that address or port is not to be had.

        """
        self.feed = feed
        self.host = host
        self.documents = {
            f'/{path.name}': (TYPES[path.suffix], path.read_bytes())
            for path in PAGE.iterdir()
            if path.suffix in TYPES
        }
        self.documents['/'] = self.documents.pop('/index.html')
        self.documents['/scene.json'] = ('application/json', json.dumps(scene).encode())
        self.documents['/rows.f32'] = ('application/octet-stream', rows)
        if ':' in host:
            self.address_family = socket.AF_INET6
        try:
            super().__init__((host, port), _Handler)
        except (OSError, OverflowError) as error:
            reason = getattr(error, 'strerror', None) or str(error)
            raise ServerError(
                f'The page cannot be served at {host}, port {port} ({reason}), expected a free '
                'port of this machine; name another with --port, or 0 for any.'
            ) from None

    def server_bind(self) -> None:
        """Bind without asking for the name of the address, which can take seconds."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.host, self.server_address[1]

    @property
    def url(self) -> str:
        """Where a browser on this machine finds the page."""
        host = {'0.0.0.0': '127.0.0.1', '::': '::1'}.get(self.host, self.host)
        return f'http://{f"[{host}]" if ":" in host else host}:{self.server_address[1]}/'

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a browser that leaves is no error."""

    def knows(self, host: str | None) -> bool:
        """Return whether a Host header names this server.

        A page on the internet can let its own name resolve to 127.0.0.1 and then read what is
        served there; it cannot make a browser send an address in place of its name.
        """
        if host is None:
            return False
        name, colon, port = host.rpartition(':')
        if not colon or port.endswith(']'):
            name, port = host, '80'
        if port != str(self.server_address[1]):
            return False
        if name.lower() in ('localhost', self.host.lower(), socket.gethostname().lower()):
            return True
        try:
            ipaddress.ip_address(name.removeprefix('[').removesuffix(']'))
        except ValueError:
            return False
        return True


def warn_of_others(host: str) -> None:
    """Say who else can see the wearer where that is not this machine alone."""
    try:
        alone = ipaddress.ip_address(host).is_loopback
    except ValueError:
        alone = host == 'localhost'
    if not alone:
        click.echo(
            f'Everybody who reaches this machine at {host} can see the wearer; leave out --host '
            'to keep it to this machine.',
            err=True,
        )


class _Handler(BaseHTTPRequestHandler):
    server: ViewServer
    server_version = 'sspinnpose'
    sys_version = ''
    timeout = PATIENCE_S

    def do_GET(self) -> None:
        if not self.server.knows(self.headers.get('Host')):
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST)
            return
        path = self.path.partition('?')[0]
        if path == '/events' and self.server.feed is not None:
            self._stream(self.server.feed)
        elif path in self.server.documents:
            kind, content = self.server.documents[path]
            self._begin(kind, {'Content-Length': str(len(content))})
            self.wfile.write(content)
        else:
            self.send_error(HTTPStatus.NOT_FOUND)

    def _begin(self, kind: str, more: Mapping[str, str]) -> None:
        self.send_response(HTTPStatus.OK)
        for name, value in {'Content-Type': kind, **HEADERS, **more}.items():
            self.send_header(name, value)
        self.end_headers()

    def _stream(self, feed: Feed) -> None:
        events = feed.listen()
        if events is None:
            self.send_error(HTTPStatus.SERVICE_UNAVAILABLE)
            return
        self._begin('text/event-stream', {})
        for some in events:
            text = ''.join(f'event: {kind}\ndata: {data}\n\n' for kind, data in some)
            self.wfile.write((text or ': still here\n\n').encode())

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass
