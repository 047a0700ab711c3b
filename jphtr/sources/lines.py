"""Lines with known text, from whatever people keep them in: a table of formats, and the door to all of them.

    line file   what jphtr pack writes
    table       path<TAB>text, with an optional header          parquet    pictures and texts, as on the Hugging Face hub
    folder      x.png + x.gt.txt, or + x.txt                    PAGE, ALTO pages with outlines of their lines
    IAM         lines.txt + pictures                            VIA        regions with a text, JSON or CSV

A format is recognised by content, not by suffix. A folder is read as the first of: truth.tsv, IAM, pictures with texts,
else every file below it that is one of the others, in sorted order.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from jphtr.errors import DataError
from jphtr.image import pictures_in
from jphtr.sources import lines_pages, lines_parquet, lines_text, lines_via
from jphtr.sources.lines_ref import LineRef, Notes
from jphtr.splits import SPLITS
from jphtr.store import lines as line_files

__all__ = ["LINE_SOURCES", "LineRef", "LineSource", "Notes", "format_of", "name_of", "read_lines", "read_truth"]

_HEAD = 4096  # bytes of a file that are looked at
_CURE = "give a table of path and text, a folder of pictures with texts, PAGE, ALTO, VIA, IAM, parquet or a line file"
_SPLIT_NAMES = {value: name for name, value in SPLITS.items()}


@dataclass(frozen=True, slots=True)
class LineSource:
    """A format of lines: whether a path with these first bytes (b"" of a folder) is one, and how it is read."""

    is_one: Callable[[Path, bytes], bool]
    read: Callable[[Path, Notes], Iterator[LineRef]]


def read_lines(path: Path, notes: Notes | None = None) -> Iterator[LineRef]:
    """Lines with known text from a file or a folder of any format in `LINE_SOURCES`.

    Parameters
    ----------
    path : the file or folder.
    notes : which column or attribute holds the text, and what becomes of lines that are left out; without it the first
        line that is not what it should be raises its error.

    Yields
    ------
    LineRef
        In the order of the file, or of sorted paths. Pictures are decoded when `load` is called.

    Raises
    ------
    DataError
        If the path is of none of the formats, or holds no line at all.
    """
    path, notes = Path(path), notes or Notes()
    count, errors, untold = 0, notes.errors, notes.untold
    for ref in LINE_SOURCES[format_of(path)].read(path, notes):
        count += 1
        yield ref
    if not count and notes.errors == errors:
        places = notes.untold - untold
        found = f"{places} places for lines, but not one text" if places else "no line with a text"
        raise DataError(f"{path}: holds {found}; {_CURE}")


def read_truth(path: Path) -> Iterator[LineRef]:
    """Lines with known text to score a reader by: `read_lines`, where the first mistake is an error."""
    return read_lines(path)


def format_of(path: Path) -> str:
    """The key of `LINE_SOURCES` that a path is one of.

    Raises
    ------
    DataError
        If there is no such file, or it is none of them.
    """
    head = b""
    if not path.is_dir():
        try:
            with path.open("rb") as file:
                head = file.read(_HEAD)
        except OSError as error:
            raise DataError(f"{path}: {error.strerror or error}; {_CURE}") from None
        if not head:
            raise DataError(f"{path}: is empty and holds no line; {_CURE}")
    for name, source in LINE_SOURCES.items():
        if source.is_one(path, head):
            return name
    if path.is_dir():
        raise DataError(f"{path}: holds neither {lines_text.TABLE} nor a .txt beside a picture; {_CURE}")
    if head.startswith(b"\x89HDF"):
        raise DataError(f"{path}: HDF5, but no line file; make one with jphtr pack")
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        root = lines_pages.root_of(path)
        raise DataError(f"{path}: XML{f' of {root!r}' if root else ' that is broken'}, not PAGE or ALTO; {_CURE}")
    if b"\0" in head:
        raise DataError(f"{path}: not UTF-8 text, nor any other file of lines; {_CURE}")
    raise DataError(f"{path}: not a file of lines; {_CURE}")


def name_of(path: Path) -> str:
    """What a file or folder is called as a source of lines."""
    return path.resolve().name if path.is_dir() else path.stem


def line_file(path: Path, notes: Notes) -> Iterator[LineRef]:
    """The lines of a line file, with what it says of each; a picture asked for later opens the file again."""
    with line_files.open_lines(path) as stored:
        for row in range(len(stored)):
            source = stored.sources[stored.source[row]]
            yield LineRef(
                f"{path}, line {row}", stored.text(row), partial(stored.gray, row), path,
                stored.writers[stored.writer[row]], "", line_files.DIRECTIONS[stored.direction[row]],
                stored.kinds[stored.kind[row]], _SPLIT_NAMES.get(int(stored.split[row]), ""), source.name, source.licence,
            )  # fmt: skip


def _folder_with_truth(path: Path, notes: Notes) -> Iterator[LineRef]:
    return lines_text.table(path / lines_text.TABLE, notes)


def _many(path: Path, notes: Notes) -> Iterator[LineRef]:
    """Every file of lines below a folder; a document is called by its place in it, so that two are not taken for one."""
    owners: dict[Path, Path] = {}
    for file in _files(path):
        inside = file.relative_to(path).parent.as_posix()
        kind = format_of(file)
        try:
            for ref in LINE_SOURCES[kind].read(file, notes):
                if kind in ("page", "alto") and (owner := owners.setdefault(ref.path, file)) != file:
                    notes.wrong(f"{file}: {owner} gives the lines of {ref.path.name} already; keep one of the two")
                    break
                yield ref if inside == "." else replace(ref, document=f"{inside}/{ref.document}")
        except DataError as error:
            notes.wrong(str(error))


def _files(path: Path) -> Iterator[Path]:
    """The files of a folder that hold lines of their own: line files, PAGE, ALTO, VIA and parquet."""
    for file in sorted(path.rglob("*")):
        hidden = any(part.startswith(".") for part in file.relative_to(path).parts)
        if hidden or file.suffix.lower() not in (".xml", ".parquet", ".h5", ".json", ".csv") or not file.is_file():
            continue
        with file.open("rb") as stream:
            head = stream.read(_HEAD)
        if file.suffix.lower() == ".json" and not (b"_via_" in head or b'"regions"' in head):
            continue  # data sets have JSON files about themselves
        kinds = ("lines", "page", "alto", "via-json", "via-csv", "parquet")
        if any(LINE_SOURCES[name].is_one(file, head) for name in kinds):
            yield file


def _is_xml(kind: str) -> Callable[[Path, bytes], bool]:
    def is_one(path: Path, head: bytes) -> bool:
        wide = head[:2] in (b"\xff\xfe", b"\xfe\xff")
        if not wide and not head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
            return False
        return lines_pages.ROOTS.get(lines_pages.root_of(path)) == kind

    return is_one


def _is_via_csv(path: Path, head: bytes) -> bool:
    first = head.removeprefix(b"\xef\xbb\xbf").split(b"\n", 1)[0].decode("utf-8", "replace")
    return lines_via.SHAPES in next(csv.reader([first.strip()]), [])


def _is_iam(path: Path, head: bytes) -> bool:
    listing = lines_text.iam_listing(path)
    if listing is None:
        return False
    with listing.open("rb") as file:
        rows = [row for row in file.read(1 << 16).splitlines() if row.strip() and not row.startswith(b"#")]
    return bool(rows) and b"\t" not in rows[0] and len(rows[0].split(b" ", 8)) == 9


# In the order in which they are tried.
LINE_SOURCES: dict[str, LineSource] = {
    "folder-table": LineSource(lambda p, head: (p / lines_text.TABLE).is_file(), _folder_with_truth),
    "iam": LineSource(_is_iam, lines_text.iam),
    "folder": LineSource(
        lambda p, head: p.is_dir() and any(lines_text.sidecar(Path(name)) for name in pictures_in(p)), lines_text.folder
    ),
    "files": LineSource(lambda p, head: p.is_dir() and any(True for _ in _files(p)), _many),
    "lines": LineSource(lambda p, head: head.startswith(b"\x89HDF") and line_files.is_line_file(p), line_file),
    "parquet": LineSource(lambda p, head: head.startswith(lines_parquet.MAGIC), lines_parquet.parquet),
    "page": LineSource(_is_xml("page"), lines_pages.page_xml),
    "alto": LineSource(_is_xml("alto"), lines_pages.alto),
    "via-json": LineSource(
        lambda p, head: head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"[")), lines_via.via_json
    ),
    "via-csv": LineSource(_is_via_csv, lines_via.via_csv),
    "table": LineSource(
        lambda p, head: not p.is_dir() and not head.lstrip().startswith((b"<", b"\x89HDF")) and b"\0" not in head,
        lines_text.table,
    ),
}  # fmt: skip
