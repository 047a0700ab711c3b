"""A page net -> its ONNX graph, written node by node, and that graph against torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from onnx import ModelProto, TensorProto, helper

from jphtr.bundle import Header
from jphtr.errors import ModelError
from jphtr.export.graph import Graph
from jphtr.nets.page import EXTENTS, FOLD, KINDS, PageNet
from jphtr.training.checkpoint import load_weights
from jphtr.training.page import fill
from jphtr.whole import write_whole


def export_page(weights: Path, output: Path, *, name: str | None = None) -> Path:
    """Write a trained page net as an ONNX model.

    Parameters
    ----------
    weights : `.safetensors` file with a header, such as a run's best.safetensors.
    output : the `.onnx` file to write.
    name : what the model is to be called; None keeps the name in the header.

    Returns
    -------
    The written file.

    Raises
    ------
    ModelError
        If the weights do not fit a page net, or the graph does not give what torch gives.
    """
    header, tensors = load_weights(weights)
    if header.kind != "page":
        raise ModelError(f"{weights}: a {header.kind} model; give one of jphtr train-page")
    header = replace(header, name=name or header.name, storage="float16")
    net = PageNet(tuple(header.arch["widths"]))
    fill(net, tensors, str(weights))
    model = page_graph(net.eval(), header).SerializeToString()
    check(model, net, str(weights))
    write_whole(output, model)
    return output


def page_graph(net: PageNet, header: Header) -> ModelProto:
    """The ONNX model of a page net.

    Input `gray` (N, H, W) uint8, H and W multiples of 32. Outputs `kinds` (N, 5, H/4, W/4), the probabilities of
    `nets.page.KINDS`, and `extents` (N, 2, H/4, W/4) in pixels, both float32.

    Raises
    ------
    ModelError
        If a weight does not fit into float16.
    """
    g = Graph(net, header.name)

    def unit(x: str, prefix: str, strides: Sequence[int] = (1, 1)) -> str:
        return g.node("Relu", g.unit(x, prefix, strides))

    def residual(x: str, prefix: str) -> str:
        return g.node("Relu", g.node("Add", x, g.unit(unit(x, f"{prefix}.first"), prefix)))

    def point(x: str, name: str) -> str:
        return g.node("Conv", x, g.weight(f"{name}.weight"), g.weight(f"{name}.bias"), kernel_shape=[1, 1])

    def doubled(x: str) -> str:
        scales = g.put("double", np.array([1, 1, 2, 2], np.float32))
        return g.node(
            "Resize", x, "", scales, mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor"
        )

    x = g.node("Sub", g.level("white", 255), g.node("Cast", "gray", to=TensorProto.FLOAT))
    x = g.node("Unsqueeze", g.node("Div", x, "white"), g.ints(1))
    x4 = residual(unit(g.node("SpaceToDepth", x, blocksize=FOLD), "stem"), "res4")
    x8 = residual(unit(x4, "down8", (2, 2)), "res8")
    x16 = residual(unit(x8, "down16", (2, 2)), "res16")
    x32 = unit(x16, "down32", (2, 2))
    for number in range(len(net.res32)):
        x32 = residual(x32, f"res32.{number}")
    y = unit(g.node("Add", point(x16, "from16"), doubled(point(x32, "from32"))), "up16")
    y = unit(g.node("Add", point(x8, "from8"), doubled(y)), "up8")
    y = unit(g.node("Add", x4, doubled(point(y, "to4"))), "up4")
    maps = point(y, "head")
    kinds = g.node("Slice", maps, g.ints(0), g.ints(len(KINDS)), g.ints(1))
    reach = g.node("Slice", maps, g.ints(len(KINDS)), g.ints(len(KINDS) + EXTENTS), g.ints(1))
    g.node("Softmax", kinds, axis=1, out="kinds")
    g.node("Exp", g.node("Mul", reach, g.level("octave", float(np.log(2)))), out="extents")
    places = ["N", "h", "w"]
    return g.model(
        "page",
        [helper.make_tensor_value_info("gray", TensorProto.UINT8, ["N", "H", "W"])],
        [
            helper.make_tensor_value_info("kinds", TensorProto.FLOAT, [places[0], len(KINDS), *places[1:]]),
            helper.make_tensor_value_info("extents", TensorProto.FLOAT, [places[0], EXTENTS, *places[1:]]),
        ],
        header,
    )


def check(model: bytes, net: PageNet, name: str) -> float:
    """Compare an ONNX model with the torch net it was made from, on a picture of strokes under noise.

    Parameters
    ----------
    model : the serialised graph.
    net : the net, in evaluation mode.
    name : of the model, for messages.

    Returns
    -------
    The largest difference of a probability between the graph and torch.

    Raises
    ------
    ModelError
        If they differ by more than the rounding of weights explains.
    """
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    blocks = np.kron(rng.random((32, 24)) < 0.3, np.ones((8, 8)))
    gray = np.clip(240 - 200 * blocks + rng.normal(0, 12, blocks.shape), 0, 255).astype(np.uint8)[None]
    with torch.no_grad():
        logits, _ = net(torch.from_numpy(gray))
        exact = logits.softmax(1).numpy()
    kinds, extents = session.run(["kinds", "extents"], {"gray": gray})
    apart = float(np.abs(kinds - exact).max())
    if kinds.shape != exact.shape or not apart < 0.05 or not np.isfinite(extents).all():
        raise ModelError(f"{name}: the exported graph is {apart:.1e} away from torch; this is a fault in the export")
    return apart
