"""A data set of pictures -> a data set of what they say.

Its rows are lines and pages, and what could not be read:

path        the picture; of a picture in a table its id
page        number of the page in its file, from 1; null in a row of an error
text        what `jphtr read` prints
confidence  geometric mean over the characters, 0 to 1
lines       in reading order: text, direction, confidence, quad (four corners), block (from 1), kind ("text", "ruby")
error       why something could not be read, else null
model, version  of the line model and of jphtr
"""

from __future__ import annotations

import io
import os
import platform
import warnings
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from jphtr import __version__
from jphtr.bulk import Answer, FileReader, Reading, Result
from jphtr.errors import JphtrError, require
from jphtr.formats.json_lines import as_dict
from jphtr.formats.layout import as_page, confidence_of
from jphtr.formats.style import Style
from jphtr.image import Picture
from jphtr.pages_in import Pictures
from jphtr.ray_read.pictures import MOVES, SHARE
from jphtr.records import Recognition

_READS = 1 - MOVES  # of a CPU; readers on all of them would else wait for ever for what hands them pictures
_LINE = ("text", "direction", "confidence", "quad", "block", "kind")  # keys of a line as JSON has it
_NOTHING = Answer((), ("no bytes of a picture in its row; write them into the table",))


def read_pictures(pictures: Any, how: Reading, jobs: int | None = None) -> Any:
    """A data set of what pictures say, in their order, with the columns above; it is read when it is used.

    Parameters
    ----------
    pictures : a data set of Ray with a column `path`, and a column `bytes` with the files where `path` does not lead to
        them on every machine. Relative paths, of models too, are those of this process.
    how : how they are read; `threads` is 1.
    jobs : readers at work at a time, each with one thread; None takes one for each CPU of the cluster.
    """
    ray, data = require("ray", "ray"), require("ray.data", "ray")
    readers = jobs or max(1, int(ray.cluster_resources().get("CPU", 1)))
    found = pictures.map_batches(
        _Readings,
        fn_constructor_args=(replace(how, threads=1), str(Path.cwd()), __version__),
        batch_size=max(SHARE, how.batch_size),
        batch_format="pyarrow",
        compute=data.ActorPoolStrategy(size=readers),
        num_cpus=_READS,
    )
    found.context.execution_options.preserve_order = True
    return found


class _Readings:
    """A reader in a process of Ray's: a table of pictures -> a table of what they say."""

    def __init__(self, how: Reading, folder: str, version: str) -> None:
        if version != __version__:  # whose `how` means something else
            raise JphtrError(
                f"jphtr {__version__} on {platform.node()}, {version} where the call was made; install the same"
            )
        with suppress(OSError):  # where it is not there, relative paths lead nowhere, and their rows say so
            os.chdir(folder)
        warnings.filterwarnings("ignore", module="PIL")  # what matters of a picture's flaws comes as an error
        self._files = FileReader(how)
        header = self._files.reader.header
        self._style = Style(model=f"{header.name} {header.version}".strip(), version=__version__)

    def __call__(self, table: Any) -> Any:
        names: list[str | None] = table["path"].to_pylist()
        pictures: list[Picture | None] = list(names)
        if "bytes" in table.column_names:
            pictures = list(map(_file, names, table["bytes"].to_pylist()))
        answers = self._files.read([picture for picture in pictures if picture is not None])
        rows: list[dict[str, Any]] = []
        for name, picture in zip(names, pictures, strict=True):
            rows += self._rows(name, picture, _NOTHING if picture is None else next(answers))
        return require("pyarrow", "ray").Table.from_pylist(rows, schema=schema())

    def _rows(self, name: str | None, picture: Picture | None, answer: Answer) -> Iterator[dict[str, Any]]:
        style = replace(self._style, pictures=Pictures({} if picture is None else {name: picture}))
        errors = list(answer.errors)
        told = {"path": name, "model": style.model, "version": style.version}
        for result in answer.results:
            try:
                yield told | _row(result, style)
            except JphtrError as error:  # a file that went away while it was read
                errors.append(str(error))
        for reason in errors:
            yield told | {"error": reason.removeprefix(f"{name or 'picture'}: ")}


class _File(io.BytesIO):
    """A file in memory that may have a name."""

    def __init__(self, data: bytes, name: str | None) -> None:
        super().__init__(data)
        self.name = name


def _file(name: str | None, data: bytes | None) -> _File | None:
    return None if data is None else _File(data, name)


def _row(result: Result, style: Style) -> dict[str, Any]:
    page = as_page(result, style)
    said = as_dict(page, style)
    return {
        "page": page.number,
        "text": result.text if isinstance(result, Recognition) else said["text"],
        "confidence": round(confidence_of([span for line in page.lines for span in line.recognition.spans]), 4),
        "lines": [{key: line[key] for key in _LINE} for line in said["lines"]],
    }


def schema() -> Any:
    """The columns of a data set of readings, as Arrow has them."""
    arrow = require("pyarrow", "ray")
    text, number = arrow.string(), arrow.float64()
    line = {
        "text": text, "direction": text, "confidence": number, "quad": arrow.list_(arrow.list_(number)),
        "block": arrow.int32(), "kind": text,
    }  # fmt: skip
    return arrow.schema(
        {
            "path": text, "page": arrow.int32(), "text": text, "confidence": number,
            "lines": arrow.list_(arrow.struct(line)), "error": text, "model": text, "version": text,
        }
    )  # fmt: skip
