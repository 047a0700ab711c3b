"""A classifier's graph -> the same with weights and activations of eight bits, a half of the size and twice as fast.

ONNX Runtime's static quantisation: the range of every activation is taken from pictures, weights are scaled by channel.
Weights take seven bits, for processors that have no VNNI add two products of eight bits in sixteen, and clip the sum.
"""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import ModelProto

from jphtr.errors import ModelError

CALIBRATED_ON = 512  # pictures from which ranges are taken, at most

_OPERATORS = ["Conv", "Gemm", "MatMul", "Add"]


def quantised(model: ModelProto, squares: NDArray[np.uint8], name: str) -> ModelProto:
    """The model with eight bits.

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
    # its parts are imported here because they load slowly
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static

    class Reader(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
        """Hands out the pictures one by one."""

        def __init__(self) -> None:
            self._left = iter(squares[:: -(-len(squares) // CALIBRATED_ON), None])

        def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
            gray = next(self._left, None)
            return None if gray is None else {"gray": gray}

    logger = logging.getLogger()
    level = logger.level
    try:
        logger.setLevel(logging.ERROR)  # it advises on how to call it
        with tempfile.TemporaryDirectory(prefix="jphtr-") as folder:
            folded, made = Path(folder) / "folded.onnx", Path(folder) / "int8.onnx"
            _fold(model, folded)
            quantize_static(
                folded, made, Reader(), op_types_to_quantize=_OPERATORS, per_channel=True, reduce_range=True,
                activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
            )  # fmt: skip
            found = onnx.load(made)
    except Exception as error:  # whatever comes out of a backbone's graph
        gist = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
        raise ModelError(f"{name}: ONNX Runtime cannot make int8 of it ({gist}); export without --int8") from error
    finally:
        logger.setLevel(level)
    used = {node.domain for node in found.graph.node}
    kept = [one for one in found.opset_import if one.domain in used | {""}]
    del found.opset_import[:]
    found.opset_import.extend(kept)
    del found.metadata_props[:]
    found.metadata_props.extend(model.metadata_props)
    found.producer_name, found.producer_version = model.producer_name, model.producer_version
    onnx.checker.check_model(found)
    return found


def _fold(model: ModelProto, path: Path) -> None:
    """Write the model with casts folded and norms drawn into the convolutions before them."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(path)
    options.log_severity_level = 3
    onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
