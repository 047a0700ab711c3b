"""A line net -> its ONNX graph, written node by node, and that graph against torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper

from jphtr.bundle import Header
from jphtr.charset import BLANK
from jphtr.errors import ModelError
from jphtr.export.graph import Graph
from jphtr.geometry import HEIGHT, STRIDE
from jphtr.nets.line import DEEPER, LineNet, frames
from jphtr.nets.stored import WAYS, gate_rows

TOP = 8  # classes that are given for each frame
_PARTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")  # of an LSTM, as torch names them


def line_graph(net: LineNet, header: Header, *, folded: bool = False) -> ModelProto:
    """The ONNX model of a line net; `folded` as `Graph` has it.

    Inputs `gray` (N, 48, W) uint8, W a multiple of 8, and `widths` (N,) int64. A folded graph is for lines that are run
    alone: it has no masks, so nothing may follow a line but the white of its last frame. Outputs `labels` int64 and `log_probs`
    float32, both (N, W / 8, 8): the most probable classes of each frame, best first; frames past a line's end hold
    the blank with log-probability 0.

    Raises
    ------
    ModelError
        If a weight does not fit into float16.
    """
    g = Graph(net, header.name, folded=folded)

    def masked(x: str, mask: str) -> str:
        x = g.node("Relu", x)
        return x if folded else g.node("Mul", x, mask)

    def masked_unit(x: str, prefix: str, strides: Sequence[int], mask: str) -> str:
        return masked(g.unit(x, prefix, strides), mask)

    def residual(x: str, prefix: str, mask: str) -> str:
        inner = g.unit(masked_unit(x, f"{prefix}.first", (1, 1), mask), prefix)
        return masked(g.node("Add", x, inner), mask)

    def linear(x: str, name: str) -> str:
        y = g.dense(g.node("Reshape", x, g.ints(-1, g.state[f"{name}.weight"].shape[1])), name)
        shape = g.node("Concat", g.node("Shape", x, start=0, end=2), g.ints(-1), axis=0)
        return g.node("Reshape", y, shape)

    # which frames, and which columns of the maps at 1/2 and 1/4, lie inside each line
    lengths = g.node("Div", g.node("Add", "widths", g.scalar(STRIDE - 1)), g.scalar(STRIDE))
    width = g.node("Gather", g.node("Shape", "gray"), g.scalar(2))
    each = g.node("Unsqueeze", lengths, g.ints(1))

    def inside(per_frame: int) -> str:
        columns = g.node("Div", width, g.scalar(STRIDE // per_frame))
        frame = g.node("Div", g.node("Range", g.scalar(0), columns, g.scalar(1)), g.scalar(per_frame))
        return g.node("Less", g.node("Unsqueeze", frame, g.ints(0)), each)

    def mask(per_frame: int) -> str:
        flat = g.node("Cast", inside(per_frame), to=TensorProto.FLOAT)
        return g.node("Unsqueeze", flat, g.ints(1, 2))

    half, quarter, eighth = ("", "", "") if folded else (mask(4), mask(2), mask(1))
    x = g.node("Sub", g.level("white", 255), g.node("Cast", "gray", to=TensorProto.FLOAT))
    x = g.node("Unsqueeze", g.node("Div", x, "white"), g.ints(1))
    x = masked_unit(x, "down1", (2, 2), half)
    x = residual(masked_unit(x, "down2", (2, 2), quarter), "res2", quarter)
    x = residual(masked_unit(x, "down3", (2, 2), eighth), "res3", eighth)
    x = residual(masked_unit(x, "down4", (2, 1), eighth), "res4", eighth)
    for n in range(net.arch["deeper"]):
        x = residual(x, f"{DEEPER}{n}", eighth)
    rows = g.state["column.weight"].shape[2]
    x = g.node("Relu", g.node("Conv", x, g.weight("column.weight"), g.weight("column.bias"), kernel_shape=[rows, 1]))
    x = g.node("Squeeze", x, g.ints(2))  # (N, D, T)

    y = g.node(
        "LSTM",
        g.node("Transpose", x, perm=[2, 0, 1]),  # (T, N, D)
        *_recurrent(g),
        g.node("Cast", lengths, to=TensorProto.INT32),  # so the backward half starts at each line's own end
        hidden_size=int(net.arch["hidden"]),
        direction="bidirectional",
    )  # (T, 2, N, H)
    y = g.node("Reshape", g.node("Transpose", y, perm=[2, 0, 1, 3]), g.ints(0, 0, -1))
    x = g.node("Concat", g.node("Transpose", x, perm=[0, 2, 1]), y, axis=2)
    logits = linear(linear(x, "neck"), "head")
    if header.temperature != 1.0:
        logits = g.node("Div", logits, g.level("temperature", header.temperature))
    # of every class, though few are wanted: the runtime's LogSoftmax is vectorised, its ReduceLogSumExp takes 2 ms more
    every = g.node("LogSoftmax", logits, axis=2)
    most = g.ints(min(TOP, int(net.arch["classes"])))
    g.nodes.append(helper.make_node("TopK", [every, most], ["top_log_probs", "top_labels"], axis=2))
    own = g.node("Unsqueeze", inside(1), g.ints(2))
    g.node("Where", own, "top_labels", g.scalar(BLANK), out="labels")
    g.node("Where", own, "top_log_probs", g.level("certain", 0), out="log_probs")

    return g.model(
        "line",
        [
            helper.make_tensor_value_info("gray", TensorProto.UINT8, ["N", HEIGHT, "W"]),
            helper.make_tensor_value_info("widths", TensorProto.INT64, ["N"]),
        ],
        [
            helper.make_tensor_value_info("labels", TensorProto.INT64, ["N", "T", "K"]),
            helper.make_tensor_value_info("log_probs", TensorProto.FLOAT, ["N", "T", "K"]),
        ],
        header,
    )


def _recurrent(g: Graph) -> tuple[str, str, str]:
    """Both directions' matrices (2, 4H, D) and (2, 4H, H) and their biases (2, 8H), gates in the order of ONNX."""
    order = gate_rows(g.state["ahead.bias_ih_l0"].shape[0] // 4)
    if g.folded:
        parts = [np.stack([g.state[f"{way}.{part}_l0"][order] for way in WAYS]) for part in _PARTS]
        return (
            g.put("lstm.weight_ih", parts[0]),
            g.put("lstm.weight_hh", parts[1]),
            g.put("lstm.bias", np.concatenate(parts[2:], axis=1)),
        )
    rows = g.put("gates", order)
    given = []
    for part in _PARTS:
        both = (g.node("Gather", g.weight(f"{way}.{part}_l0"), rows, axis=0) for way in WAYS)
        given.append(g.node("Concat", *(g.node("Unsqueeze", one, g.ints(0)) for one in both), axis=0))
    return given[0], given[1], g.node("Concat", *given[2:], axis=1)


def check(model: bytes, net: LineNet, header: Header, name: str) -> float:
    """Compare an ONNX model with the torch net it was made from, on lines side by side, alone and padded.

    Parameters
    ----------
    model : the serialised graph.
    net : the net, in evaluation mode; its weights are rounded to float16 here, as the graph's are.
    header : gives the temperature.
    name : of the model, for messages.

    Returns
    -------
    The largest difference of a log-probability between the graph and the net with rounded weights.

    Raises
    ------
    ModelError
        If they differ.
    """
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    widths = np.array([512, 97, 16, 333], np.int64)
    gray = np.full((len(widths), HEIGHT, 512), 255, np.uint8)
    for row, width in zip(gray, widths.tolist(), strict=True):  # blocks and strokes, noise over them
        blocks = np.kron(rng.random((6, -(-width // 6))) < 0.4, np.ones((8, 6)))[:, :width]
        row[:, :width] = np.clip(255 - 230 * blocks + rng.normal(0, 12, blocks.shape), 0, 255)
    with torch.no_grad():
        exact = _log_probs(net, gray, widths, header.temperature)
        for parameter in net.parameters():
            if parameter.ndim > 1:
                parameter.copy_(parameter.half().float())
        rounded = _log_probs(net, gray, widths, header.temperature)
    labels, log_probs = session.run(["labels", "log_probs"], {"gray": gray, "widths": widths})
    apart = float(np.abs(np.take_along_axis(rounded, labels, 2) - log_probs).max())
    if not apart < 1e-3:
        raise ModelError(f"{name}: the exported graph is {apart:.1e} away from torch; this is a fault in the export")
    sure = exact.max(2) > np.log(0.6)
    lost = float(np.abs(np.take_along_axis(exact, labels, 2) - log_probs)[sure].max(initial=0))
    if (exact.argmax(2) != labels[..., 0])[sure].any() or lost > 0.05:
        raise ModelError(f"{name}: float16 weights read otherwise ({lost:.1e} away); train with weight decay")
    for row, width, in_batch, in_batch_probs in zip(gray, widths.tolist(), labels, log_probs, strict=True):
        count = -(-width // STRIDE)
        alone = {"gray": row[None, :, : count * STRIDE], "widths": np.array([width], np.int64)}
        (own,) = session.run(["log_probs"], alone)
        if np.abs(own[0] - in_batch_probs[:count]).max() > 1e-3 or in_batch[count:].any():
            raise ModelError(f"{name}: a line of {width} px reads otherwise alone; this is a fault in the export")
    return apart


def _log_probs(net: LineNet, gray: NDArray[np.uint8], widths: NDArray[np.int64], temperature: float) -> NDArray[Any]:
    lengths = frames(torch.from_numpy(widths))
    logits = net.head(net.features(torch.from_numpy(gray), torch.from_numpy(widths))) / temperature
    log_probs = logits.log_softmax(2)
    for row, count in zip(log_probs, lengths.tolist(), strict=True):
        row[count:] = -1e4
        row[count:, BLANK] = 0
    found: NDArray[Any] = log_probs.numpy()
    return found
