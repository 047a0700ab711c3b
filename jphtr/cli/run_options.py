"""The options that all training commands have, and the settings that they lead to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

FILE = click.Path(path_type=Path)
C = TypeVar("C", bound=Callable[..., Any])


def run_options(example: str) -> Callable[[C], C]:
    """Give a command the options of a run; `example` is one of its configuration files."""
    options = (
        click.option("--config", type=FILE, help=f"Settings, a YAML file such as {example}."),
        click.option("-s", "--set", "overrides", multiple=True, metavar="KEY=VALUE",
                     help="One setting, such as optim.lr=1e-3."),
        click.option("-o", "--output", type=FILE, help="Run folder to write.  [default: runs/NAME-DATE]"),
        click.option("--max-minutes", type=float, help="Time of the whole schedule (run.max_minutes)."),
        click.option("--resume", type=FILE, metavar="RUN", help="Run folder to go on with."),
        click.option("--load", type=FILE, metavar="MODEL", help="Start from this model, .safetensors or .onnx."),
        click.option("--resize", type=click.Choice(["fail", "union", "new"]), default="fail", show_default=True,
                     help="When the loaded model has another charset: stop, keep its characters and add, or take the new charset."),
        click.option("--seed", type=int, help="run.seed"),
        click.option("--workers", type=int, help="run.workers"),
        click.option("--threads", type=int, help="run.threads"),
        click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), help="run.device"),
        click.option("--precision", type=click.Choice(["auto", "fp32", "bf16", "fp16"]), help="run.precision"),
        click.option("--template", is_flag=True, help="Print the settings as a commented YAML file, and train nothing."),
    )  # fmt: skip

    def put(command: C) -> C:
        for option in reversed(options):
            command = option(command)
        return command

    return put


RUN = ("max_minutes", "seed", "workers", "threads", "device", "precision")
"""The options that are settings of the section `run`."""


def given(flags: Mapping[str, Any], places: Mapping[str, str]) -> dict[str, Any]:
    """The settings that flags stand for, of those that were given.

    Parameters
    ----------
    flags : the values of the command's options; None or empty where one was left out.
    places : the dotted key of each that is a setting; those of `RUN` need not be named.
    """
    keys = {name: f"run.{name}" for name in RUN} | dict(places)
    return {key: flags[name] for name, key in keys.items() if flags.get(name) not in (None, ())}


def refuse_with_resume(resume: Path | None, others: Mapping[str, Any]) -> None:
    """A run goes on as it is: other options that would change it are a mistake.

    Raises
    ------
    SettingsError
        If one of them was given.
    """
    from jphtr.errors import SettingsError

    wrong = [name for name, value in others.items() if value not in (None, (), "fail")]
    if resume is not None and wrong:
        raise SettingsError(f"--resume goes on with a run as it is; leave out {', '.join(wrong)}")


def run_folder(resume: Path | None, output: Path | None, name: str) -> Path:
    """The run folder: the one to go on with, the one that is named, or a new one with a name and the time."""
    import datetime

    return resume or output or Path("runs") / f"{name}-{datetime.datetime.now():%Y%m%d-%H%M%S}"
