"""What fine-tuning on a few own lines does: to held-out lines of the same hand, and to everything else.

    python tools/finetune_demo.py own.tsv --where kind=brush --train 50 --rest valid.tsv --rest-without kind=brush \
        --config configs/line.yaml -o demo/

Lines for training are drawn from the own ones by the digest of their names; the others, as many as --held, are held out.
With --folds every line is held out once, and every net learns from the lines of the other folds: for few lines. Nets
start from the model in the package and see own and composed lines in turn; nothing is tuned on what is held out, the
settings are fixed below. Killed, it goes on where it was; results.json holds what it printed.

Nets that were made here from lines kept for measuring must not leave the folder, nor be measured on them again.
"""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from jphtr import settings as setting
from jphtr.errors import DataError, JphtrError
from jphtr.evaluate import Truth, evaluate, read_truth
from jphtr.export import export_model
from jphtr.metrics import Errors
from jphtr.reader import Reader
from jphtr.settings import TrainLineSettings
from jphtr.settings.line import FINE_TUNING
from jphtr.training.loop import train_line
from jphtr.training.own_lines import IN_PACKAGE, prepare, sources
from jphtr.training.run_folder import BEST, LAST
from jphtr.whole import write_whole

# What train-line starts from, found on composed lines and fixed before anything was measured on real ones. The last net
# counts, whatever it scores: there is one validation, on composed lines, at the end.
FIXED: dict[str, Any] = {
    **FINE_TUNING, "data.pool": 4, "data.valid_lines": 8, "data.valid_glyphs": (), "data.valid_texts": (),
    "run.max_minutes": None, "run.valid_every": 1_000_000, "run.log_every": 10, "run.save_minutes": 1.0,
    "run.workers": 0, "run.threads": 1, "run.seed": 1, "run.tensorboard": False,
}  # fmt: skip
DECODERS = ("greedy", "beam")


@dataclass(frozen=True, slots=True)
class Fold:
    """Lines that a net learns from, and lines that it does not."""

    name: str
    train: list[Truth]
    held: list[Truth]


@click.command()
@click.argument("own", type=click.Path(exists=True, path_type=Path))
@click.option("--where", multiple=True, metavar="KEY=VALUE", help="Take the own lines with this kind, writer, ...")
@click.option("--train", default=50, show_default=True, help="Lines to learn from.")
@click.option("--held", default=150, show_default=True, help="Lines held out, at most.")
@click.option(
    "--folds", type=click.IntRange(2), help="Hold out every line once, in runs of lines that follow each other."
)
@click.option(
    "--rest", required=True, type=click.Path(exists=True, path_type=Path), help="Other lines, not to be forgotten."
)
@click.option("--rest-without", multiple=True, metavar="KEY=VALUE", help="Leave these of the other lines out.")
@click.option(
    "--config", required=True, type=click.Path(exists=True, path_type=Path), help="What composed lines are like."
)
@click.option(
    "-s", "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Another setting than the fixed ones."
)
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Folder of the runs and results.")
def main(
    own: Path, where: tuple[str, ...], train: int, held: int, folds: int | None, rest: Path, rest_without: tuple[str, ...],
    config: Path, overrides: tuple[str, ...], output: Path,
) -> None:  # fmt: skip
    """Fine-tune the model in the package on own lines, and score it before and after."""
    lines = [line for line in read_truth(own) if all(_is(line, choice) for choice in where)]
    others = [line for line in read_truth(rest) if not any(_is(line, choice) for choice in rest_without)]
    shared = {line.path.resolve() for line in others}
    lines = [line for line in lines if line.path.resolve() not in shared]
    settings = setting.assign(setting.load(TrainLineSettings, config), FIXED)
    for override in overrides:
        settings = setting.replace(settings, override)
    output.mkdir(parents=True, exist_ok=True)
    before = _scores(None, {"rest": others}, output / "before-rest.json")
    pooled: dict[str, dict[str, Errors]] = {}
    for fold in _folds(lines, train, held, folds):
        place = output / fold.name
        known = _scores(None, {"held": fold.held, "train": fold.train}, place / "before.json")
        model = _tuned(fold, settings, place)
        found = _scores(model, {"held": fold.held, "train": fold.train, "rest": others}, place / "after.json")
        for part, scores in {"held before": known["held"], "held after": found["held"], "train before": known["train"],
                             "train after": found["train"], "rest after": found["rest"]}.items():  # fmt: skip
            for decoder, errors in scores.items():
                both = pooled.setdefault(part, {})
                both[decoder] = both.get(decoder, Errors()) + errors
        click.echo(f"{fold.name}: {len(fold.train)} lines learned, {len(fold.held)} held out: {_row(known['held'])} -> {_row(found['held'])}; rest {_row(found['rest'])}", err=True)  # fmt: skip
    pooled["rest before"] = before["rest"]
    rows = [f"{part:<14}{_row(pooled[part])}" for part in ("held before", "held after", "rest before", "rest after",
                                                           "train before", "train after")]  # fmt: skip
    table = {part: {decoder: _plain(errors) for decoder, errors in scores.items()} for part, scores in pooled.items()}
    write_whole(output / "results.json", json.dumps(table, indent=1).encode())
    click.echo("\n".join(rows))


