"""Where a command's results go, and where its standard input comes from."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import click

from jphtr.errors import DataError


class StandardInput(io.BytesIO):
    """What came on standard input, kept so that it can be read twice."""

    name = "-"

    def __init__(self) -> None:
        super().__init__(sys.stdin.buffer.read())


def spare(targets: Iterable[str | Path], inputs: Iterable[str | Path], hint: str) -> None:
    """Refuse to write over what is read, before anything is.

    Parameters
    ----------
    targets : files that would be written.
    inputs : files that are read; "-" is none.
    hint : the option that names the targets.

    Raises
    ------
    click.BadParameter
        If a target is an input, links followed.
    """
    read = {os.path.realpath(name) for name in inputs if str(name) != "-"}
    for target in targets:
        if str(target) != "-" and os.path.realpath(target) in read:
            raise click.BadParameter(f"{target} is read itself and would be lost; name another place", param_hint=hint)


@contextmanager
def opened(output: str) -> Iterator[IO[str]]:
    """Standard output, or a file that appears when it is complete, for text.

    It is UTF-8 whatever the locale; a path that is not UTF-8 comes out as the bytes it is.
    """
    with opened_bytes(output) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", errors="surrogateescape", newline="", write_through=True)
        try:
            yield text
        finally:
            text.detach()


@contextmanager
def opened_bytes(output: str) -> Iterator[IO[bytes]]:
    """Standard output, or a file that appears when it is complete.

    Raises
    ------
    DataError
        If the file cannot be written.
    """
    if output == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(output).resolve()  # a link stays a link
    # a device or a pipe cannot be replaced
    beside = path.with_name(f".{path.name}.{os.getpid()}.part") if path.is_file() or not path.exists() else path
    try:
        with beside.open("wb") as file:
            yield file
            file.flush()
            if beside != path:
                os.fsync(file.fileno())
        if beside != path:
            beside.replace(path)
    except OSError as error:
        raise DataError(f"{output}: cannot be written: {error.strerror or error}") from None
    finally:
        if beside != path:
            beside.unlink(missing_ok=True)
