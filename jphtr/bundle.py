"""A trained model as one file that explains itself: the header inside `.onnx` and `.safetensors` files.

The header is one JSON object under the key "jphtr", in the ONNX `metadata_props` and in the safetensors
`__metadata__`. Reading it touches neither weights nor a runtime: both containers are walked by hand.
"""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, BinaryIO

from jphtr.charset import Charset
from jphtr.errors import CharsetError, ModelError
from jphtr.geometry import HEIGHT, STRIDE
from jphtr.records import Direction

MODELS = Path(__file__).with_name("models")
LINE_MODELS: dict[Direction, Path] = {
    "horizontal": MODELS / "line-horizontal.onnx",
    "vertical": MODELS / "line-vertical.onnx",
}
"""The line models in the package, by the direction of the lines that they read."""
CLASSIFIERS = ("hiragana", "katakana", "kanji", "kuzushiji")  # models in the package that go by a name
KEY = "jphtr"
FORMAT = 1  # raised when an older jphtr could no longer read a line with the file
_MAX_HEADER = 1 << 24  # bytes; a header with 7,000 characters takes some 30,000
_BROKEN = "is not a whole model file; copy or export it again"


@dataclass(frozen=True, slots=True)
class Header:
    """What a model file says about itself.

    Attributes
    ----------
    kind : "line" for a line reader, "glyph" for a classifier of single characters.
    name : what the model is called.
    version : of the jphtr that wrote it.
    charset : all characters in label order without the blank, as `Charset.to_text` gives them.
    height, stride : pixels of a strip across, and of a frame along, the reading axis.
    arch : the net's arguments, `classes` among them.
    input : of a classifier: the arguments `size`, `fill` and `least` of `cell.to_input`.
    temperature : by which the graph divides its logits, so that a confidence of 0.9 is right nine times in
        ten; it is inside the outputs already (not in a classifier's `logits`), never applied again.
    scores : numbers measured with this model, by name.
    training : how it was trained.
    data : name and licence of every source it learned from.
    created : "YYYY-MM-DD".
    direction : of the lines that a line model is for, "horizontal" or "vertical"; "" for both.
    storage : of matrices and kernels in an `.onnx` file, "float16" or "int8"; "" where it is not noted.
    format : of this header.
    """

    name: str
    charset: str
    kind: str = "line"
    version: str = ""
    height: int = HEIGHT
    stride: int = STRIDE
    arch: dict[str, Any] = field(default_factory=dict)
    input: dict[str, Any] = field(default_factory=dict)
    temperature: float = 1.0
    scores: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    data: list[dict[str, Any]] = field(default_factory=list)
    created: str = ""
    direction: str = ""
    storage: str = ""
    format: int = FORMAT

    @property
    def characters(self) -> Charset:
        """The charset itself."""
        return Charset.from_text(self.charset)


def find_model(model: Path | str) -> Path:
    """The file of a model: one in the package by its name, anything else by its path.

    Raises
    ------
    ModelError
        If it is not there.
    """
    names = (*CLASSIFIERS, *(path.stem for path in LINE_MODELS.values()))
    path = MODELS / f"{model}.onnx" if str(model) in names else Path(model)
    if not path.exists():
        there = ", ".join(name for name in names if (MODELS / f"{name}.onnx").exists())
        called = f"; those in the package are called {there}" if there else "; the package holds none"
        raise ModelError(f"{model}: no such model file" + ("" if Path(model).suffix else called))
    return path


def header_json(header: Header) -> str:
    """The header as the JSON text that model files carry under `KEY`."""
    return json.dumps(asdict(header), ensure_ascii=False, sort_keys=True)


