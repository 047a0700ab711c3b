"""Frozen validation sets of composed lines, one kind a group, from writers and texts that no net was trained on.

    python tools/valid_sets.py --glyphs fonts-valid.h5 --text valid.txt.xz -o sets/

writes sets/truth.tsv with the columns file, text, kind, direction, writer for `jphtr eval-line`, and sets/spans.jsonl,
from which it measures boxes. The pictures are a function of the seed, the glyph file, the texts and this version of the
composer; `sets/README` names their digests.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Any

import click

from jphtr.charset import default
from jphtr.compose import Composer
from jphtr.compose.samples import write_samples
from jphtr.errors import JphtrError
from jphtr.records import Direction
from jphtr.settings import ComposeSettings

_PROSE = {"sentence": 0.7, "address": 0.1, "amount": 0.08, "date": 0.07, "word": 0.05}
_CLEAN: dict[str, Any] = {
    "degraded": 0.0,
    "worn_ink": 0.0,
    "neighbours": 0.0,
    "empty": 0.0,
    "em_px": (24.0, 56.0),
    "min_chars": 4,
}
_WORN: dict[str, Any] = {"degraded": 1.0, "neighbours": 0.15, "empty": 0.0, "em_px": (14.0, 48.0), "min_chars": 4}

# name -> (style, direction, looks, kinds of text)
GROUPS: dict[str, tuple[str, Direction, dict[str, Any], dict[str, float]]] = {
    "print": ("print", "horizontal", _CLEAN, _PROSE),
    "degraded print": ("print", "horizontal", _WORN, _PROSE),
    "handwriting fonts": ("hand", "horizontal", _CLEAN, _PROSE),
    "brush": ("brush", "horizontal", _CLEAN, _PROSE),
    "rare kanji": ("print", "horizontal", _CLEAN, {"rare": 1.0}),
    "vertical print": ("print", "vertical", _CLEAN, _PROSE),
    "vertical degraded print": ("print", "vertical", _WORN, _PROSE),
    "vertical handwriting": ("hand", "vertical", _CLEAN, _PROSE),
    "vertical brush": ("brush", "vertical", _CLEAN, _PROSE),
}


@click.command()
@click.option("--glyphs", multiple=True, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--text", "texts", multiple=True, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--addresses", multiple=True, type=click.Path(exists=True, path_type=Path))
@click.option("--words", multiple=True, type=click.Path(exists=True, path_type=Path))
@click.option("-n", "--count", default=500, show_default=True)
@click.option("--seed", default=20261121, show_default=True)
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path))
def main(
    glyphs: tuple[Path, ...], texts: tuple[Path, ...], addresses: tuple[Path, ...], words: tuple[Path, ...],
    count: int, seed: int, output: Path,
) -> None:  # fmt: skip
    """Compose the groups into one folder."""
    if output.exists():
        raise click.UsageError(f"{output} exists; frozen sets are written once")
    plain = ComposeSettings(addresses=addresses, words=words, max_chars=28)
    composer = Composer(plain, default(), glyphs, texts)
    for number, (kind, (style, direction, looks, mix)) in enumerate(GROUPS.items()):
        settings = plain.model_copy(update=looks | {"mix": mix})
        group = composer.with_settings(settings)
        lines = write_samples(
            group, output, count, seed + number, kind=kind, style=style, direction=direction, prefix=f"{number}-"
        )
        digest = hashlib.sha256(b"".join(line.gray.tobytes() + line.text.encode() for line in lines)).hexdigest()
        with open(output / "README", "a", encoding="utf-8") as readme:
            readme.write(f"{kind}\t{len(lines)} lines\t{sum(len(x.text) for x in lines)} characters\t{digest[:16]}\n")
        click.echo(f"{kind}: {len(lines)} lines", err=True)


if __name__ == "__main__":
    try:
        main()
    except JphtrError as error:
        sys.exit(f"valid_sets: error: {error}")
