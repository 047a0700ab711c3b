"""Folders of pictures, and tables that hold pictures -> a data set of Ray."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jphtr.errors import DataError, require
from jphtr.image import STDIN, expand, gist, pictures_in

SHARE = 32  # pictures that are handed on together
MOVES = 0.25  # of a CPU, which is what handing them on takes


def open_pictures(
    inputs: Sequence[str], *, picture_name: str | None = None, id_name: str | None = None
) -> tuple[Any, int]:
    """A data set of the columns that `read_pictures` takes, and how many rows it has.

    Parameters
    ----------
    inputs : pictures, folders and patterns as `image.expand` takes them, with PDF; or parquet files, patterns of them
        and folders that hold them and no pictures.
    picture_name : of tables, the column of pictures: structures of `bytes` and `path` as the Hugging Face hub has them,
        or bytes. None finds it.
    id_name : of tables, the column that tells one picture from another. None takes `id`, else the `path` in the structure.

    Raises
    ------
    DataError
        If there is nothing to read, or the columns are not to be found.
    """
    data, arrow = require("ray.data", "ray"), require("pyarrow", "ray")
    names, tables = _places(inputs)
    if names and tables:
        raise DataError(f"{tables[0]}: a table among pictures; read them apart")
    if tables:
        return _of_tables(tables, picture_name, id_name)
    for name in names:
        if name == STDIN:
            raise DataError("-: standard input is read by jphtr read")
        try:
            name.encode()
        except UnicodeEncodeError:
            raise DataError(f"{name!r}: a name that is not UTF-8 cannot stand in parquet; rename it") from None
    shares = [arrow.table({"path": names[start : start + SHARE]}) for start in range(0, len(names), SHARE)]
    return data.from_arrow(shares), len(names)


def _places(inputs: Sequence[str]) -> tuple[list[str], list[str]]:
    """The pictures and the tables that are meant."""
    names: list[str] = []
    tables: list[str] = []
    for item in inputs:
        inside = sorted(str(path) for path in Path(item).rglob("*.parquet")) if Path(item).is_dir() else []
        if inside and not pictures_in(Path(item), documents=True):
            tables += inside
        else:
            (tables if item.endswith(".parquet") else names).extend(expand([item], documents=True))
    return names, tables


def _of_tables(tables: Sequence[str], picture_name: str | None, id_name: str | None) -> tuple[Any, int]:
    data, files, arrow = require("ray.data", "ray"), require("pyarrow.dataset", "ray"), require("pyarrow", "ray")
    for table in tables:
        if not Path(table).is_file():
            raise DataError(f"{table}: no such file")
    try:
        source = files.dataset(list(tables), format="parquet")
        rows = source.count_rows()
    except (OSError, arrow.ArrowException) as error:
        raise DataError(f"{tables[0]}: not parquet that can be read: {gist(error)}") from None
    picture, key = _columns(source.schema, tables[0], picture_name, id_name)
    if not rows:
        raise DataError(f"{tables[0]}: has no rows")
    found = data.read_parquet([str(Path(table).absolute()) for table in tables], num_cpus=MOVES)
    found = found.select_columns([picture] if key is None else [picture, key])
    return found.map_batches(
        _named, fn_args=(picture, key), batch_size=SHARE, batch_format="pyarrow", num_cpus=MOVES
    ), rows  # fmt: skip


def _columns(schema: Any, table: str, picture: str | None, key: str | None) -> tuple[str, str | None]:
    """The columns of pictures and of ids; None stands for the path in the structure of the picture."""
    there = ", ".join(schema.names[:8])
    for name in (picture, key):
        if name is not None and name not in schema.names:
            raise DataError(f"{table}: no column {name!r}; there are {there}")
    holding = [field.name for field in schema if _holds_bytes(field.type)]
    if picture is None and len(holding) != 1:
        what = "no column of pictures" if not holding else f"{len(holding)} columns that may be pictures"
        raise DataError(f"{table}: {what} among {there}; name one with --picture-name")
    picture = picture or holding[0]
    if picture not in holding:
        raise DataError(f"{table}: column {picture!r} holds no bytes of pictures but {schema.field(picture).type}")
    if key is None and "id" in schema.names:
        key = "id"
    if key is None and not _has_path(schema.field(picture).type):
        raise DataError(f"{table}: which column tells one picture from another? there are {there}; use --id-name")
    return picture, key


def _holds_bytes(kind: Any) -> bool:
    types = require("pyarrow.types", "ray")
    if types.is_struct(kind):
        return any(field.name == "bytes" and _holds_bytes(field.type) for field in kind)
    return bool(types.is_binary(kind) or types.is_large_binary(kind))


def _has_path(kind: Any) -> bool:
    types = require("pyarrow.types", "ray")
    return bool(types.is_struct(kind)) and any(field.name == "path" for field in kind)


def _named(table: Any, picture: str, key: str | None) -> Any:
    """Rows of a table -> `path` and `bytes`."""
    arrow, compute = require("pyarrow", "ray"), require("pyarrow.compute", "ray")
    column = table[picture]
    path = compute.struct_field(column, "path") if key is None else table[key]
    data = compute.struct_field(column, "bytes") if arrow.types.is_struct(column.type) else column
    return arrow.table({"path": path.cast(arrow.string()), "bytes": data.cast(arrow.large_binary())})