def _is(line: Truth, choice: str) -> bool:
    key, equals, value = choice.partition("=")
    if not equals or key not in ("kind", "writer", "direction"):
        raise click.UsageError(f"{choice}: give kind, writer or direction and its value, such as kind=brush")
    return bool(getattr(line, key) == value)


def _folds(lines: list[Truth], train: int, held: int, folds: int | None) -> list[Fold]:
    """How own lines are divided.

    Raises
    ------
    DataError
        If they are too few.
    """
    if folds is not None:
        if len(lines) < 2 * folds:
            raise DataError(f"{len(lines)} lines; take fewer folds than {folds}")
        of = [place * folds // len(lines) for place in range(len(lines))]
        return [
            Fold(
                f"fold{k}",
                [line for line, number in zip(lines, of, strict=True) if number != k],
                [line for line, number in zip(lines, of, strict=True) if number == k],
            )
            for k in range(folds)
        ]
    if len(lines) <= train:
        raise DataError(f"{len(lines)} lines; take fewer than {train} to learn from, or --folds")
    drawn = sorted(lines, key=lambda line: hashlib.sha256(line.path.name.encode()).digest())
    return [Fold(f"train{train}", drawn[:train], drawn[train : train + held])]


def _tuned(fold: Fold, settings: TrainLineSettings, folder: Path) -> Path:
    """The model that has learned from a fold, trained unless it is there."""
    model, run = folder / "model.onnx", folder / "run"
    if model.exists():
        return model
    rows = "".join(f"{line.path.resolve()}\t{line.text}\t{line.direction}\ttrain\n" for line in fold.train)
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "train.tsv", f"path\ttext\tdirection\tsplit\n{rows}".encode())
    resume = (run / LAST).exists()
    if resume:
        settings = setting.load(TrainLineSettings, run / "config.yaml")
    else:
        settings = setting.assign(settings, {"data.lines": (folder / "train.tsv",)})
        (run / "config.yaml").unlink(missing_ok=True)  # of a run that was killed before its first checkpoint
    ready = prepare(settings, run, load=IN_PACKAGE, resume=resume)
    open_source, open_valid = sources(ready.settings)
    train_line(ready.settings, run, open_source=open_source, open_valid=open_valid, load=ready.load, resume=resume)
    export_model(run / BEST, model)
    return model


def _scores(model: Path | None, parts: dict[str, list[Truth]], kept: Path) -> dict[str, dict[str, Errors]]:
    """Character errors of a model on lines by part and decoder, read unless they are known."""
    if not kept.exists():
        reader = Reader(model, threads=1)
        found: dict[str, dict[str, Any]] = {}
        for part, lines in parts.items():
            reports = {decoder: evaluate(reader, lines, decoder=decoder) for decoder in DECODERS}
            if failed := reports["greedy"].failed:
                raise DataError(failed[0].error)
            found[part] = {decoder: _plain(report.scores().errors) for decoder, report in reports.items()}
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_whole(kept, json.dumps(found, indent=1).encode())
    told = json.loads(kept.read_text("utf-8"))
    return {
        part: {
            decoder: Errors(**{name: count for name, count in e.items() if name != "cer"})
            for decoder, e in scores.items()
        }
        for part, scores in told.items()
    }


def _plain(errors: Errors) -> dict[str, Any]:
    counts = {name: getattr(errors, name) for name in ("substitutions", "deletions", "insertions", "chars")}
    return counts | {"cer": errors.rate}


def _row(scores: dict[str, Errors]) -> str:
    return ", ".join(f"{decoder} {e.rate:.2%} ({e.total} of {e.chars})" for decoder, e in scores.items())


if __name__ == "__main__":
    try:
        main()
    except JphtrError as error:
        sys.exit(f"finetune_demo: error: {error}")
