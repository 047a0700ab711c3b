"""Finding the files of the ETL sets in folders and zip files, and reading them as streams.

Members of zip files are read where they lie. Plain files are streams too and not mapped into memory: the bytes of a
file are looked at once, a mapped file that shrinks kills the process, and a stream counts for one block of memory.
"""

from __future__ import annotations

import lzma
import os
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from jphtr.errors import DataError
from jphtr.sources.etl_published import PUBLISHED, PublishedFile, published_file
from jphtr.sources.etl_records import LAYOUTS, Raw


@dataclass(frozen=True, slots=True)
class EtlFile:
    """A file of an ETL set on this machine.

    Attributes
    ----------
    path : the file, or the zip file that holds it.
    member : its name inside the zip file, else None.
    size : bytes, unpacked.
    published : what it should be.
    """

    path: Path
    member: str | None
    size: int
    published: PublishedFile

    @property
    def source(self) -> str:
        """The set, a key of LAYOUTS."""
        return self.published.source

    @property
    def number(self) -> int:
        """Place in the set, from 1, as in the meta column `file`."""
        return self.published.number

    @property
    def records(self) -> int:
        """Whole records in the file, a dummy counted."""
        return self.size // LAYOUTS[self.source].size

    def __str__(self) -> str:
        return f"{self.path}" if self.member is None else f"{self.path}:{self.member}"


@dataclass(frozen=True, slots=True)
class Found:
    """What `find` found.

    Attributes
    ----------
    files : in the order of LAYOUTS and of their numbers, each file of a set once.
    missing : the absent files of each set that is there in part, by their published names.
    warnings : one line each.
    """

    files: tuple[EtlFile, ...]
    missing: dict[str, tuple[str, ...]]
    warnings: tuple[str, ...]

    @property
    def sources(self) -> tuple[str, ...]:
        """The sets of which there is a file."""
        return tuple(dict.fromkeys(file.source for file in self.files))


def find(paths: Iterable[Path | str] | Path | str, *, errors: list[DataError] | None = None) -> Found:
    """The ETL files among files, in folders and in zip files, at any depth.

    Parameters
    ----------
    paths : files, folders and zip files; files with other names, INFO files and what macOS leaves are passed over.
    errors : takes what cannot be read, so that the rest is still found; None raises the first of them.

    Raises
    ------
    DataError
        If a path does not exist, a file given by name is none of the ETL files, a zip file cannot be read, or there
        is no ETL file at all.
    """
    given = [Path(p) for p in ([paths] if isinstance(paths, str | Path) else paths)]
    candidates: list[EtlFile] = []
    failed: list[DataError] = []
    for top in given:
        try:
            for path in _files(top):
                try:
                    candidates += _candidates(path, wanted=path == top)
                except DataError as error:
                    failed.append(error)
        except DataError as error:
            failed.append(error)
    if not candidates and not failed:
        names = ", ".join(map(str, given)) or "no path given"
        failed.append(
            DataError(f"{names}: no ETL files there; give the folder or zip file that holds ETL1C_01 and so on")
        )
    if failed and errors is None:
        raise failed[0]
    if errors is not None:
        errors += failed
    places = {name: place for place, name in enumerate(LAYOUTS)}
    # a plain file goes before its copy in a zip, because it is read faster
    candidates.sort(key=lambda f: (places[f.source], f.number, f.member is not None))
    chosen: dict[PublishedFile, EtlFile] = {}
    warnings: list[str] = []
    for file in candidates:
        first = chosen.setdefault(file.published, file)
        if first is not file and not (file.path == first.path and file.member == first.member):
            warnings.append(f"{file}: left out, because {file.published.name} is read from {first}")
    here = {file.source for file in chosen.values()}
    missing = {
        source: tuple(p.name for p in PUBLISHED[source] if p not in chosen)
        for source in LAYOUTS
        if source in here and any(p not in chosen for p in PUBLISHED[source])
    }
    return Found(tuple(chosen.values()), missing, tuple(warnings))


@contextmanager
def opened(file: EtlFile) -> Iterator[IO[bytes]]:
    """The bytes of a file as a stream, from inside a zip file if it lies there.

    Raises
    ------
    DataError
        If the file cannot be opened or read, here or while it is open.
    """
    try:
        if file.member is None:
            with open(file.path, "rb", buffering=0) as stream:
                yield stream
        else:
            with zipfile.ZipFile(file.path) as archive, archive.open(file.member) as member:
                yield member
    except _ZIP_ERRORS as error:
        raise DataError(f"{file}: damaged inside the zip file ({_line(error)}); copy or download it again") from None
    except RuntimeError as error:
        if "password" not in str(error):
            raise
        raise DataError(f"{file}: locked with a password; unpack the zip file and give the folder") from None
    except OSError as error:
        raise DataError(
            f"{file}: cannot be read ({error.strerror or _line(error)}); check the path and your rights"
        ) from None


def fill(stream: IO[bytes], raw: Raw, file: EtlFile) -> None:
    """Read the next records from a stream into raw (N, record bytes) uint8, contiguous.

    Raises
    ------
    DataError
        If the stream ends before.
    """
    view = memoryview(raw.data).cast("B")
    done = 0
    while done < len(view):
        count = stream.readinto(view[done:])  # type: ignore[attr-defined]  # both kinds of stream have it
        if not count:
            raise DataError(
                f"{file}: ends {len(view) - done:,} bytes before its stated size of {file.size:,}; "
                "it was changed or cut short: copy or download it again"
            )
        done += count


def _files(top: Path) -> Iterator[Path]:
    """Every file in a folder and below, through links, in the order of names; or the file itself."""
    if not top.is_dir():
        if not top.exists():
            raise DataError(f"{top}: no such file or folder; give the folder or zip file that holds the ETL files")
        yield top
        return
    seen: set[str] = set()
    for folder, below, names in os.walk(top, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:  # a link that leads back up
            below.clear()
            continue
        seen.add(real)
        below[:] = sorted(name for name in below if not _hidden(name))
        yield from (Path(folder, name) for name in sorted(names) if not _hidden(name))


def _hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def _candidates(path: Path, *, wanted: bool) -> list[EtlFile]:
    """The ETL files that a file is or holds; `wanted` if the caller gave it by name, so that it has to be one."""
    if path.suffix.lower() == ".zip":
        return _members(path, wanted=wanted)
    published = published_file(path.name)
    if published is not None:
        try:
            return [EtlFile(path, None, path.stat().st_size, published)]
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror}); check the link and your rights") from None
    if wanted and not _hidden(path.name) and not path.name.upper().endswith("INFO"):
        raise DataError(f"{path}: not the name of an ETL file; give it the name it came with, such as ETL1C_01")
    return []


def _members(path: Path, *, wanted: bool) -> list[EtlFile]:
    """The ETL files in a zip file; a damaged one counts if it is wanted or its name speaks of ETL."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError) as error:
        if not wanted and not path.name.upper().startswith("ETL"):
            return []
        raise DataError(f"{path}: not a whole zip file ({_line(error)}); download it again") from None
    found = []
    for entry in entries:
        parts = PurePosixPath(entry.filename).parts
        published = published_file(parts[-1]) if parts and not entry.is_dir() else None
        if published is not None and not any(_hidden(part) for part in parts):
            found.append(EtlFile(path, entry.filename, entry.file_size, published))
    if wanted and not found:
        raise DataError(f"{path}: holds no file with the name of an ETL file, such as ETL1C_01; give another one")
    return found


def _line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


_ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError)
