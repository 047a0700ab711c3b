"""Pictures in folders and in tables -> parquet, read through Ray Data on one machine or on all those of a cluster.

    connect -> open_pictures -> read_pictures -> write_readings

`read_to_parquet` is all four. Between them are data sets of Ray, so that others can stand in for the first and the last:
`ray.data.read_binary_files("s3://…", include_paths=True)` has the columns that `read_pictures` takes.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jphtr.bulk import Reading
from jphtr.errors import DataError, JphtrError, require
from jphtr.ray_read.pictures import MOVES, open_pictures
from jphtr.ray_read.readings import read_pictures, schema
from jphtr.reader import Reader

__all__ = ["Written", "connect", "open_pictures", "read_pictures", "read_to_parquet", "write_readings"]

_RAISED = re.compile(r"(\w+\.)*\w*(Error|Exception): ")
_ROWS = 10_000  # in a file that is written, at least


@dataclass(frozen=True, slots=True)
class Written:
    """What became of the pictures of a call.

    Attributes
    ----------
    pictures : how many there were.
    errors : (path, reason) of what could not be read.
    """

    pictures: int
    errors: tuple[tuple[str, str], ...]


def read_to_parquet(
    inputs: Sequence[str], output: Path, how: Reading, *, jobs: int | None = None, address: str | None = None,
    picture_name: str | None = None, id_name: str | None = None,
) -> Written:  # fmt: skip
    """Read pictures into a new folder of parquet files, which appears when it is complete.

    Parameters
    ----------
    inputs, picture_name, id_name : as `open_pictures` takes them.
    output : the folder; on a cluster one that all machines share.
    how, jobs : as `read_pictures` takes them.
    address : as `connect` takes it.

    Raises
    ------
    JphtrError
        If a model cannot be used, the inputs or the folder cannot, Ray cannot be reached, or readers died.
    MissingExtraError
        Without Ray.
    """
    if output.exists():
        raise DataError(f"{output}: is there already; choose another folder")
    require("ray.data", "ray")
    Reader(how.model, threads=1, **how.decoding)  # what is wrong with a model is said here, once
    with connect(address):
        pictures, count = open_pictures(inputs, picture_name=picture_name, id_name=id_name)
        return write_readings(read_pictures(pictures, how, jobs), output, count)


@contextmanager
def connect(address: str | None = None) -> Iterator[None]:
    """Ray within reach; where this process has it already, that is taken and stays.

    Parameters
    ----------
    address : of a cluster, as `ray.init` takes it: "auto" where this machine belongs to one, "ray://host:10001" from
        outside. None takes $RAY_ADDRESS, and without it starts Ray on this machine alone, out of reach for others.

    Raises
    ------
    JphtrError
        If it cannot be reached.
    """
    ray = require("ray", "ray")
    if ray.is_initialized():
        yield
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray would tell its makers
    address = address or os.environ.get("RAY_ADDRESS") or "local"
    alone = {"include_dashboard": False} if address == "local" else {}
    try:
        ray.init(address, log_to_driver=False, logging_level="error", **alone)
    except Exception as error:  # which is all that Ray says where a node does not start
        raise JphtrError(f"Ray at {address}: cannot be reached: {_cause(error)}") from None
    try:
        yield
    finally:
        ray.shutdown()


def write_readings(readings: Any, output: Path, pictures: int) -> Written:
    """Write a data set of `read_pictures` to a folder that appears when it is complete.

    Parameters
    ----------
    readings : the data set.
    output : the folder.
    pictures : how many were read, so that rows which other machines wrote elsewhere are missed.

    Raises
    ------
    JphtrError
        If it cannot be written, or readers died.
    """
    exceptions, files = require("ray.exceptions", "ray"), require("pyarrow.dataset", "ray")
    output = output.absolute()
    beside = output.with_name(f".{output.name}.{os.getpid()}.part")
    try:
        beside.mkdir(parents=True)
        readings.write_parquet(str(beside), min_rows_per_file=_ROWS, ray_remote_args={"num_cpus": MOVES})
        rows = files.dataset(beside, schema=schema()).to_table(columns=["path", "error"]).to_pylist()
        if len(rows) < pictures:
            raise DataError(
                f"{output}: {len(rows):,} rows of {pictures:,} pictures; name a folder that all machines share"
            )
        for file in beside.iterdir():
            with file.open("r+b") as stream:
                os.fsync(stream.fileno())
        beside.replace(output)
    except exceptions.RayError as error:
        raise JphtrError(f"Ray: {_cause(error)}") from None
    except OSError as error:
        raise DataError(f"{output}: cannot be written: {error.strerror or error}") from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return Written(
        pictures, tuple((row["path"] or "picture", row["error"]) for row in rows if row["error"] is not None)
    )


def _cause(error: BaseException) -> str:
    """What went wrong first, for errors from other processes hold their tracebacks, one behind the other."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    raised = [line for line in lines if _RAISED.match(line)]
    return (raised or lines or [type(error).__name__])[0][:300]
