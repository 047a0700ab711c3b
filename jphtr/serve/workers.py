"""Processes that read, so that the server answers meanwhile and survives whatever a picture does to a decoder.

A worker works on one job at a time and is ended when a job takes too long, or goes on when nobody waits for it any more;
another takes its place. What goes through its pipe is JSON and bytes.
"""

from __future__ import annotations

import asyncio
import json
import math
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from threading import Lock
from typing import Any, Self

from jphtr.errors import JphtrError, ModelError

_START_SECONDS = 120.0  # until a worker has loaded its models, on a machine that is busy with other things
_GRACE = 2.0  # seconds that a worker may go on with a job that nobody waits for any more
_SPAWN = get_context("spawn")


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as HTTP gives it."""

    status: int
    media: str
    body: bytes


Handler = Callable[[str, dict[str, Any], bytes], Reply]
"""What a worker does: the name of a job, its options, an upload -> the answer."""


class BusyError(Exception):
    """All workers work and the queue is full; `seconds` is when another try makes sense."""

    def __init__(self, seconds: int) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class TooSlowError(Exception):
    """A job took longer than it may."""


class DiedError(Exception):
    """A worker ended in the middle of a job."""


class Workers:
    """A few worker processes and the queue before them; a context in which they run.

    Parameters
    ----------
    make : called in each worker once, gives its `Handler`; has to be a thing that pickle can name.
    count : of workers.
    queue : jobs that may wait.
    seconds : that a job may take once it is begun.

    Raises
    ------
    JphtrError
        On entering, if the workers cannot start.
    """

    def __init__(self, make: Callable[[], Handler], *, count: int, queue: int, seconds: float) -> None:
        self.count, self.queue, self.seconds = count, queue, seconds
        self.taken = 0  # places at the workers and in the queue
        self._make = make
        self._idle: asyncio.LifoQueue[_Worker] = asyncio.LifoQueue()  # the one that is warm goes first
        self._all: set[_Worker] = set()
        self._usual = 1.0  # seconds of a job, a running mean

    def __enter__(self) -> Self:
        try:
            for _ in range(self.count):
                self._idle.put_nowait(self._new())
            for worker in self._all:
                worker.wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._all:
            worker.end()
        self._all.clear()

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """A place in the queue, taken before an upload is received.

        Raises
        ------
        BusyError
            If there is none.
        """
        if self.taken >= self.count + self.queue:
            raise BusyError(max(1, math.ceil(self._usual * self.queue / self.count)))
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1

    async def run(self, job: str, options: dict[str, Any], data: bytes) -> Reply:
        """The answer to a job; ending the task that awaits it ends the job.

        Raises
        ------
        TooSlowError, DiedError
            If there is none.
        ModelError
            If a worker had to be replaced, and another does not start.
        """
        worker = await self._idle.get()
        if not worker.is_alive():  # killed from outside, for want of memory perhaps
            worker = self._instead_of(worker)
        try:
            await asyncio.to_thread(worker.wait)
        except asyncio.CancelledError:  # let it start all the same, for the next job
            self._idle.put_nowait(worker)
            raise
        except BaseException:
            self._idle.put_nowait(self._instead_of(worker))
            raise
        began = time.monotonic()
        answer = asyncio.ensure_future(asyncio.to_thread(worker.ask, job, options, data, self.seconds))
        try:
            reply = await asyncio.shield(answer)
        except BaseException as error:
            if isinstance(error, asyncio.CancelledError):  # a short job is sooner finished than a worker started
                await asyncio.wait({answer}, timeout=_GRACE)
            if not answer.done() or answer.exception() is not None:
                worker = self._instead_of(worker)
                await asyncio.wait({answer})  # which has met the end of the pipe
                answer.exception()
            self._idle.put_nowait(worker)
            raise
        self._idle.put_nowait(worker)
        self._usual += 0.2 * (time.monotonic() - began - self._usual)
        return reply

    def _new(self) -> _Worker:
        worker = _Worker(self._make)
        self._all.add(worker)
        return worker

    def _instead_of(self, old: _Worker) -> _Worker:
        old.end()
        self._all.discard(old)
        return self._new()


class _Worker:
    """One process and the pipe to it; its methods block."""

    def __init__(self, make: Callable[[], Handler]) -> None:
        self._pipe, theirs = _SPAWN.Pipe()
        self._process = _SPAWN.Process(target=_work, args=(make, theirs), daemon=True)
        self._process.start()
        theirs.close()
        self._ready = False
        self._starting = Lock()

    def wait(self) -> None:
        """Return when it has loaded what it needs.

        Raises
        ------
        ModelError
            If it cannot.
        """
        with self._starting:
            if not self._ready:
                try:
                    complaint = self._receive(_START_SECONDS).decode()
                except (DiedError, TooSlowError):
                    complaint = "a process that should read ended before it was ready; stderr says why"
                if complaint:
                    raise ModelError(complaint)
                self._ready = True

    def ask(self, job: str, options: dict[str, Any], data: bytes, seconds: float) -> Reply:
        """The answer to one job, of a worker that is ready."""
        end = time.monotonic() + seconds
        try:
            self._pipe.send_bytes(json.dumps([job, options]).encode())
            self._pipe.send_bytes(data)
        except OSError:
            raise DiedError from None
        status, media = json.loads(self._receive(end - time.monotonic()))
        return Reply(status, media, self._receive(end - time.monotonic()))

    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self._process.is_alive()

    def end(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        self._process.join()  # the pipe closes with its last holder, which may be a thread that still listens

    def _receive(self, seconds: float) -> bytes:
        try:
            if not self._pipe.poll(max(0.0, seconds)):
                raise TooSlowError
            return self._pipe.recv_bytes()
        except (EOFError, OSError):
            raise DiedError from None


def _work(make: Callable[[], Handler], pipe: Connection) -> None:
    """The life of a worker process: say that it is ready (nothing) or why not (a line), then answer jobs."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which ends its workers
    try:
        handler = make()
    except JphtrError as error:
        pipe.send_bytes(str(error).encode())
        return
    pipe.send_bytes(b"")
    try:
        while True:
            job, options = json.loads(pipe.recv_bytes())
            reply = handler(job, options, pipe.recv_bytes())
            pipe.send_bytes(json.dumps([reply.status, reply.media]).encode())
            pipe.send_bytes(reply.body)
    except (EOFError, OSError):
        return  # the server is gone
