"""A classifier -> its ONNX graph, and that graph against torch.

What the graph does around the backbone is written node by node: light, output layer, temperature. So is the trunk that
it shares with line nets; any other backbone is traced by torch, and its weights are stored in the same way.
"""

from __future__ import annotations

import io
import logging
import warnings
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper
from PIL import Image, ImageDraw
from torch import Tensor, nn

from jphtr.bundle import Header
from jphtr.cell import to_input
from jphtr.charset import BLANK
from jphtr.errors import ModelError
from jphtr.export.graph import OPSET, Graph, is_halved
from jphtr.nets.glyph import TRUNK, GlyphNet

_SURE = 0.6  # probability above which float16 may not change an answer
_APART = 1e-3  # of the largest logit, which is what graph and torch may differ by


def glyph_graph(net: GlyphNet, header: Header) -> ModelProto:
    """The ONNX model of a classifier in evaluation mode.

    Input `gray` (N, S, S) uint8 as `cell.to_input` gives it. Outputs, both (N, C) float32: `logits`, of which the blank
    has minus infinity, and `probabilities`, which are those divided by the header's temperature under a softmax.

    Raises
    ------
    ModelError
        If a weight does not fit into float16, or torch cannot trace the backbone.
    """
    g = Graph(net, header.name)
    x = g.node("Unsqueeze", g.node("Cast", "gray", to=TensorProto.FLOAT), g.ints(1))
    x = g.node("Sub", g.node("Div", x, g.level("white", 255)), g.level("mean", net.mean))
    x = g.node("Div", x, g.level("std", net.std))
    x = _trunk(g, x) if net.arch["backbone"] == TRUNK else _traced(g, net, x)
    x = g.dense(x, "head")
    never = g.level("never", -np.inf)
    x = g.node("Slice", x, g.ints(BLANK + 1), g.ints(len(header.characters)), g.ints(1))
    logits = g.node("Pad", x, g.ints(0, 1, 0, 0), never, out="logits")  # label 0 stands first
    g.node("Softmax", g.node("Div", logits, g.level("temperature", header.temperature)), axis=1, out="probabilities")
    size, classes = net.arch["image_size"], net.arch["classes"]
    return g.model(
        "glyph",
        [helper.make_tensor_value_info("gray", TensorProto.UINT8, ["N", size, size])],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", classes])
            for name in ("logits", "probabilities")
        ],
        header,
    )


def _trunk(g: Graph, x: str) -> str:
    """The features (N, D) of the trunk of line nets."""

    def unit(x: str, prefix: str, strides: tuple[int, int]) -> str:
        return g.node("Relu", g.unit(x, f"body.{prefix}", strides))

    def residual(x: str, prefix: str) -> str:
        inner = g.unit(unit(x, f"{prefix}.first", (1, 1)), f"body.{prefix}")
        return g.node("Relu", g.node("Add", x, inner))

    x = unit(x, "down1", (2, 2))
    x = residual(unit(x, "down2", (2, 2)), "res2")
    x = residual(unit(x, "down3", (2, 2)), "res3")
    x = residual(unit(x, "down4", (2, 1)), "res4")
    return g.node("ReduceSum", g.node("Mul", x, g.weight("body.places")), g.ints(2, 3), keepdims=0)


