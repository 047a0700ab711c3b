"""The folder that a run leaves, and what a person sees while it runs.

config.yaml         every setting, with its description
charset.txt         the characters in label order
metrics.jsonl       one row per `run.log_every` steps and per validation
log.txt             what was said
last.safetensors    everything that --resume needs
best.safetensors    the averaged weights with the best validation, ready for `jphtr export` and --load
tensorboard/        curves, if TensorBoard is installed
"""

from __future__ import annotations

import datetime
import json
import sys
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from jphtr.charset import Charset
from jphtr.errors import SettingsError
from jphtr.settings import Section, to_yaml
from jphtr.whole import write_whole

CONFIG, CHARSET, METRICS, LOG = "config.yaml", "charset.txt", "metrics.jsonl", "log.txt"
LAST, BEST = "last.safetensors", "best.safetensors"


class RunFolder:
    """Writes into a run folder; every process but the first of a `torchrun` is given `silent` and writes nothing.

    Parameters
    ----------
    path : the folder; made when missing.
    resume : whether the run in it goes on; otherwise the folder must not hold one.
    silent : write and show nothing.
    tensorboard : write curves, if TensorBoard is installed.

    Raises
    ------
    SettingsError
        If the folder holds a run and it is not to be resumed, or cannot be made.
    """

    def __init__(self, path: Path, *, resume: bool = False, silent: bool = False, tensorboard: bool = True) -> None:
        self.path, self.silent = path, silent
        self._bar: Any = None
        self._task: Any = None
        self._board: Any = None
        if silent:
            return
        if not resume and (path / CONFIG).exists():
            raise SettingsError(f"{path}: holds a run; continue it with --resume {path}, or choose another folder")
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(f"{path}: cannot be made ({error.strerror}); choose another folder") from None
        self._log = (path / LOG).open("a", encoding="utf-8")
        self._metrics = (path / METRICS).open("a", encoding="utf-8")
        if tensorboard and find_spec("tensorboard") is not None:
            from torch.utils.tensorboard import SummaryWriter

            self._board = SummaryWriter(str(path / "tensorboard"))
        if sys.stderr.isatty():
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

            self._bar = Progress(
                BarColumn(), TextColumn("{task.percentage:3.1f}%"), TimeRemainingColumn(), TextColumn("{task.description}"),
                redirect_stdout=False, transient=True,
            )  # fmt: skip
            self._task = self._bar.add_task("", total=1.0)
            self._bar.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.silent:
            return
        if self._bar is not None:
            self._bar.stop()
        if self._board is not None:
            self._board.close()
        self._log.close()
        self._metrics.close()

    @property
    def watched(self) -> bool:
        """Whether a person looks at a progress bar."""
        return self._bar is not None

    def describe(self, settings: Section, charset: Charset) -> None:
        """Write the settings and the charset."""
        if not self.silent:
            write_whole(self.path / CONFIG, to_yaml(settings).encode())
            write_whole(self.path / CHARSET, charset.to_text().encode())

    def forget_after(self, step: int) -> None:
        """Drop the metrics of steps that a resumed run will take again."""
        if self.silent:
            return
        path = self.path / METRICS
        kept: list[str] = []
        for row in path.read_text("utf-8").splitlines(keepends=True):
            try:
                if row.endswith("\n") and json.loads(row)["step"] <= step:
                    kept.append(row)
            except (ValueError, KeyError):  # the row that was being written when the run was killed
                continue
        self._metrics.close()
        write_whole(path, "".join(kept).encode())
        self._metrics = path.open("a", encoding="utf-8")

    def say(self, text: str) -> None:
        """A line for the log and for the person at the terminal."""
        if self.silent:
            return
        self._log.write(f"{datetime.datetime.now():%Y-%m-%d %H:%M:%S} {text}\n")
        self._log.flush()
        if self._bar is not None:
            self._bar.console.print(text, markup=False, highlight=False)
        else:
            print(text, file=sys.stderr, flush=True)

    def note(self, row: dict[str, Any]) -> None:
        """A row of metrics; it has a `step`."""
        if self.silent:
            return
        self._metrics.write(json.dumps(row) + "\n")
        self._metrics.flush()
        if self._board is not None:
            for name, value in row.items():
                if name != "step" and isinstance(value, int | float):
                    self._board.add_scalar(name, value, row["step"])

    def progress(self, part: float, text: str) -> None:
        """Move the bar, if there is one."""
        if self._bar is not None:
            self._bar.update(self._task, completed=min(1.0, part), description=text)
