"""HDF5 files on the disk: open for as long as somebody reads them, and there whole or not at all once written."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

import h5py

from jphtr.errors import DataError
from jphtr.whole import beside

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


class OpenFile:
    """A file that is open for reading; it may be pickled or forked into workers, each of which opens it for itself.

    `_called` is what messages call it, `_own` are attributes of one process alone, which pickling leaves out.
    """

    _called: ClassVar[str]
    _own: ClassVar[tuple[str, ...]] = ("_file",)

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._file: h5py.File | None = None
        self._owner = 0

    def _open(self) -> h5py.File:
        if self._file is None or self._owner != os.getpid():  # a handle does not survive a fork
            try:
                self._file = h5py.File(self.path, "r")
                self._owner = os.getpid()
            except OSError as error:
                reason = "no such file" if not self.path.exists() else f"not an HDF5 {self._called}, or cut short"
                raise DataError(f"{self.path}: {reason}") from error
        return self._file

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, **dict.fromkeys(self._own)}


@contextmanager
def whole_file(path: Path) -> Iterator[h5py.File]:
    """A file to be filled; `path` shows it when the block has ended well, and until then what was there before.

    Raises
    ------
    DataError
        If it cannot be written.
    """
    with beside(path) as part:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path)
        with h5py.File(part, "w", libver="v110") as file:
            yield file


def _sweep(path: Path) -> None:
    """Remove what killed writers of the same file left beside it: parts that nobody holds the lock of any more."""
    for part in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        with suppress(OSError):
            with open(part, "rb+") as file:
                if fcntl is not None:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # HDF5 holds it while it writes
            part.unlink()  # where there are no such locks, a file that is in use cannot be removed
