"""A classifier made by hand: the nearest of seven planted patterns, which answers exactly and without training.

It honours the contract of a trained one (names, shapes, temperature, metadata).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from jphtr.bundle import KEY, Header, header_json
from jphtr.cell import to_input

CHARS = "あいうえお漢ー"
INPUT = {"size": 32, "fill": 0.75, "least": 1.0}  # cut to the ink: patterns reach all four sides of it


def header(**changes: object) -> Header:
    values = {
        "name": "toy", "charset": CHARS, "kind": "glyph", "version": "0.0", "arch": {"classes": len(CHARS) + 1},
        "input": INPUT, "temperature": 2.0,
    }  # fmt: skip
    return Header(**(values | changes))


def draw(char: str, side: int = 40, margin: int = 8) -> NDArray[np.uint8]:
    """A picture (side + 2 margin) square: 4 x 4 blocks of ink or paper within a margin."""
    blocks = np.random.default_rng(CHARS.index(char)).permutation(np.arange(16) < 5).reshape(4, 4)
    blocks[[0, 3], [0, 3]] = True
    drawn = np.where(np.kron(blocks, np.ones((side // 4, side // 4))), 20, 245).astype(np.uint8)
    return np.pad(drawn, margin, constant_values=245)


def logits_of(gray: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The logits (8,) that the graph gives for a picture, by the definition."""
    seen = to_input(gray, **INPUT).astype(np.float64)
    apart = [((seen - to_input(draw(char), **INPUT)) ** 2).mean() for char in CHARS]
    return np.array([-np.inf, *(-one / 1000 for one in apart)])


def write_toy(path: Path, metadata: str | None = None, *, lacking: str = "") -> Path:
    """Save the toy as ONNX; `metadata` replaces its header, "" leaves it out; the output `lacking` gets another name."""
    seen = np.stack([to_input(draw(char), **INPUT) for char in CHARS]).astype(np.float32)
    constants = {
        "patterns": seen[None], "axes": np.array([2, 3]), "one": np.array([1]), "scale": np.array(-1000, np.float32),
        "pad": np.array([0, 1, 0, 0]), "never": np.array(-np.inf, np.float32), "two": np.array(2, np.float32),
    }  # fmt: skip
    names = {name: "other" if name == lacking else name for name in ("logits", "probabilities")}
    node = helper.make_node
    nodes = [
        node("Cast", ["gray"], ["float"], to=TensorProto.FLOAT),
        node("Unsqueeze", ["float", "one"], ["each"]),
        node("Sub", ["each", "patterns"], ["apart"]),
        node("Mul", ["apart", "apart"], ["squared"]),
        node("ReduceMean", ["squared", "axes"], ["mean"], keepdims=0),
        node("Div", ["mean", "scale"], ["near"]),
        node("Pad", ["near", "pad", "never"], [names["logits"]]),
        node("Div", [names["logits"], "two"], ["warm"]),
        node("Softmax", ["warm"], [names["probabilities"]], axis=1),
    ]
    side = INPUT["size"]
    graph = helper.make_graph(
        nodes,
        "toy",
        [helper.make_tensor_value_info("gray", TensorProto.UINT8, ["n", side, side])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", len(CHARS) + 1]) for name in names.values()],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    text = header_json(header()) if metadata is None else metadata
    if text:
        helper.set_model_props(model, {KEY: text})
    onnx.checker.check_model(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString())
    return path