class _Body(nn.Module):
    """A backbone whose weights have the names that they have in the whole net."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.body(x)
        return features


def _traced(g: Graph, net: GlyphNet, x: str) -> str:
    """The features (N, D) of a timm model, as torch traces it."""
    size, name = net.arch["image_size"], net.arch["backbone"]
    file: Any = io.BytesIO()  # what the tracer takes, if not by its annotation
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the tracer; what it gets wrong is found by `check`
            # the tracer that torch itself brings; dynamo's needs onnxscript, and renames the weights
            torch.onnx.export(
                _Body(net.body).eval(), (torch.zeros(2, 1, size, size),), file, dynamo=False, opset_version=OPSET,
                input_names=[x], output_names=["features"], dynamic_axes={x: {0: "N"}, "features": {0: "N"}},
                do_constant_folding=False, training=torch.onnx.TrainingMode.PRESERVE,
            )  # fmt: skip
    except Exception as error:  # whatever a backbone's own code raises under a tracer
        gist = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
        raise ModelError(f"{g.name}: torch cannot trace the backbone {name} ({gist}); train another one") from error
    traced = onnx.load_from_string(file.getvalue()).graph
    read_as: dict[str, str] = {}
    for initialiser in traced.initializer:
        if initialiser.name in g.state:
            read_as[initialiser.name] = g.weight(initialiser.name)
        else:
            g.initialisers[initialiser.name] = initialiser
    for node in traced.node:
        if node.output[0] in g.state:  # torch stores equal weights once; training on wants each under its name
            read_as[node.output[0]] = g.weight(node.output[0])
            continue
        node.input[:] = [read_as.get(port, port) for port in node.input]
        node.ClearField("doc_string")  # paths of the source
        g.nodes.append(node)
    return "features"


def check(model: bytes, net: GlyphNet, name: str) -> float:
    """Compare an ONNX model with the torch net it was made from, on strokes and on noise, in a batch and alone.

    Parameters
    ----------
    model : the serialised graph.
    net : the net, in evaluation mode; its weights are rounded to float16 here, as the graph's are.
    name : of the model, for messages.

    Returns
    -------
    The largest difference of a logit between the graph and the net with rounded weights.

    Raises
    ------
    ModelError
        If they differ.
    """
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    gray = trial(net.arch["image_size"])
    exact = _logits(net, gray)
    with torch.no_grad():
        for array in net.state_dict().values():
            if is_halved(array.numpy()):
                array.copy_(array.half().float())
    rounded = _logits(net, gray)
    (found,) = session.run(["logits"], {"gray": gray})
    apart = float(np.abs(rounded[:, 1:] - found[:, 1:]).max())
    if not apart < _APART * max(1.0, np.abs(rounded[:, 1:]).max()) or (found[:, BLANK] != -np.inf).any():
        raise ModelError(f"{name}: the exported graph is {apart:.1e} away from torch; this is a fault in the export")
    for row, own in zip(gray[::8], found[::8], strict=True):
        (alone,) = session.run(["logits"], {"gray": row[None]})
        if np.abs(alone[0, 1:] - own[1:]).max() > _APART * max(1.0, np.abs(own[1:]).max()):
            raise ModelError(f"{name}: a picture is read otherwise alone; this is a fault in the export")
    before, after = _softmax(exact), _softmax(found)
    sure = before.max(1) > _SURE
    lost = float(np.abs(before - after)[sure].max(initial=0))
    if (exact.argmax(1) != found.argmax(1))[sure].any() or lost > 0.05:
        raise ModelError(f"{name}: float16 weights answer otherwise ({lost:.1e} away); train with weight decay")
    return apart


def trial(size: int) -> NDArray[np.uint8]:
    """Squares (N, size, size) to try a classifier on: strokes such as a pen leaves, as the net sees them, and noise."""
    rng = np.random.default_rng(0)
    squares = [rng.integers(0, 256, (size, size)).astype(np.uint8) for _ in range(4)]
    for _ in range(28):
        picture = Image.new("L", (96, 96), 255)
        pen = ImageDraw.Draw(picture)
        for _ in range(rng.integers(1, 9)):
            pen.line(
                rng.integers(8, 88, (3, 2)).ravel().tolist(), fill=int(rng.integers(0, 90)), width=6, joint="curve"
            )
        squares.append(to_input(np.asarray(picture), size))
    return np.stack(squares)


def _logits(net: GlyphNet, gray: NDArray[np.uint8]) -> NDArray[np.float32]:
    with torch.inference_mode():
        found: NDArray[Any] = net(torch.from_numpy(gray)).numpy()
    return found


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    shares = np.exp(logits - logits.max(1, keepdims=True))
    found: NDArray[np.float32] = shares / shares.sum(1, keepdims=True)
    return found