def read_header(path: Path | str) -> Header:
    """The header of a model file, `.onnx` or `.safetensors`.

    Raises
    ------
    ModelError
        Missing, not a model of jphtr, cut short, written by a newer jphtr, or at odds with itself.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            text = _from_safetensors(file, size) if path.suffix == ".safetensors" else _from_onnx(file, size)
    except FileNotFoundError:
        raise ModelError(f"{path}: no such model file") from None
    except IsADirectoryError:
        raise ModelError(f"{path}: is a folder; name the .onnx or .safetensors file in it") from None
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}") from None
    except _NotAModelError as error:
        raise ModelError(f"{path}: {error}") from None
    if text is None:
        raise ModelError(
            f"{path}: a model, but not one of jphtr (it has no {KEY!r} metadata); make it with jphtr export"
        )
    return parse_header(text, str(path))


def parse_header(text: str, name: str) -> Header:
    """The header in the JSON `text` of the model called `name`.

    Raises
    ------
    ModelError
        As `read_header`.
    """
    try:
        values = json.loads(text)
        written = values["format"]
    except (ValueError, KeyError, TypeError):
        raise ModelError(f"{name}: its {KEY!r} metadata is not a model header; export it again") from None
    if not isinstance(written, int) or written > FORMAT:
        raise ModelError(
            f"{name}: model format {written} is newer than this jphtr, which reads up to {FORMAT};"
            " upgrade with: pip install -U jphtr"
        )
    known = {f.name for f in fields(Header)}
    try:
        # keys that a later jphtr added without raising the format are only remarks
        header = Header(**{key: value for key, value in values.items() if key in known})
        if header.direction not in ("", *LINE_MODELS):
            raise TypeError(f"it is for {header.direction} lines")
        classes = len(header.characters)
        declared = header.arch.get("classes", classes)
    except (TypeError, AttributeError, CharsetError) as error:
        raise ModelError(f"{name}: its header is incomplete ({error}); export it again") from None
    if declared != classes:
        raise ModelError(
            f"{name}: the net has {declared} classes, the charset {classes} with the blank; export it again"
        )
    if header.kind == "line" and (header.height, header.stride) != (HEIGHT, STRIDE):
        raise ModelError(
            f"{name}: made for strips of {header.height} px and frames of {header.stride} px,"
            f" this jphtr cuts {HEIGHT} and {STRIDE}; train it again"
        )
    return header


class _NotAModelError(Exception):
    """The bytes are not those of the container."""


def _from_safetensors(file: BinaryIO, size: int) -> str | None:
    """The header text of a safetensors file: an 8-byte length, then JSON with `__metadata__`."""
    start = file.read(8)
    length = struct.unpack("<Q", start)[0] if len(start) == 8 else size
    if length + 8 > size:
        raise _NotAModelError(_BROKEN)
    if length > _MAX_HEADER:
        raise _NotAModelError("is not a safetensors file")
    try:
        table = json.loads(file.read(length))
        text = table.get("__metadata__", {}).get(KEY)
    except (ValueError, AttributeError):
        raise _NotAModelError("is not a safetensors file") from None
    return text if isinstance(text, str) else None


_GRAPH, _METADATA = 7, 14  # fields of ONNX ModelProto (onnx.proto)


def _from_onnx(file: BinaryIO, size: int) -> str | None:
    """The header text of an ONNX file: walk the fields of its ModelProto, look only at the metadata."""
    text, has_graph = None, False
    for number, length in _fields(file, size):
        has_graph = has_graph or number == _GRAPH
        if number == _METADATA and length <= _MAX_HEADER:
            entry = dict(_strings(file.read(length)))
            if entry.get(1) == KEY.encode():
                text = entry.get(2, b"").decode("utf-8", "replace")
    if not has_graph:
        raise _NotAModelError("is not an ONNX model")
    return text


def _fields(file: BinaryIO, size: int) -> Iterator[tuple[int, int]]:
    """(number, length) of every length-delimited field up to `size`, the file standing at its first byte.

    The reader may read the field or leave it; the walk goes on behind it. Other fields are passed over.
    The wire format: protobuf.dev/programming-guides/encoding.
    """
    while file.tell() < size:
        tag = _varint(file)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            _varint(file)
            continue
        if number == 0 or wire not in (1, 2, 5):
            raise _NotAModelError("is not an ONNX model")
        length = _varint(file) if wire == 2 else {1: 8, 5: 4}[wire]
        behind = file.tell() + length
        if behind > size:
            raise _NotAModelError("is not an ONNX model" if number > 30 else _BROKEN)
        if wire == 2:
            yield number, length
        file.seek(behind)


def _strings(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(number, bytes) of the length-delimited fields of a small message."""
    file = io.BytesIO(data)
    for number, length in _fields(file, len(data)):
        yield number, file.read(length)


def _varint(file: BinaryIO) -> int:
    value = 0
    for shift in range(0, 70, 7):
        byte = file.read(1)
        if not byte:
            raise _NotAModelError(_BROKEN)
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    raise _NotAModelError("is not an ONNX model")
