"""The body of a request -> a file and its fields, in memory, of a bounded size and in a bounded time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field, replace

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from jphtr.serve.limits import Limits

FILE = "file"  # the part of a multipart body that holds the picture
_MOST_FIELDS = 20
_FIELD_BYTES = 16_000_000  # of one field: a reading of many pages
_DRAIN_SECONDS = 5.0
_MULTIPART, _RAW = "multipart/form-data", ("image/", "application/pdf", "application/octet-stream")


@dataclass(frozen=True, slots=True)
class Upload:
    """What a request brought: the bytes of a file, what the caller calls it (no folders), and fields beside it."""

    data: bytes
    name: str = "upload"
    fields: list[tuple[str, str]] = field(default_factory=list)


async def receive(request: Request, limits: Limits) -> Upload:
    """The upload of a request: a picture or PDF as the body, or a multipart form with a part called `file`.

    Raises
    ------
    HTTPException
        400 for a broken body, 408 for one that comes too slowly, 413 for too large a one, 415 for another kind.
    """
    media = request.headers.get("content-type", "application/octet-stream").split(";")[0].strip().lower()
    try:
        if request.headers.get("content-encoding", "identity").lower() != "identity":
            raise HTTPException(415, "the body is compressed; send it as it is")
        if media != _MULTIPART and not media.startswith(_RAW):
            raise HTTPException(
                415, f"send a picture or PDF as image/*, application/pdf or {_MULTIPART} with a part called {FILE}"
            )
        async with asyncio.timeout(limits.upload_seconds):
            if media == _MULTIPART:
                return await _form(request, limits)
            return Upload(b"".join([piece async for piece in _bounded(request, limits.bytes, limits)]))
    except TimeoutError:
        raise HTTPException(
            408, f"the upload took more than {limits.upload_seconds:g} s; send a smaller file"
        ) from None
    except ClientDisconnect:
        raise HTTPException(400, "the upload broke off") from None
    except HTTPException:
        await drain(request, limits)
        raise


async def drain(request: Request, limits: Limits) -> None:
    """Take the rest of a body that is refused, within bounds: who still sends does not see the answer."""
    try:
        async with asyncio.timeout(_DRAIN_SECONDS):
            left = 2 * limits.bytes
            async for piece in request.stream():
                left -= len(piece)
                if left < 0:
                    break
    except (TimeoutError, ClientDisconnect, RuntimeError):  # RuntimeError: the stream was read to its end before
        pass


async def _bounded(request: Request, most: int, limits: Limits) -> AsyncGenerator[bytes, None]:
    """The pieces of a body, which may not be more than `most` bytes."""
    problem = HTTPException(413, f"more than {limits.megabytes:g} MB; send a smaller file or fewer pages")
    length = request.headers.get("content-length", "0")
    if not length.isdecimal() or len(length) > 15 or int(length) > most:
        raise problem
    count = 0
    async for piece in request.stream():
        count += len(piece)
        if count > most:
            raise problem
        yield piece


class _InMemory(MultiPartParser):
    """The parser of forms, which never puts a part on the disk."""

    spool_max_size = 1 << 62
    ended = False

    def on_end(self) -> None:
        self.ended = True


async def _form(request: Request, limits: Limits) -> Upload:
    async def pieces() -> AsyncGenerator[bytes, None]:
        async for piece in _bounded(request, limits.bytes + _FIELD_BYTES, limits):
            yield piece
        if not parser.ended:
            raise MultiPartException("it breaks off.")

    parser = _InMemory(
        request.headers, pieces(), max_files=1, max_fields=_MOST_FIELDS, max_part_size=_FIELD_BYTES
    )  # fmt: skip
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise HTTPException(400, f"not a form that can be read: {error.message}") from None
    except (ValueError, KeyError, AttributeError, TypeError):  # what the parser does not foresee in broken heads
        raise HTTPException(400, "not a form that can be read: send it as multipart/form-data") from None
    try:
        upload = Upload(b"")
        for key, value in form.multi_items():
            if not isinstance(value, UploadFile):
                upload.fields.append((key, value))
            elif key == FILE:
                upload = replace(upload, data=await value.read(), name=_plain(value.filename or ""))
            else:
                raise HTTPException(400, f"a file in another part than the one called {FILE}")
    finally:
        await form.close()
    if len(upload.data) > limits.bytes:
        raise HTTPException(413, f"more than {limits.megabytes:g} MB; send a smaller file or fewer pages")
    return upload


def _plain(name: str) -> str:
    """The last part of a path, of either kind, as it can stand in a file."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(char for char in last if char.isprintable())[-100:] or "upload"
