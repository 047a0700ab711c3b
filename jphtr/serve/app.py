"""The routes: a request -> a job for a worker -> its answer."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Collection, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from jphtr import __version__
from jphtr.decode.fusion import WEIGHT
from jphtr.errors import SettingsError
from jphtr.formats import FORMATS
from jphtr.serve import openapi
from jphtr.serve.guard import Guard
from jphtr.serve.limits import Limits
from jphtr.serve.options import CLASSIFY, EXPORT, READ, Option, parse
from jphtr.serve.reading import FAILED, JSON, ZIP
from jphtr.serve.training_lines import stem_of
from jphtr.serve.upload import Upload, drain, receive
from jphtr.serve.workers import BusyError, DiedError, Reply, TooSlowError, Workers

STATIC = Path(__file__).with_name("static")


def application(workers: Workers, limits: Limits, *, names: Collection[str] = (), saves: bool = False) -> Starlette:
    """The server as an ASGI application.

    Parameters
    ----------
    workers : that read; they run before the application starts.
    limits : what it takes on.
    names : host names under which it may be called, beside localhost and bare addresses.
    saves : whether it stores corrected lines where its workers were told to.
    """
    served = _Served(workers, limits, saves)
    routes = [
        Route("/", served.page),
        Mount("/static", StaticFiles(directory=STATIC)),
        Route("/health", served.health),
        Route("/version", served.version),
        Route("/openapi.json", served.description),
        Route("/read", served.read, methods=["POST"]),
        Route("/classify", served.classify, methods=["POST"]),
        Route("/export", served.export, methods=["POST"]),
    ]
    if saves:
        routes.append(Route("/save", served.save, methods=["POST"]))
    app = Starlette(
        routes=routes,
        middleware=[Middleware(Guard, names=names)],
        exception_handlers={HTTPException: _refused, BusyError: _busy, Exception: _failed},
        lifespan=served.lifespan,
    )
    app.router.redirect_slashes = False
    return app


class _Served:
    """The routes' functions and what they share."""

    def __init__(self, workers: Workers, limits: Limits, saves: bool) -> None:
        self._workers, self._limits, self._saves = workers, limits, saves
        self._about: dict[str, Any] = {}

    @asynccontextmanager
    async def lifespan(self, _: Starlette) -> AsyncIterator[None]:
        self._about = json.loads((await self._workers.run("about", {}, b"")).body)
        yield

    async def page(self, _: Request) -> Response:
        return FileResponse(STATIC / "index.html")

    async def health(self, _: Request) -> Response:
        return JSONResponse({"status": "ok", "workers": self._workers.count, "taken": self._workers.taken})

    async def version(self, _: Request) -> Response:
        limits = asdict(self._limits)
        formats, decoders = (list(READ[name].choices) for name in ("format", "decoder"))
        scripts = list(CLASSIFY["script"].choices)
        known = {
            "lm_weight": WEIGHT,
            "scripts": scripts,
            "formats": formats,
            "decoders": decoders,
            "saves": self._saves,
            "limits": limits,
        }
        return JSONResponse({"version": __version__, **self._about, **known})

    async def description(self, _: Request) -> Response:
        return JSONResponse(openapi.description(self._saves))

    async def read(self, request: Request) -> Response:
        return await self._answer(request, "read", READ)

    async def classify(self, request: Request) -> Response:
        return await self._answer(request, "classify", CLASSIFY)

    async def export(self, request: Request) -> Response:
        return await self._answer(request, "export", EXPORT, with_reading=True)

    async def save(self, request: Request) -> Response:
        return await self._answer(request, "save", {}, with_reading=True)

    async def _answer(
        self, request: Request, job: str, table: Mapping[str, Option], *, with_reading: bool = False
    ) -> Response:
        """The answer of a worker to an upload; options come in the query or as fields of a form."""
        try:
            async with self._workers.place():
                upload = await receive(request, self._limits)
                options = _options(request, upload, table, with_reading)
                reply = await _unless_gone(request, self._workers.run(job, options, upload.data))
        except BusyError:
            await drain(request, self._limits)
            raise
        except TooSlowError:
            line = f"this takes more than {self._limits.seconds:g} s to read; send fewer pages or a smaller picture"
            raise HTTPException(413, line) from None
        except DiedError:
            print(f"jphtr: error: a worker died on {job} with {len(upload.data)} bytes", file=sys.stderr, flush=True)
            raise HTTPException(422, "upload: broken in a way that cannot be read") from None
        headers = {}
        if reply.status == 200 and reply.media != JSON:
            suffix = ".zip" if reply.media == ZIP else FORMATS[options["format"]].suffixes[0]
            name = quote(stem_of(upload.name) + suffix)
            headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{name}"
        return Response(reply.body, reply.status, headers, reply.media)


def _options(request: Request, upload: Upload, table: Mapping[str, Option], with_reading: bool) -> dict[str, Any]:
    """The options of a job, each given once; and what belongs to a reading that comes back."""
    given = [*request.query_params.multi_items(), *upload.fields]
    readings = [text for name, text in given if name == "reading"] if with_reading else []
    if with_reading and len(readings) != 1:
        raise HTTPException(400, "send one field called reading: what /read answers as json, corrected perhaps")
    try:
        options = parse(table, [(name, text) for name, text in given if not (with_reading and name == "reading")])
    except SettingsError as error:
        raise HTTPException(400, str(error)) from None
    return options | {"name": upload.name} | ({"reading": readings[0]} if with_reading else {})


async def _unless_gone(request: Request, job: Coroutine[Any, Any, Reply]) -> Reply:
    """What a job gives; where the caller goes away meanwhile, it is ended."""
    work, gone = asyncio.ensure_future(job), asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            raise HTTPException(400, "the caller went away")  # which nobody reads
        return work.result()
    finally:
        for task in (work, gone):
            task.cancel()
        await asyncio.gather(work, gone, return_exceptions=True)


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


async def _busy(_: Request, error: Exception) -> Response:
    assert isinstance(error, BusyError)
    line = f"the server is busy; try again in {error.seconds} s"
    return JSONResponse({"error": line}, 503, {"Retry-After": str(error.seconds)})


async def _failed(_: Request, error: Exception) -> Response:
    return JSONResponse({"error": FAILED}, 500)
