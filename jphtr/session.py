"""A model file -> a session of ONNX Runtime on the CPU, its failures as one line."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from jphtr.errors import ModelError

RUNTIME_ERRORS = (
    RuntimeError, ValueError, ort_errors.Fail, ort_errors.InvalidArgument, ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf, ort_errors.NoModel, ort_errors.NoSuchFile, ort_errors.NotImplemented,
    ort_errors.RuntimeException,
)  # fmt: skip
"""What loading or running a graph may raise."""


def open_session(path: Path, kind: str, ports: Collection[str], threads: int | None) -> Any:
    """A session of a model file.

    Parameters
    ----------
    path : an `.onnx` file.
    kind : what sort of model it is, for messages.
    ports : names of inputs and outputs that it must have.
    threads : that one run may use; None or 0 takes all cores.

    Raises
    ------
    ModelError
        If ONNX Runtime refuses the file, or it lacks a port.
    """
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 3  # errors
    options.intra_op_num_threads = threads or 0
    options.inter_op_num_threads = 1
    # plans made for one shape do not serve the next, and cost a long line 60 MB
    options.enable_mem_pattern = False
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except RUNTIME_ERRORS as error:
        raise ModelError(f"{path}: ONNX Runtime {onnxruntime.__version__} refuses it: {gist(error)}") from None
    there = {port.name for port in (*session.get_inputs(), *session.get_outputs())}
    if lacking := set(ports) - there:
        raise ModelError(f"{path}: a {kind} model without {', '.join(sorted(lacking))}; export it again")
    return session


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def gist(error: BaseException) -> str:
    """The first line of an error of the runtime, which may be long or empty."""
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
