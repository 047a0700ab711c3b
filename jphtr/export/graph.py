"""An ONNX graph in the making, and the parts that both nets are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper
from torch import nn

from jphtr.bundle import KEY, Header, header_json
from jphtr.errors import ModelError
from jphtr.nets.stored import EPSILON, NORM, gain

OPSET = 17  # understood by ONNX Runtime from 1.12 on
_IR = 8  # the one of opset 17
_LARGEST = 65504.0  # that float16 holds


class Graph:
    """Nodes and initialisers; every method adds a node and returns the name of its output.

    Parameters
    ----------
    net : whose weights it takes, by their torch names.
    name : of the model, for messages.
    folded : draw norms into the convolutions before them and keep everything float32: what quantisation starts from.
    """

    def __init__(self, net: nn.Module, name: str, *, folded: bool = False) -> None:
        self.name, self.folded = name, folded
        self.state = {name: t.detach().cpu().numpy() for name, t in net.state_dict().items()}
        self.nodes: list[NodeProto] = []
        self.initialisers: dict[str, TensorProto] = {}

    def node(self, op: str, *inputs: str, out: str | None = None, **attributes: Any) -> str:
        """A node of the ONNX operator `op` with one output."""
        out = out or f"{op}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [out], name=out, **attributes))
        return out

    def put(self, name: str, array: NDArray[Any]) -> str:
        """An initialiser."""
        self.initialisers[name] = numpy_helper.from_array(array, name)
        return name

    def ints(self, *values: int) -> str:
        """A constant (n,) int64."""
        return self.put("ints_" + "_".join(map(str, values)).replace("-", "m"), np.array(values, np.int64))

    def scalar(self, value: int) -> str:
        """A constant int64 without dimensions."""
        return self.put(f"int_{value}", np.array(value, np.int64))

    def level(self, name: str, value: float) -> str:
        """A constant float32 without dimensions."""
        return self.put(name, np.array(value, np.float32))

    def weight(self, name: str) -> str:
        """A weight of the net as float32, stored as float16 if it is large.

        Raises
        ------
        ModelError
            If it does not fit into float16.
        """
        if name not in self.initialisers:
            self.put(name, self.stored(name, self.state[name]))
        if self.initialisers[name].data_type != TensorProto.FLOAT16:
            return name
        return self.node("Cast", name, to=TensorProto.FLOAT)

    def stored(self, name: str, array: NDArray[Any]) -> NDArray[Any]:
        """The weight called `name` as it lies in the file.

        Raises
        ------
        ModelError
            If it does not fit into float16.
        """
        if self.folded or not is_halved(array):  # small, and the variances of batch norm may be too small for float16
            return array
        if not np.abs(array).max() < _LARGEST:
            raise ModelError(f"{self.name}: {name} holds weights too large for float16; train with weight decay")
        return array.astype(np.float16)

    def unit(self, x: str, prefix: str, strides: Sequence[int] = (1, 1)) -> str:
        """A 3x3 convolution and batch norm."""
        kernel = f"{prefix}.conv.weight"
        shape: dict[str, Any] = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "strides": strides}
        norm = [f"{prefix}.norm.{part}" for part in NORM]
        if not self.folded:
            x = self.node("Conv", x, self.weight(kernel), **shape)
            return self.node("BatchNormalization", x, *map(self.weight, norm), epsilon=EPSILON)
        _, bias, mean, _ = norm
        by = gain(self.state, prefix)
        self.put(kernel, self.state[kernel] * by[:, None, None, None])
        self.put(bias, self.state[bias] - self.state[mean] * by)
        return self.node("Conv", x, kernel, bias, **shape)

    def dense(self, rows: str, prefix: str) -> str:
        """A linear layer over rows (N, D).

        Gemm adds the bias in place: MatMul and Add hold the logits of the whole charset twice.
        """
        return self.node("Gemm", rows, self.weight(f"{prefix}.weight"), self.weight(f"{prefix}.bias"), transB=1)

    def model(
        self, name: str, inputs: Sequence[ValueInfoProto], outputs: Sequence[ValueInfoProto], header: Header
    ) -> ModelProto:
        """The finished model with its header."""
        graph = helper.make_graph(self.nodes, name, list(inputs), list(outputs), list(self.initialisers.values()))
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            producer_name="jphtr",
            producer_version=header.version,
        )
        model.ir_version = _IR
        helper.set_model_props(model, {KEY: header_json(header)})
        onnx.checker.check_model(model)
        return model


def is_halved(array: NDArray[Any]) -> bool:
    """Whether a weight is stored as float16: matrices and kernels."""
    return array.ndim > 1 and array.dtype == np.float32
