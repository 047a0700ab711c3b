"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from jphtr.errors import DataError


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that its name shows the old content or the new one, whenever the power goes.

    Raises
    ------
    DataError
        If it cannot be written.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        try:
            with beside.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error.strerror or error}") from error
