"""Worker processes that make the batches of a stream ahead of the net, in order.

What they make is a function of a number, so neither their number nor an interruption changes what a net sees.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeVar

import cv2
import torch
from torch.utils.data import DataLoader, Dataset

from jphtr.errors import JphtrError

T = TypeVar("T")


def made(make: Callable[[int], T], first: int, workers: int, ahead: int) -> Iterator[T]:
    """make(first), make(first + 1), ... without end, in order.

    Parameters
    ----------
    make : depends on nothing but its number; what it opens, it opens in the process that calls it.
    first : the first number.
    workers : processes that call it; 0 calls it when the next one is asked for.
    ahead : how many each worker makes before they are asked for.

    Raises
    ------
    JphtrError
        As `make` raised it.
    """
    loader = DataLoader(
        _Made(make),
        batch_size=None,
        sampler=_From(first),
        num_workers=workers,
        collate_fn=_as_it_is,
        worker_init_fn=partial(_settle, os.getpid()),
        prefetch_factor=max(2, ahead) if workers else None,
        multiprocessing_context="fork" if workers else None,
    )
    for item in loader:
        if isinstance(item, JphtrError):
            raise item
        yield item


class _Made(Dataset[Any]):
    """What `make` makes of a number, or its error as it is: a worker would wrap it into its own traceback."""

    def __init__(self, make: Callable[[int], Any]) -> None:
        self.make = make

    def __getitem__(self, number: int) -> Any:
        try:
            return self.make(number)
        except JphtrError as error:
            return error


class _From:
    """Numbers without end, from the first one that is wanted."""

    def __init__(self, first: int) -> None:
        self.first = first

    def __iter__(self) -> Iterator[int]:
        number = self.first
        while True:
            yield number
            number += 1


def _settle(parent: int, _: int) -> None:
    """A worker works on one thread and leaves signals to the process that started it."""
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave_soon)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _leave_soon(*_: object) -> None:
    """Schedulers send SIGTERM to all processes of a job: let the training process end its step and save first."""
    timer = threading.Timer(3.0, os._exit, (0,))
    timer.daemon = True
    timer.start()


def _end_with(parent: int) -> None:
    """Leave when the training process is gone: a killed one would leave its workers asleep over full pipes."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _as_it_is(item: Any) -> Any:
    return item
