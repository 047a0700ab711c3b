"""Where `jphtr read` writes: standard output, one file, or a file for each picture; what was done is found again."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from jphtr.cli.output import opened_bytes
from jphtr.errors import DataError, SettingsError
from jphtr.whole import write_whole

if TYPE_CHECKING:
    from jphtr.bulk import Answer, Result
    from jphtr.formats import Style


class Sink(Protocol):
    """Takes the answers of one call, in order."""

    @property
    def done(self) -> frozenset[str]:
        """Files whose answers are there already."""

    def write(self, answers: Iterable[tuple[str, Answer]], style: Style) -> None:
        """Write what files say, each as soon as it is known."""


class Stream:
    """One stream or file for everything; a file appears when it is complete."""

    done: frozenset[str] = frozenset()

    def __init__(self, output: str, format_name: str) -> None:
        self.output, self.format_name = output, format_name

    def write(self, answers: Iterable[tuple[str, Answer]], style: Style) -> None:
        from jphtr.formats import pieces

        with opened_bytes(self.output) as file:
            for piece in pieces(self.format_name, (r for _, answer in answers for r in answer.results), style):
                file.write(piece)
                file.flush()


class Log:
    """A JSON lines file that grows beside its place and moves there when all is done.

    Until then it is `NAME.part`, in which every line is whole but perhaps the last: a run that is killed loses what it
    was writing, and another goes on behind it.

    Raises
    ------
    SettingsError
        If a run was cut short and `resume` does not say that this one goes on with it.
    """

    def __init__(self, path: Path, resume: bool) -> None:
        self.path, self.part = path, path.with_name(f"{path.name}.part")
        if not resume and self.part.exists():
            raise SettingsError(f"{self.part}: left by a run that was cut short; go on with --resume, or remove it")
        if resume and path.exists() and not self.part.exists():
            path.replace(self.part)
        self.done, self._size = _whole_lines(self.part) if resume and self.part.exists() else (frozenset[str](), 0)

    def write(self, answers: Iterable[tuple[str, Answer]], style: Style) -> None:
        from jphtr.formats import pieces

        try:
            with open(self.part, "r+b" if self.part.exists() else "wb") as file:
                file.truncate(self._size)
                file.seek(self._size)
                for _, answer in answers:
                    # a file's lines at once, so that a cut falls between files where it can
                    file.write(b"".join(pieces("jsonl", answer.results, style)))
                    file.flush()
                os.fsync(file.fileno())
            self.part.replace(self.path)
        except OSError as error:
            raise DataError(f"{self.path}: cannot be written: {error.strerror or error}") from None


def _whole_lines(path: Path) -> tuple[frozenset[str], int]:
    """The paths in a JSON lines file, and the bytes of its whole lines.

    The pages of the last file go, where there are several: the one that was being written may not have been its last.

    Raises
    ------
    DataError
        If it is no such file.
    """
    done: set[str] = set()
    size = start = 0  # of whole lines, and of those before the last file's
    last: str | None = None
    paged = False
    try:
        with open(path, "rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    break
                try:
                    row = json.loads(line)
                    name = row["path"]
                except (ValueError, KeyError, TypeError):
                    raise DataError(f"{path}: line {number} is not of jphtr read; name another file with -o") from None
                if name != last:
                    last, start = name, size
                paged = "page" in row
                size += len(line)
                done.add(name)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
    if last is not None and paged:
        done.discard(last)
        size = start
    return frozenset(done), size


class Folder:
    """A file for each picture, in a folder, under the picture's name and place in what was searched.

    Raises
    ------
    SettingsError
        If two pictures would share a file.
    """

    def __init__(self, folder: Path, format_name: str, places: dict[str, Path], resume: bool) -> None:
        from jphtr.formats import FORMATS

        suffix = FORMATS[format_name].suffixes[0]
        self.folder, self.format_name = folder, format_name
        stems = [place.with_suffix("") for place in places.values()]
        twice = {stem for stem in stems if stems.count(stem) > 1} if len(set(stems)) < len(stems) else set()
        self._files: dict[str, Path] = {}
        self._owners: dict[Path, str] = {}
        for (name, place), stem in zip(places.items(), stems, strict=True):
            file = folder / f"{place if stem in twice else stem}{suffix}"  # a.png and a.jpg keep their suffixes
            if file in self._owners:
                raise SettingsError(f"{name}: would be written to {file} as {self._owners[file]} is; read them apart")
            self._owners[file] = name
            self._files[name] = file
        self.done = frozenset(name for name, file in self._files.items() if resume and file.exists())

    def write(self, answers: Iterable[tuple[str, Answer]], style: Style) -> None:
        from jphtr.formats import FORMATS, pieces

        alone = FORMATS[self.format_name].page_a_file
        style = replace(style, many=False)  # the file says which picture it is of
        for name, answer in answers:
            if not answer.results:
                continue
            file = self._files[name]
            file.parent.mkdir(parents=True, exist_ok=True)
            parts: list[Sequence[Result]] = [[r] for r in answer.results] if alone else [answer.results]
            for number, part in enumerate(parts, 1):
                own = file if number == 1 else self._of_page(file, number)
                write_whole(own, b"".join(pieces(self.format_name, part, style)))

    def _of_page(self, file: Path, number: int) -> Path:
        """The file of a page behind the first, which is no other picture's."""
        from jphtr.formats import FORMATS

        suffix = FORMATS[self.format_name].suffixes[0]
        sign = "-p"
        while (own := file.with_name(f"{file.name.removesuffix(suffix)}{sign}{number}{suffix}")) in self._owners:
            sign = f"-{sign}"
        return own


def is_folder(output: str) -> bool:
    """Whether -o asks for a file for each picture: a folder that exists, or a name that ends in a slash."""
    return output != "-" and (output.endswith(("/", os.sep)) or Path(output).is_dir())


def sink(output: str, format_name: str, places: dict[str, Path], resume: bool) -> Sink:
    """Where results go.

    Parameters
    ----------
    output : "-", a file, or what `is_folder` takes for a folder.
    format_name : a key of `FORMATS`.
    places : for every picture of the whole call where it stands below what was searched.
    resume : whether what is there already stays.

    Raises
    ------
    SettingsError
        If the output cannot take these results, or cannot be resumed.
    """
    from jphtr.formats import FORMATS

    if is_folder(output):
        return Folder(Path(output), format_name, places, resume)
    if format_name == "jsonl" and output != "-" and (resume or len(places) > 1):
        path = Path(output).resolve()  # a link stays a link
        if path.is_file() or not path.exists():
            return Log(path, resume)
    if resume:
        raise SettingsError(f"--resume goes on with a .jsonl file or a folder (-o out/), not with {output}")
    if FORMATS[format_name].page_a_file and len(places) > 1:
        raise SettingsError(f"{format_name} is a file for each picture; name a folder: -o out/")
    return Stream(output, format_name)
