"""Weights of a line net as an int8 graph holds them, and back: so that training can go on from the smallest file.

A graph of eight bits has no batch norms: they are drawn into the convolutions before them. Their four vectors lie
beside the graph unread, and take the convolutions apart again.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

EPSILON = 1e-5  # of torch's batch norm
NORM = ("weight", "bias", "running_mean", "running_var")  # of it, as ONNX orders them
WAYS = ("ahead", "back")  # the LSTM's two directions
GATES = (0, 3, 1, 2)  # torch orders the gates of an LSTM input, forget, cell, output; ONNX input, output, forget, cell

QUANTISED, SCALE, ZERO = "_quantized", "_scale", "_zero_point"  # what ONNX Runtime's quantisation appends to names
KEPT = "_kept"  # appended to those of the vectors of batch norms
_LARGEST = 63  # of seven bits: processors without VNNI add two products of eight bits in sixteen, and clip the sum


def gate_rows(units: int) -> NDArray[np.int64]:
    """Rows of torch's LSTM matrices (4 * units, ...) in the order of ONNX."""
    return np.concatenate([np.arange(gate * units, (gate + 1) * units) for gate in GATES])


def gain(arrays: Mapping[str, NDArray[np.float32]], prefix: str) -> NDArray[np.float32]:
    """What the batch norm of the unit `prefix` multiplies each channel with, (C,)."""
    found: NDArray[np.float32] = arrays[f"{prefix}.norm.weight"] / np.sqrt(
        arrays[f"{prefix}.norm.running_var"] + EPSILON
    )
    return found


def seven_bits(matrices: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Matrices (2, R, D) of an LSTM as DynamicQuantizeLSTM takes them: (2, D, R) int8, and scales (2, R) of its rows."""
    scale = np.maximum(np.abs(matrices).max(axis=2), 1e-12) / _LARGEST
    levels = np.rint(matrices / scale[..., None]).astype(np.int8)
    return np.ascontiguousarray(levels.transpose(0, 2, 1)), scale.astype(np.float32)


def restored(arrays: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
    """Weights under their torch names.

    Parameters
    ----------
    arrays : the initialisers of a line net's int8 graph, by name.

    Raises
    ------
    KeyError
        If it is the graph of another net.
    """
    found: dict[str, NDArray[np.float32]] = {}
    for name, array in arrays.items():
        if "." not in name or name.startswith("lstm.") or name.endswith((SCALE, ZERO)):
            continue
        plain = name.removesuffix(QUANTISED)
        if plain == name:
            found[name.removesuffix(KEPT)] = array
        elif ".norm." not in name:  # of norms the true ones are kept
            scale = arrays[(plain if array.ndim > 1 else name) + SCALE]  # a bias has a scale of its own
            found[plain] = array * scale.reshape(-1, *[1] * (array.ndim - 1))
    for name in found:
        if name.endswith(".conv.weight"):
            by = gain(found, name.removesuffix(".conv.weight"))
            apart = np.divide(1, by, out=np.zeros_like(by), where=np.abs(by) > 1e-8)
            found[name] = found[name] * apart[:, None, None, None]
    biases = np.split(arrays["lstm.bias"], 2, axis=1)
    for way, side in enumerate(WAYS):
        for part, bias in zip(("ih", "hh"), biases, strict=True):
            levels = arrays[f"lstm.weight_{part}{QUANTISED}"][way].T
            rows = gate_rows(len(levels) // 4)
            for kind, array in (
                ("weight", levels * arrays[f"lstm.weight_{part}{SCALE}"][way][:, None]), ("bias", bias[way])
            ):  # fmt: skip
                into = np.empty_like(array, dtype=np.float32)
                into[rows] = array
                found[f"{side}.{kind}_{part}_l0"] = into
    return {name: array.astype(np.float32) for name, array in found.items()}
