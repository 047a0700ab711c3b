"""Frozen composed pages, from writers and texts that no net was trained on.

    python tools/valid_pages.py --glyphs fonts-valid.h5 --text valid.txt.xz -o pages/

writes pictures and pages/pages.jsonl, one page with its lines, texts and boxes in reading order a row, for
`jphtr eval-page`. The pictures are a function of the seed, the glyph files, the texts and this version of the composer;
pages/README names their digest.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
from PIL import Image

from jphtr.charset import default
from jphtr.compose import Composer
from jphtr.compose.page import PageComposer
from jphtr.errors import JphtrError
from jphtr.segment.page_files import page_json
from jphtr.settings import ComposeSettings
from jphtr.settings.page import PageComposeSettings


@click.command()
@click.option("--glyphs", multiple=True, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--text", "texts", multiple=True, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--addresses", multiple=True, type=click.Path(exists=True, path_type=Path))
@click.option("--words", multiple=True, type=click.Path(exists=True, path_type=Path))
@click.option("-n", "--count", default=300, show_default=True)
@click.option("--seed", default=20261122, show_default=True)
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path))
def main(
    glyphs: tuple[Path, ...], texts: tuple[Path, ...], addresses: tuple[Path, ...], words: tuple[Path, ...],
    count: int, seed: int, output: Path,
) -> None:  # fmt: skip
    """Compose pages of every layout, in both directions, tilted by up to 3 degrees, with and without ruby."""
    if output.exists():
        raise click.UsageError(f"{output} exists; frozen sets are written once")
    composer = Composer(ComposeSettings(addresses=addresses, words=words), default(), glyphs, texts)
    pages = PageComposer(composer, PageComposeSettings(tilt=3.0, ruby=0.3, long_side=(1100, 3000)))
    output.mkdir(parents=True)
    digest, counts = hashlib.sha256(), Counter[str]()
    with open(output / "pages.jsonl", "w", encoding="utf-8") as file:
        for number in range(count):
            gray, page = pages.page(np.random.default_rng([seed, number]))
            name = f"{number:04d}.png"
            Image.fromarray(gray).save(output / name)
            row = json.dumps(page_json(replace(page, path=name)), ensure_ascii=False)
            file.write(row + "\n")
            digest.update(gray.tobytes() + row.encode())
            counts.update(f"{line.region.direction} {line.region.kind}" for line in page.lines)
    lines = ", ".join(f"{n} lines of {kind}" for kind, n in sorted(counts.items()))
    (output / "README").write_text(f"{count} pages, {lines}; sha256 {digest.hexdigest()[:16]}\n", "utf-8")
    click.echo(f"{count} pages, {lines}", err=True)


if __name__ == "__main__":
    try:
        main()
    except JphtrError as error:
        sys.exit(f"valid_pages: error: {error}")
