"""Pictures of lines with their text in tables or files beside them -> LineRef.

table     path<TAB>text, paths relative to the table; a header may name more: kind, direction, writer,
              split, document, source, licence
folder    x.png with x.gt.txt or x.txt, at any depth
IAM       lines.txt (or ascii/lines.txt) with lines/a01/a01-000u/a01-000u-00.png, and the writers in forms.txt
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path, PurePath

from jphtr.errors import DataError
from jphtr.image import SUFFIXES, load_gray, pictures_in
from jphtr.sources.lines_ref import TEXT_NAMES, LineRef, Notes, direction_of, one_line, read_text, split_of

TABLE = "truth.tsv"
_COLUMNS = {
    "file": "path", "path": "path", "image": "path", "picture": "path", "filename": "path", "file_name": "path",
    "kind": "kind", "group": "kind", "style": "kind", "direction": "direction", "writer": "writer",
    "font": "writer", "split": "split", "part": "split", "document": "document", "page": "document", "sheet": "document",
    "source": "source", "licence": "licence", "license": "licence",
}  # fmt: skip
_SIDECARS = (".gt.txt", ".txt")


def table(path: Path, notes: Notes) -> Iterator[LineRef]:
    """The rows of a table; without a header its columns are path and text.

    Raises
    ------
    DataError
        If it is none: no text, no tab in its first row, or not a single row.
    """
    text = read_text(path, "give a table of path and text, or a folder")
    rows = [row.rstrip("\r").split("\t") for row in text.split("\n")]  # splitlines breaks at rare separators too
    header = _header(rows[0], notes.text_name) if rows else []
    with_header = {"path", "text"} <= set(header)
    columns = header if with_header else ["path", "text"]
    if notes.text_name and not with_header:
        raise DataError(
            f"{path}, line 1: no header with a path and {notes.text_name!r}; write one, or leave out the name"
        )
    count = 0
    for number, row in enumerate(rows[with_header:], 1 + with_header):
        if row == [""]:
            continue
        place = f"{path}, line {number}"
        if len(row) < 2:
            message = f"{place}: no tab; write the picture's path, a tab, and its text"
            if not count:
                raise DataError(message)
            notes.wrong(message)
            continue
        count += 1
        values = {name: value for name, value in zip(columns, row, strict=False) if name}
        if not values.get("path") or "text" not in values:
            notes.wrong(f"{place}: lacks a path or a text; fill both columns")
            continue
        try:
            yield _ref(path.parent / values["path"], values)
        except ValueError as error:
            notes.wrong(f"{place}: {error}")
    if not count:
        raise DataError(f"{path}: holds no line; write a picture's path, a tab, and its text")


def _header(row: list[str], text_name: str | None) -> list[str]:
    """What each column of a table holds; "" for others. Of several that could hold the same, one does."""
    heads = [name.strip().lower() for name in row]
    wanted = (text_name.lower(),) if text_name else TEXT_NAMES
    text = next((heads.index(name) for name in wanted if name in heads), -1)
    columns: list[str] = []
    for place, name in enumerate(heads):
        column = "text" if place == text else _COLUMNS.get(name, "")
        columns.append("" if column in columns else column)
    return columns


def _ref(picture: Path, values: dict[str, str]) -> LineRef:
    """A line that is a picture of its own."""
    folder = PurePath(values.get("path", "")).parent.as_posix()
    return LineRef(
        name=str(picture),
        text=one_line(values["text"]),
        load=partial(load_gray, picture),
        path=picture,
        writer=values.get("writer", "").strip(),
        document=values.get("document", "").strip() or ("" if folder == "." else folder),
        direction=direction_of(values.get("direction", "")),
        kind=values.get("kind", "").strip(),
        split=split_of(values.get("split", "")),
        source=values.get("source", "").strip(),
        licence=values.get("licence", "").strip(),
    )


def folder(path: Path, notes: Notes) -> Iterator[LineRef]:
    """Pictures with a text file beside each; a picture without one has no text yet."""
    for name in pictures_in(path):
        picture = Path(name)
        beside = sidecar(picture)
        if beside is None:
            notes.untold += 1
            continue
        try:
            text = one_line(read_text(beside, "make it readable"))
        except (ValueError, DataError) as error:
            notes.wrong(str(error) if isinstance(error, DataError) else f"{beside}: {error}")
            continue
        if text:
            yield _ref(picture, {"text": text, "path": picture.relative_to(path).as_posix()})
        else:
            notes.untold += 1
    for stray in sorted(path.rglob("*.gt.txt")):
        if not any((stray.parent / f"{stray.name[:-7]}{suffix}").is_file() for suffix in picture_suffixes()):
            notes.wrong(f"{stray}: no picture beside it; put {stray.name[:-7]}.png there")


def sidecar(picture: Path) -> Path | None:
    """The text file that belongs to a picture: of a.bin.png too a.gt.txt, as OCRopus names them."""
    for stem in dict.fromkeys((picture.stem, picture.name.partition(".")[0])):
        for suffix in _SIDECARS:
            if (path := picture.with_name(f"{stem}{suffix}")).is_file():
                return path
    return None


def picture_suffixes() -> Iterator[str]:
    """What the names of pictures end in, after the name of their text."""
    for suffix in sorted(SUFFIXES):
        for kind in ("", ".bin", ".nrm", ".raw"):
            yield f"{kind}{suffix}"
            yield f"{kind}{suffix.upper()}"


def iam(path: Path, notes: Notes) -> Iterator[LineRef]:
    """The lines of the IAM layout: `path` is the folder of lines.txt, or that file.

    The picture of a line is a01/a01-000u/a01-000u-00.png, there, under lines/ or beside the folder of lines.txt. Lines
    whose words were cut wrongly (err) are as good as others.

    Raises
    ------
    DataError
        If no row is one of lines.txt, or no picture is where it should be.
    """
    listing = iam_listing(path)
    if listing is None:
        raise DataError(f"{path}: holds no lines.txt; give the folder of the IAM layout")
    writers = _iam_writers(listing.with_name("forms.txt"))
    homes = [home / part for home in (listing.parent, listing.parent.parent) for part in ("lines", "")]
    found = rows = 0
    for number, row in enumerate(read_text(listing, "give the list of the IAM layout").splitlines(), 1):
        if not row.strip() or row.startswith("#"):
            continue
        cells = row.split(" ", 8)
        if len(cells) < 9 or cells[0].count("-") != 2:
            notes.wrong(f"{listing}, line {number}: not a row of lines.txt: name, ok or err, six numbers, text")
            continue
        rows += 1
        name, form = cells[0], cells[0].rpartition("-")[0]
        picture = _iam_picture(homes, name, form)
        if picture is None:
            notes.wrong(f"{listing}, line {number}: no picture {name}.png under {homes[0]}; put it there")
            continue
        found += 1
        text = cells[8].replace("|", " ")
        yield LineRef(
            f"{picture}",
            one_line(text),
            partial(load_gray, picture),
            picture,
            writers.get(form, ""),
            form,
            "horizontal",
        )
    if not found:
        lacking = "a picture of any of its lines" if rows else "a row of the IAM layout"
        raise DataError(f"{listing}: without {lacking}; put lines/a01/a01-000u/a01-000u-00.png and so on beside it")


def iam_listing(path: Path) -> Path | None:
    """The lines.txt of an IAM folder, or of a path that is one itself."""
    if path.is_file():
        return path if path.name == "lines.txt" else None
    return next((p for p in (path / "lines.txt", path / "ascii" / "lines.txt") if p.is_file()), None)


def _iam_picture(homes: list[Path], name: str, form: str) -> Path | None:
    for home in homes:
        for inside in (PurePath(form.partition("-")[0], form), PurePath(form), PurePath()):
            for suffix in (".png", ".jpg", ".tif"):
                if (path := home / inside / f"{name}{suffix}").is_file():
                    return path
    return None


def _iam_writers(forms: Path) -> dict[str, str]:
    """The writer of each form, where forms.txt lies beside lines.txt."""
    if not forms.is_file():
        return {}
    rows = (row.split() for row in read_text(forms, "make it readable").splitlines() if not row.startswith("#"))
    return {row[0]: row[1] for row in rows if len(row) > 1}
