"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from jphtr.errors import DataError


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """Where to write what shall be at `path`: it gets there when the block ends well, on the disk, and else is removed.

    Raises
    ------
    DataError
        If it cannot be written.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            part.unlink()


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that its name shows the old content or the new one, whenever the power goes.

    Raises
    ------
    DataError
        If it cannot be written.
    """
    with beside(path) as part:
        part.write_bytes(data)


def sync_folder(folder: Path) -> None:
    """Send the names in a folder to the disk, where there is such a call."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
