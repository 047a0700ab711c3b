"""Where a net runs: device, number format, threads, and which of how many processes this is."""

from __future__ import annotations

import ctypes
import os
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch import distributed, nn

from jphtr.errors import SettingsError
from jphtr.session import cores
from jphtr.settings import Precision, RunSettings


@dataclass(frozen=True, slots=True)
class Hardware:
    """The device, the number format of autocast (None computes in float32), and this process among `ranks`."""

    device: torch.device
    half: torch.dtype | None
    rank: int = 0
    ranks: int = 1

    def autocast(self) -> AbstractContextManager[None]:
        """The context in which the trunk runs."""
        return torch.autocast(self.device.type, self.half, enabled=self.half is not None)

    def average(self, net: nn.Module, *numbers: float) -> list[float]:
        """Average gradients, batch-norm statistics and some numbers over all processes; the numbers come back."""
        if self.ranks == 1:
            return list(numbers)
        tensors = [p.grad for p in net.parameters() if p.grad is not None]
        tensors += [b for b in net.buffers() if b.is_floating_point()]
        extra = torch.tensor(numbers, dtype=torch.float32, device=self.device)
        flat = torch.cat([t.flatten() for t in tensors] + [extra])
        distributed.all_reduce(flat)
        flat /= self.ranks
        start = 0
        for t in tensors:
            t.copy_(flat[start : start + t.numel()].view_as(t))
            start += t.numel()
        return [float(x) for x in flat[start:].tolist()]

    def meet(self) -> None:
        """Wait until all processes have come here."""
        if self.ranks > 1:
            distributed.barrier()

    def leave(self) -> None:
        """End the company of the other processes."""
        if self.ranks > 1 and distributed.is_initialized():
            distributed.destroy_process_group()


def settle(settings: RunSettings) -> Hardware:
    """Choose the device and the number format, set the threads, and join the other processes that torchrun started.

    Raises
    ------
    SettingsError
        If a GPU is asked for and there is none.
    """
    ranks, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
    there = torch.cuda.is_available()
    if settings.device == "cuda" and not there:
        raise SettingsError("run.device: no CUDA device is found; use --device cpu")
    if there and settings.device != "cpu":
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
        torch.set_float32_matmul_precision("high")
    else:
        device = torch.device("cpu")
        _keep_memory()
        torch.set_num_threads(settings.threads or max(1, cores() // ranks - settings.workers))
    if ranks > 1 and not distributed.is_initialized():
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return Hardware(device, half(settings.precision, device), rank, ranks)


def _keep_memory() -> None:
    """Let glibc keep what a step frees: tensors of megabytes are otherwise mapped, cleared and unmapped each time.

    Measured with the net of configs/line.yaml, 48 lines of 544 px in bf16 on two cores: 12.5 ms a line before, 6.1 after.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # not glibc
        return
    m_trim_threshold, m_top_pad, m_mmap_max = -1, -2, -4  # malloc.h
    mallopt(m_mmap_max, 0)
    mallopt(m_trim_threshold, 2**31 - 1)
    mallopt(m_top_pad, 512 << 20)


def half(precision: Precision, device: torch.device) -> torch.dtype | None:
    """The number format of autocast: bf16 by itself on GPUs and on CPUs that multiply it in hardware.

    Those have AMX or AVX512_BF16. Of the line net's trunk, 24 lines of 512 px forward and back on one core of an EPYC
    with the latter: 37.6 ms a line in fp32, 19.6 in bf16. On others bf16 is a storage format, several times slower.
    """
    if precision == "auto":
        if device.type == "cuda":
            return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
        asked = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
        multiplies = any(getattr(torch.cpu, name, bool)() for name in asked)
        return torch.bfloat16 if multiplies else None
    return {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]
