"""The application on a socket, with uvicorn."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Collection
from contextlib import suppress
from functools import partial
from ipaddress import ip_address
from pathlib import Path

import h11
import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

from jphtr.errors import SettingsError
from jphtr.serve.app import application
from jphtr.serve.limits import Limits
from jphtr.serve.reading import Models, Readings
from jphtr.serve.workers import Workers

_HEAD_SECONDS = 15.0
_HEAD_BYTES = 16_384
_CONNECTIONS = 256


def listen(host: str, port: int) -> socket.socket:
    """A socket that a browser on `host` and `port` reaches; port 0 takes any that is free.

    Raises
    ------
    SettingsError
        If there is no such address, or it is taken.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        found = socket.socket(family, socket.SOCK_STREAM)
        try:
            if hasattr(socket, "SO_REUSEPORT"):  # on Windows SO_REUSEADDR would share the port with others
                found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            found.bind(address)
            found.listen()  # who comes before the models are loaded waits
        except OSError:
            found.close()
            raise
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or error
        raise SettingsError(f"{host}:{port}: cannot listen there ({why}); give another --host or --port") from None
    return found


def is_private(host: str) -> bool:
    """Whether only programs on this machine reach a host's address."""
    try:
        return ip_address(socket.getaddrinfo(host, None)[0][4][0]).is_loopback
    except OSError:
        return False


def serve(
    listening: socket.socket, models: Models, limits: Limits, *, workers: int, names: Collection[str] = (),
    folder: Path | None = None, ready: Callable[[], None] = lambda: None,
) -> None:  # fmt: skip
    """Answer until Ctrl-C or SIGTERM.

    Parameters
    ----------
    listening : as `listen` gives it.
    models : to read with.
    limits : what to take on.
    workers : processes that read.
    names : host names under which the server may be called, beside localhost and bare addresses.
    folder : where corrected lines are stored; None stores nothing.
    ready : called when the models are loaded and callers are let in.

    Raises
    ------
    JphtrError
        If a model cannot be loaded.
    """
    readings = partial(Readings, models, limits, folder)
    with Workers(readings, count=workers, queue=limits.queue, seconds=limits.seconds) as pool:
        server = of(application(pool, limits, names=names, saves=folder is not None))
        ready()
        with suppress(KeyboardInterrupt):  # uvicorn has ended in order and passes the signal on
            server.run(sockets=[listening])


def of(app: Starlette) -> uvicorn.Server:
    """A server of an application, which trusts nobody and says little."""
    config = uvicorn.Config(
        app, http=Patient, ws="none", loop="asyncio", log_level="error", access_log=False, server_header=False,
        proxy_headers=False, limit_concurrency=_CONNECTIONS, h11_max_incomplete_event_size=_HEAD_BYTES,
        timeout_graceful_shutdown=3,
    )  # fmt: skip
    return uvicorn.Server(config)


class Patient(H11Protocol):
    """HTTP/1.1 that waits for the head of a request for a bounded time only."""

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._timer is not None:
            self._timer.cancel()

    def _watch(self) -> None:
        """Start the clock when a head is awaited, stop it when one has come."""
        awaited = self.conn.their_state is h11.IDLE
        if awaited and self._timer is None:
            self._timer = self.loop.call_later(_HEAD_SECONDS, self.transport.close)
        elif not awaited and self._timer is not None:
            self._timer.cancel()
            self._timer = None
