"""A line model made by hand: every character is a pattern of five dark or light bands, and the graph reads
the bands.

It honours the contract of a trained model (names, shapes, masking, metadata), so that all of reading can be
tested exactly and without training.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from jphtr.bundle import KEY, Header, header_json

CHARS = "あいうえお漢、"
# top and bottom are always dark, so that the text height is found; all five dark is left out, because a
# character that lies on its side looks so
CODES = [(1, a, b, c, 1) for a in (0, 1) for b in (0, 1) for c in (0, 1)][: len(CHARS)]
CELL, GAP = 40, 16
K = 8


def header(**changes: object) -> Header:
    values = {
        "name": "toy",
        "charset": CHARS,
        "version": "0.0",
        "arch": {"classes": len(CHARS) + 1},
    } | changes
    return Header(**values)


def write_toy(path: Path, metadata: str | None = None) -> Path:
    """Save the toy as ONNX; `metadata` replaces its header, "" leaves it out."""
    codes = np.array([(0,) * 5, *CODES], np.float32).T  # (bands, classes), the blank is all light
    blank = np.full((1, 1, len(CHARS) + 1), -1e4, np.float32)
    blank[..., 0] = 0

    def const(name: str, value: object, kind: type = np.int64) -> TensorProto:
        return numpy_helper.from_array(np.asarray(value, kind), name)

    constants = [
        const("paper", 255, np.float32), const("low", 0.02, np.float32), const("high", 0.98, np.float32),
        const("one", 1, np.float32), const("bands", [0, 5, 8, -1, 8]), const("starts", [4]),
        const("ends", [44]), const("rows", [1]), const("dark", codes, np.float32),
        const("light", 1 - codes, np.float32),
        const("k", [K]), const("zero", 0), const("step", 1), const("stride", 8), const("almost", 7),
        const("first", [0]), const("one_long", [1]), const("last", [2]), const("some", 0.3, np.float32),
        const("blank", blank, np.float32),
    ]  # fmt: skip
    node = helper.make_node
    nodes = [
        node("Cast", ["gray"], ["float"], to=TensorProto.FLOAT),
        node("Sub", ["paper", "float"], ["inkiness"]),
        node("Div", ["inkiness", "paper"], ["ink"]),
        node("Slice", ["ink", "starts", "ends", "rows"], ["body"]),
        node("Reshape", ["body", "bands"], ["cells"]),  # (N, 5, 8, T, 8)
        node("ReduceMean", ["cells", "mean_axes"], ["means"], keepdims=0),
        node("Transpose", ["means"], ["frames"], perm=[0, 2, 1]),  # (N, T, 5)
        # a frame that a character only partly covers is read like one that it fills: by the top band, always
        # dark
        node("Slice", ["frames", "first", "one_long", "last"], ["top"]),
        node("Clip", ["top", "some", "one"], ["cover"]),
        node("Div", ["frames", "cover"], ["evened"]),
        node("Clip", ["evened", "low", "high"], ["p"]),
        node("Sub", ["one", "p"], ["q"]),
        node("Log", ["p"], ["log_p"]),
        node("Log", ["q"], ["log_q"]),
        node("MatMul", ["log_p", "dark"], ["score_dark"]),
        node("MatMul", ["log_q", "light"], ["score_light"]),
        node("Add", ["score_dark", "score_light"], ["scores"]),
        node("LogSoftmax", ["scores"], ["all"], axis=2),
        node("Shape", ["means"], ["shape"]),
        node("Gather", ["shape", "two"], ["t"]),
        node("Range", ["zero", "t", "step"], ["steps"]),
        node("Add", ["widths", "almost"], ["up"]),
        node("Div", ["up", "stride"], ["lengths"]),
        node("Unsqueeze", ["lengths", "axis1"], ["lengths2"]),
        node("Less", ["steps", "lengths2"], ["inside"]),
        node("Unsqueeze", ["inside", "axis2"], ["inside3"]),
        node("Where", ["inside3", "all", "blank"], ["masked"]),
        node("TopK", ["masked", "k"], ["log_probs", "labels"], axis=2),
    ]
    constants += [const("mean_axes", [2, 4]), const("two", 2), const("axis1", [1]), const("axis2", [2])]
    graph = helper.make_graph(
        nodes,
        "toy",
        [
            helper.make_tensor_value_info("gray", TensorProto.UINT8, ["n", 48, "w"]),
            helper.make_tensor_value_info("widths", TensorProto.INT64, ["n"]),
        ],
        [
            helper.make_tensor_value_info("labels", TensorProto.INT64, ["n", "t", K]),
            helper.make_tensor_value_info("log_probs", TensorProto.FLOAT, ["n", "t", K]),
        ],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    text = header_json(header()) if metadata is None else metadata
    if text:
        helper.set_model_props(model, {"other": "something else", KEY: text})
    onnx.checker.check_model(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString())
    return path


def draw(text: str, *, margin: int = 4, direction: str = "horizontal") -> NDArray[np.uint8]:
    """A picture of `text`, 40 pixels of body within `margin`; a space is an empty cell."""
    gray = np.full((CELL + 2 * margin, GAP + len(text) * (CELL + GAP)), 250, np.uint8)
    for (x0, y0, x1, y1), char in zip(places(text, margin=margin), text, strict=True):
        if char != " ":
            bands = np.repeat(CODES[CHARS.index(char)], CELL // 5)
            gray[y0:y1, x0:x1] = np.where(bands, 10, 250)[:, None]
    return np.ascontiguousarray(np.rot90(gray, -1)) if direction == "vertical" else gray


def places(text: str, *, margin: int = 4, direction: str = "horizontal") -> list[tuple[int, int, int, int]]:
    """Where `draw` put each character."""
    height = CELL + 2 * margin
    boxes = []
    for i in range(len(text)):
        x0 = GAP + i * (CELL + GAP)
        box = (x0, margin, x0 + CELL, margin + CELL)
        if direction == "vertical":  # a quarter turn clockwise takes (x, y) to (height - y, x)
            box = (height - box[3], box[0], height - box[1], box[2])
        boxes.append(box)
    return boxes
