"""Parquet files as data sets on the Hugging Face hub are kept in: a column of pictures, a column of texts -> LineRef.

A picture is a structure of `bytes` (the picture file) and `path`, or the bytes alone. Columns called writer, direction,
kind, split and document say these. A file called train-00000-of-00002.parquet belongs to the split of that name.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from jphtr.errors import DataError, require
from jphtr.image import load_gray
from jphtr.records import Gray
from jphtr.sources.lines_ref import SPLIT_NAMES, TEXT_NAMES, LineRef, Notes, direction_of, one_line, split_of

MAGIC = b"PAR1"
_PICTURES = ("image", "img", "picture", "jpg", "png")
_SAYS = ("writer", "direction", "kind", "split", "document")
_ROWS = 64  # rows held at a time: whole picture files


def parquet(path: Path, notes: Notes) -> Iterator[LineRef]:
    """The rows of a parquet file.

    Raises
    ------
    DataError
        If it is none, or its columns are not to be found.
    MissingExtraError
        Without pyarrow.
    """
    reader = require("pyarrow.parquet", "parquet")
    try:
        with path.open("rb") as stream:
            file = reader.ParquetFile(stream)
            names = list(file.schema_arrow.names)
            picture, text = _picture_column(path, names), _text_column(path, names, notes.text_name)
            said = [name for name in _SAYS if name in names]
            own = SPLIT_NAMES.get(path.name.partition("-")[0].partition(".")[0].lower(), "")
            number = 0
            for batch in file.iter_batches(batch_size=_ROWS, columns=[picture, text, *said]):
                for row in batch.to_pylist():
                    name = f"{path}, row {number}"
                    number += 1
                    if not isinstance(row[text], str) or not row[text].strip():
                        notes.untold += 1
                        continue
                    try:
                        yield _line(
                            path, name, row[picture], row[text], {key: str(row[key] or "") for key in said}, own
                        )
                    except ValueError as error:
                        notes.wrong(f"{name}: {error}")
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (ValueError, KeyError, NotImplementedError) as error:  # those of pyarrow are ValueErrors
        raise DataError(f"{path}: not parquet that can be read: {error}; download it again") from None


def _line(path: Path, name: str, picture: Any, text: str, said: Mapping[str, str], split: str) -> LineRef:
    data = picture.get("bytes") if isinstance(picture, Mapping) else picture
    inner = str(picture.get("path") or "") if isinstance(picture, Mapping) else ""
    if not isinstance(data, bytes | bytearray):
        beside = path.parent / inner if inner else None
        if beside is None or not beside.is_file():
            raise ValueError(f"no bytes of a picture{f', and no file {inner!r}' if inner else ''}; write them into it")
        load = partial(load_gray, beside)
    else:
        load = partial(_decoded, bytes(data), f"{name} ({inner})" if inner else name)
    return LineRef(
        name, one_line(text), load, path, said.get("writer", ""), said.get("document", ""),
        direction_of(said.get("direction", "")), said.get("kind", ""), split_of(said.get("split", "")) or split,
    )  # fmt: skip


def _decoded(data: bytes, name: str) -> Gray:
    return load_gray(io.BytesIO(data), name=name)


def _picture_column(path: Path, names: list[str]) -> str:
    lower = {name.lower(): name for name in names}
    for name in _PICTURES:
        if name in lower:
            return lower[name]
    raise DataError(f"{path}: no column of pictures among {', '.join(names[:8])}; call it image")


def _text_column(path: Path, names: list[str], wanted: str | None) -> str:
    lower = {name.lower(): name for name in names}
    for name in (wanted,) if wanted else TEXT_NAMES:
        if name.lower() in lower:
            return lower[name.lower()]
    lacking = f"no column {wanted!r}" if wanted else "which column holds the text?"
    raise DataError(
        f"{path}: {lacking}{';' if wanted else ''} there are {', '.join(names[:8])}; name it with --text-name"
    )
