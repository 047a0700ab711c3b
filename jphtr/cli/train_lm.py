"""`jphtr train-lm`: texts in, a language model for reading out."""

from __future__ import annotations

import math
from pathlib import Path

import click

from jphtr import __version__


@click.command("train-lm")
@click.argument("texts", nargs=-1, required=True, metavar="TEXT[=WEIGHT]...")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The .lm file to write.")
@click.option(
    "--order", default=4, show_default=True, type=click.IntRange(2, 5), help="Characters of the longest n-gram."
)
@click.option(
    "--max-mb", default=6.0, show_default=True, type=click.FloatRange(0.2),
    help="Largest file; as many n-grams are kept as fit.",
)  # fmt: skip
@click.option(
    "--prune", default=2, show_default=True, type=click.IntRange(1),
    help="Leave out n-grams of three or more characters that were seen fewer times.",
)  # fmt: skip
@click.option(
    "--old", default=0, show_default=True, type=click.IntRange(0), metavar="N",
    help="Count every N-th sentence again in the spelling of before 1946, for reading old print; 0 none.",
)  # fmt: skip
@click.option(
    "--valid",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="TEXT",
    help="Text that was not trained on, to print the perplexity of; repeatable.",
)
def train_lm(
    texts: tuple[str, ...], output: Path, order: int, max_mb: float, prune: int, old: int, valid: tuple[Path, ...]
) -> None:
    """Train a character language model for `jphtr read --lm`.

    Every TEXT is UTF-8 with a sentence on each line: .txt, or .tsv of which the first column counts; plain, .xz or
    .gz. TEXT=3 counts it three times. Characters without a place in jphtr's charset are passed over.
    """
    from jphtr.charset import default
    from jphtr.decode.lm_train import ALIKE, train
    from jphtr.jouyou import NEW_FORMS, OLD_FORMS
    from jphtr.whole import write_whole

    alike = (*ALIKE, *(new + old for new, old in zip(NEW_FORMS, OLD_FORMS, strict=True)))
    lm = train(
        [_weighted(text) for text in texts], default(), order=order, max_bytes=int(max_mb * 1e6),
        min_count=prune, alike=alike, valid=valid, old=old, version=__version__,
    )  # fmt: skip
    data = lm.to_bytes()
    write_whole(output, data)
    header = lm.header
    for source in header.sources:
        weight = f", {source['weight']} times" if source["weight"] > 1 else ""
        click.echo(f"{source['name']}: {source['lines']} lines, {source['chars']} characters{weight}", err=True)
    click.echo(f"{output}: {len(lm)} n-grams ({', '.join(map(str, header.sizes))}), {len(data)} bytes", err=True)
    if valid:
        click.echo(f"perplexity {math.exp(header.surprisal):.2f} a character ({header.surprisal:.4f} nats)")


def _weighted(text: str) -> tuple[Path, int]:
    """A file with the weight behind its name, which is 1 where none stands."""
    name, sign, weight = text.rpartition("=")
    if not sign or not weight.isdecimal() or Path(text).exists():
        return Path(text), 1
    if int(weight) < 1:
        raise click.BadParameter(f"{text}: a text counts once at least", param_hint="TEXT")
    return Path(name), int(weight)
