"""A graph -> the same with weights and activations of eight bits, a half of the size and twice as fast.

ONNX Runtime's static quantisation: the range of every activation is taken from pictures, weights are scaled by channel.
Weights take seven bits, for processors that have no VNNI add two products of eight bits in sixteen, and clip the sum.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Collection, Iterable
from itertools import islice
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import ModelProto, helper, numpy_helper

from jphtr.errors import ModelError
from jphtr.nets.line import LineNet
from jphtr.nets.stored import KEPT, NORM, QUANTISED, SCALE, ZERO, seven_bits
from jphtr.session import RUNTIME_ERRORS, gist

CALIBRATED_ON = 512  # pictures from which ranges are taken, at most

_OPERATORS = ("Conv", "Gemm", "MatMul", "Add")
_LINE_OPERATORS = ("Conv", "Gemm", "Relu", "Mul", "Add")
_EXACT = {"down1.conv.weight", "neck.weight"}
_MICROSOFT = "com.microsoft"  # ONNX Runtime's own operators, in every build of it

Feed = dict[str, NDArray[np.generic]]


def quantised(model: ModelProto, squares: NDArray[np.uint8], name: str) -> ModelProto:
    """A classifier with eight bits.

    Parameters
    ----------
    model : of a classifier, as `glyph_graph` gives it.
    squares : (N, S, S) uint8, such as it will see; ranges are taken from them.
    name : of the model, for messages.

    Raises
    ------
    ModelError
        If ONNX Runtime cannot quantise it.
    """
    some = squares[:: -(-len(squares) // CALIBRATED_ON), None]
    return _finished(_static(_folded(model, name), ({"gray": gray} for gray in some), name), model)


def quantised_line(model: ModelProto, net: LineNet, strips: Iterable[NDArray[np.uint8]], name: str) -> ModelProto:
    """A line reader with eight bits.

    Its first convolution stays as it is, for it costs little and sees the finest levels, and its bottleneck, for that
    sees maps and LSTM outputs of very unlike range at once.

    Parameters
    ----------
    model : as `line_graph` gives it, folded.
    net : the net that it was made of; its norms are kept in the file, so that training can go on from there.
    strips : (48, W) uint8, W a multiple of 8, such as it will see; ranges are taken from the first CALIBRATED_ON.
    name : of the model, for messages.

    Raises
    ------
    ModelError
        If ONNX Runtime cannot quantise it.
    """
    feeds: Iterable[Feed] = (
        {"gray": gray[None], "widths": np.array([gray.shape[1]], np.int64)} for gray in islice(strips, CALIBRATED_ON)
    )
    exact = [node.name for node in model.graph.node if _EXACT & set(node.input)]
    found = _static(model, feeds, name, _LINE_OPERATORS, exact)
    _quantise_lstm(found)
    state = net.state_dict()
    for prefix in sorted({key.rpartition(".norm.")[0] for key in state if ".norm." in key}):
        for part in NORM:
            name = f"{prefix}.norm.{part}"
            found.graph.initializer.append(numpy_helper.from_array(state[name].numpy(), name + KEPT))
    return _finished(found, model)


def _static(
    model: ModelProto, feeds: Iterable[Feed], name: str, operators: Collection[str] = _OPERATORS,
    exact: Collection[str] = (),
) -> ModelProto:  # fmt: skip
    """The model with its `operators` quantised, but not the nodes called `exact`."""
    # its parts are imported here because they load slowly
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static

    class Reader(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
        """Hands out the pictures one by one."""

        def __init__(self) -> None:
            self._left = iter(feeds)

        def get_next(self) -> Feed | None:
            return next(self._left, None)

    logger = logging.getLogger()
    level = logger.level
    try:
        logger.setLevel(logging.ERROR)  # it advises on how to call it
        with tempfile.TemporaryDirectory(prefix="jphtr-") as folder:
            plain, made = Path(folder) / "plain.onnx", Path(folder) / "int8.onnx"
            onnx.save(model, plain)
            quantize_static(
                plain, made, Reader(), op_types_to_quantize=list(operators), nodes_to_exclude=list(exact),
                per_channel=True, reduce_range=True, activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
            )  # fmt: skip
            return onnx.load(made)
    except Exception as error:  # whatever comes out of a backbone's graph
        said = f"ONNX Runtime cannot make int8 of it ({gist(error)})"
        raise ModelError(f"{name}: {said}; export without --int8") from error
    finally:
        logger.setLevel(level)


def _quantise_lstm(model: ModelProto) -> None:
    """Put ONNX Runtime's DynamicQuantizeLSTM in the place of the LSTM: its input is quantised as it comes.

    An eighth of the matrices' bytes go through the cache at every frame of a line, which is what an LSTM waits for.
    """
    held = {one.name: one for one in model.graph.initializer}
    for place, node in enumerate(model.graph.node):
        if node.op_type != "LSTM":
            continue
        data, wide, high, biases, lengths = node.input
        levels, scales = [], []
        for matrix in (wide, high):
            low, scale = seven_bits(numpy_helper.to_array(held[matrix]))
            zero = np.zeros(scale.shape, np.int8)
            for suffix, array in ((QUANTISED, low), (SCALE, scale), (ZERO, zero)):
                model.graph.initializer.append(numpy_helper.from_array(array, matrix + suffix))
            model.graph.initializer.remove(held[matrix])
            levels.append(matrix + QUANTISED)
            scales += [matrix + SCALE, matrix + ZERO]
        inputs = [data, *levels, biases, lengths, "", "", "", *scales]
        found = helper.make_node("DynamicQuantizeLSTM", inputs, list(node.output), name=node.name, domain=_MICROSOFT)
        found.attribute.extend(node.attribute)
        model.graph.node.remove(node)
        model.graph.node.insert(place, found)
        return


def _finished(found: ModelProto, model: ModelProto) -> ModelProto:
    """What the quantisation gave, with the metadata of the model that it was given, checked."""
    used = {node.domain for node in found.graph.node}
    kept = [one for one in found.opset_import if one.domain in used | {""}]
    lacking = used - {one.domain for one in kept} - {""}
    del found.opset_import[:]
    found.opset_import.extend([*kept, *(helper.make_opsetid(domain, 1) for domain in sorted(lacking))])
    del found.metadata_props[:]
    found.metadata_props.extend(model.metadata_props)
    found.producer_name, found.producer_version = model.producer_name, model.producer_version
    onnx.checker.check_model(found)
    return found


def _folded(model: ModelProto, name: str) -> ModelProto:
    """The model with casts folded and norms drawn into the convolutions before them, as the runtime does it."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 3
    try:
        with tempfile.TemporaryDirectory(prefix="jphtr-") as folder:
            options.optimized_model_filepath = str(Path(folder) / "folded.onnx")
            onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
            return onnx.load(options.optimized_model_filepath)
    except RUNTIME_ERRORS as error:
        raise ModelError(f"{name}: ONNX Runtime cannot fold it ({gist(error)}); export without --int8") from None
