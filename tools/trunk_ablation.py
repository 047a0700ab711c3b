"""What a line net gains from a trunk that has learned single characters first.

    python tools/trunk_ablation.py --char-config configs/char-all.yaml --line-config configs/line.yaml \
        --char-minutes 60 --line-minutes 60 -o ablation/

Trains a classifier of the whole charset on the trunk of the line net; a line net from nothing; and the same net, with the
same seed and the same lines, from that trunk. Prints the CER of both on the same validation lines as training went on.
The nets of the two arms have the same minutes; what the trunk took before is said above the table. Killed, it goes on
where it was.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from jphtr.nets.glyph import TRUNK
from jphtr.settings import TrainCharSettings, TrainLineSettings, assign, load, replace
from jphtr.training.char import train_char
from jphtr.training.loop import train_line
from jphtr.training.own_lines import sources
from jphtr.training.run_folder import BEST, LAST, METRICS

FILE = click.Path(exists=True, path_type=Path)
Row = dict[str, Any]


def rows_of(folder: Path) -> list[Row]:
    """The rows of a run's metrics."""
    return [json.loads(row) for row in (folder / METRICS).read_text("utf-8").splitlines()]


@click.command()
@click.option("--char-config", type=FILE, required=True, help="How the classifier is trained; its script is all.")
@click.option("--line-config", type=FILE, required=True, help="How both line nets are.")
@click.option("--char-minutes", default=60.0, show_default=True, help="Minutes of the classifier.")
@click.option("--line-minutes", default=60.0, show_default=True, help="Minutes of each line net.")
@click.option("--valid-every", default=500, show_default=True, help="Steps between validations of the line nets.")
@click.option("--char-set", multiple=True, metavar="KEY=VALUE", help="Another setting of the classifier.")
@click.option("--line-set", multiple=True, metavar="KEY=VALUE", help="Another setting of both line nets.")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="Folder of the three runs.")
def main(
    char_config: Path, line_config: Path, char_minutes: float, line_minutes: float, valid_every: int,
    char_set: tuple[str, ...], line_set: tuple[str, ...], output: Path,
) -> None:  # fmt: skip
    """Train a line net from nothing and from the trunk of a classifier, and compare."""
    lines = load(TrainLineSettings, line_config, line_set)
    lines = assign(lines, {"run.max_minutes": line_minutes, "run.steps": 10**9, "run.valid_every": valid_every})
    chars = assign(
        load(TrainCharSettings, char_config),
        {"data.script": "all", "net.backbone": TRUNK, "net.widths": lines.net.widths, "run.seed": lines.run.seed,
         "run.max_minutes": char_minutes, "run.steps": 10**9, "run.epochs": None},
    )  # fmt: skip
    for override in char_set:
        chars = replace(chars, override)
    trunk = output / "trunk"
    train_char(chars, trunk, resume=(trunk / LAST).exists())
    found: dict[str, dict[int, Row]] = {}
    for name, start in {"scratch": None, "from-trunk": trunk / BEST}.items():
        open_source, open_valid = sources(lines)
        train_line(lines, output / name, open_source=open_source, open_valid=open_valid, load=start,
                   resume=(output / name / LAST).exists())  # fmt: skip
        found[name] = {row["step"]: row for row in rows_of(output / name) if "valid_cer" in row}

    learned = [row for row in rows_of(trunk) if "minutes" in row]
    right = max((row["valid_top1"] for row in learned if "valid_top1" in row), default=0.0)
    print(
        f"the trunk: {learned[-1]['minutes']:.1f} minutes, {learned[-1]['step']} steps, {right:.2%} of single characters right"
    )
    print(f"{'':>8}{'from nothing':>18}{'from the trunk':>18}\n{'step':>8}" + f"{'minutes':>9}{'CER':>9}" * 2)
    for step in sorted(set().union(*found.values())):
        cells = [
            f"{row['minutes']:>9.1f}{row['valid_cer']:>9.2%}" if (row := found[name].get(step)) else " " * 18
            for name in found
        ]
        print(f"{step:>8}{''.join(cells)}".rstrip())


if __name__ == "__main__":
    main()
