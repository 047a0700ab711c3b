"""Glyph files of a table of font packages, one a role: what the shipped weights are trained on.

    python tools/render_corpus.py fonts.tsv --npm node_modules --role train -o glyphs/fonts-train.h5

The table has the columns registry (debian | npm), package, family, style, role and licence. Debian's fonts
are found by dpkg, npm's under the node_modules folder given. Several processes draw; the order is fixed.
"""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

import click

from jphtr.charset import Charset, default
from jphtr.errors import DataError, JphtrError
from jphtr.records import Glyph
from jphtr.sources import fonts
from jphtr.sources.fonts_faces import SUFFIXES, faces
from jphtr.store import Source, write_glyphs


@dataclass(frozen=True, slots=True)
class Job:
    """One font file to draw."""

    path: Path
    family: str
    style: str
    licence: str


def files(registry: str, package: str, npm: Path | None) -> list[Path]:
    """The font files of a package."""
    if registry == "npm":
        if npm is None:
            raise DataError(f"{package}: give the node_modules folder with --npm")
        found = (npm / package / "files").glob("*-normal.woff2")
        return sorted(
            path for path in found if re.search(r"-(japanese|chinese-simplified|chinese-traditional)-\d+-", path.name)
        )
    query = ["dpkg-query", "-W", "-f", "${Depends}", package]
    needs = subprocess.run(query, capture_output=True, text=True, check=False).stdout
    listed: list[Path] = []
    for name in (package, *re.findall(r"fonts-[\w.+-]+", needs)):  # a package may only gather others
        listing = subprocess.run(["dpkg", "-L", name], capture_output=True, text=True, check=False).stdout
        listed += [path for path in map(Path, listing.splitlines()) if path.suffix.lower() in SUFFIXES]
    return sorted(set(listed))


def draw(job: Job, charset: Charset) -> tuple[Source, list[Glyph], str]:
    """Draw one font file; a file that cannot be drawn gives its error instead of glyphs."""
    try:
        found = list(faces(job.path))
        glyphs = [g for face in found for g in fonts.draw(face, charset, family=job.family, style=job.style)]
    except JphtrError as error:
        return Source(job.path.name), [], str(error)
    return Source(job.path.name, found[0].sha256, job.licence or found[0].licence), glyphs, ""


@click.command()
@click.argument("table", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--role", default="train", show_default=True, type=click.Choice(["train", "valid"]))
@click.option("--npm", type=click.Path(exists=True, file_okay=False, path_type=Path), help="A node_modules folder.")
@click.option("--skip", default=r"^$", help="Leave out files whose name matches this regular expression.")
@click.option(
    "--chars",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Draw only the characters of this file, such as those that a charset gained.",
)
@click.option("--processes", default=2, show_default=True)
def main(table: Path, output: Path, role: str, npm: Path | None, skip: str, chars: Path | None, processes: int) -> None:
    """Draw the fonts of one role of TABLE; families with the role test cannot be drawn at all."""
    with open(table, encoding="utf-8", newline="") as handle:
        rows = [row for row in csv.DictReader(handle, delimiter="\t") if row["role"] == role]
    jobs: list[Job] = []
    for row in rows:
        found = files(row["registry"], row["package"], npm)
        if not found:
            click.echo(f"{row['package']}: not installed or without font files; left out", err=True)
        jobs += [Job(p, row["family"], row["style"], row["licence"]) for p in found if not re.search(skip, p.name)]
    sources: list[Source] = []
    charset = Charset(dict.fromkeys("".join(chars.read_text("utf-8").split()))) if chars else default()

    def glyphs() -> Iterator[Glyph]:
        with ProcessPoolExecutor(processes) as pool:
            for start in range(0, len(jobs), 2 * processes):  # a few at a time: a drawn face is 30 MB
                for source, drawn, error in pool.map(draw, jobs[start : start + 2 * processes], repeat(charset)):
                    sources.append(source)
                    click.echo(error or f"{source.name}: {len(drawn)} glyphs", err=True)
                    yield from drawn

    written = write_glyphs(output, glyphs(), charset, sources=sources, normalisation={"canvas": 64, "em": fonts.EM})
    click.echo(f"{output}: {written.glyphs} glyphs of {written.writers} writers, digest {written.digest[:12]}")


if __name__ == "__main__":
    try:
        main()
    except JphtrError as error:
        sys.exit(f"render_corpus: error: {error}")
