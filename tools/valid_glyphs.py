"""A frozen set of single characters from fonts that no net was trained on, mildly worn, a group for each script and style.

    python tools/valid_glyphs.py fonts-valid.h5 -o valid-chars.h5

writes a glyph file for `jphtr eval-char`; its sets are the groups, such as "kanji print". What each picture shows and
suffers is a function of the seed, the glyph files and this file: turned, stretched and moved a little, as somebody cuts
a character out; then ink and paper that are not black and white, uneven light, blur, noise and JPEG.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import cv2
import numpy as np

from jphtr.charset import default, script_of
from jphtr.errors import DataError, JphtrError
from jphtr.records import Glyph, Gray
from jphtr.store import GlyphFile, Source, open_glyphs, write_glyphs

SIDE = 64
STYLES = ("print", "hand", "brush")  # display faces are no fair test of reading
# script of a report -> group, and pictures of each character in each style
GROUPS: dict[str, tuple[str, dict[str, int]]] = {
    "hiragana": ("hiragana", dict.fromkeys(STYLES, 12)),
    "katakana": ("katakana", dict.fromkeys(STYLES, 12)),
    "level1": ("kanji", {"print": 2, "hand": 1, "brush": 1}),
    "level2": ("kanji", {"print": 2, "hand": 1, "brush": 1}),
    "kanji": ("other kanji", dict.fromkeys(STYLES, 1)),
    "digit": ("ASCII and signs", dict.fromkeys(STYLES, 2)),
    "latin": ("ASCII and signs", dict.fromkeys(STYLES, 2)),
    "punctuation": ("ASCII and signs", dict.fromkeys(STYLES, 2)),
    "other": ("ASCII and signs", dict.fromkeys(STYLES, 2)),
}


@dataclass(frozen=True, slots=True)
class Choice:
    """A glyph that is taken: the file and row, the group and style, and which of its copies this is."""

    file: int
    row: int
    group: str
    style: str
    copy: int


def choose(files: list[GlyphFile]) -> list[Choice]:
    """So many pictures of each character and style as GROUPS says, the families taking turns, and their faces."""
    rows: dict[tuple[str, str], dict[str, list[tuple[int, int]]]] = defaultdict(lambda: defaultdict(list))
    for number, file in enumerate(files):
        upright = np.flatnonzero((file.form == 0) & (file.label > 0))
        for row in upright.tolist():
            char, writer = file.charset.chars[file.label[row]], file.writers[file.writer[row]]
            if file.index[row] == ord(char):  # not a full-width twin of it
                rows[char, file.styles.get(writer, "")][writer.rpartition("/")[0] or writer].append((number, row))
    chosen: list[Choice] = []
    for (char, style), families in sorted(rows.items()):
        group, counts = GROUPS[script_of(char)]
        for copy in range(counts.get(style, 0)):
            faces = families[sorted(families)[copy % len(families)]]
            file, row = faces[(ord(char) + copy // len(families)) % len(faces)]
            chosen.append(Choice(file, row, group, style, copy))
    return chosen


def worn(gray: Gray, em: tuple[float, float, float, float], rng: np.random.Generator) -> Gray:
    """A glyph (H, W) as somebody hands it over: (SIDE, SIDE) uint8, its em square with little paper around."""
    scale = SIDE / (max(em[2] - em[0], em[3] - em[1]) * (1 + rng.uniform(0.0, 0.2)))
    angle, shear = np.deg2rad(rng.normal(0, 1.2)), rng.normal(0, 0.02)
    stretch = np.exp(rng.normal(0, 0.025))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ np.array([[1, shear], [0, 1]])
    matrix = turn * np.array([[stretch, 1 / stretch]]) * scale
    middle = np.array([(em[0] + em[2] - 1) / 2, (em[1] + em[3] - 1) / 2])
    to = (SIDE - 1) / 2 + rng.uniform(-0.02, 0.02, 2) * SIDE
    matrix = np.concatenate([matrix, (to - matrix @ middle)[:, None]], axis=1)
    out = cv2.warpAffine(gray, matrix, (SIDE, SIDE), flags=cv2.INTER_CUBIC, borderValue=255).astype(np.float32)
    if rng.random() < 0.5:
        out = cv2.GaussianBlur(out, (0, 0), rng.uniform(0.4, 1.0))
    paper, ink = rng.uniform(200, 255), rng.uniform(0, 80)
    out = ink + out * ((paper - ink) / 255)
    slope = rng.normal(0, 5, 2)  # gray from the middle to the rim
    at = np.linspace(-1, 1, SIDE)
    out = out + slope[0] * at + slope[1] * at[:, None] + rng.normal(0, rng.uniform(1, 9), out.shape)
    whole = np.clip(out + 0.5, 0, 255).astype(np.uint8)
    if rng.random() < 0.5:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(40, 91))]
        whole = cv2.imdecode(cv2.imencode(".jpg", whole, quality)[1], cv2.IMREAD_GRAYSCALE)
    return np.asarray(whole, np.uint8)


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--seed", default=20261122, show_default=True)
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path))
def main(files: tuple[Path, ...], seed: int, output: Path) -> None:
    """Choose glyphs of FILES and wear them."""
    if output.exists():
        raise DataError(f"{output} exists; frozen sets are written once")
    opened = [open_glyphs(path) for path in files]
    chosen = choose(opened)
    if not chosen:
        raise DataError(f"{', '.join(map(str, files))}: no glyph of the styles {', '.join(STYLES)}; render some")
    licences = {source.licence for file in opened for source in file.sources}
    names = dict.fromkeys(f"{one.group} {one.style}" for one in chosen)

    def glyphs() -> Iterator[Glyph]:
        for one in chosen:
            plain = opened[one.file].glyph(one.row)
            rng = np.random.default_rng([seed, one.file, one.row, one.copy])
            gray = worn(plain.gray, plain.meta["em"], rng)
            yield Glyph(gray, plain.char, plain.writer, f"{one.group} {one.style}", one.row, {"style": one.style})

    written = write_glyphs(
        output,
        glyphs(),
        default(),
        sources=[Source(name, licence=", ".join(sorted(licences - {""}))) for name in names],
        normalisation={"canvas": SIDE, "seed": seed, "of": [file.digest for file in opened]},
    )
    for name in names:
        mine = [one for one in chosen if f"{one.group} {one.style}" == name]
        chars = {opened[one.file].label[one.row] for one in mine}
        click.echo(f"{name}: {len(mine):,} pictures of {len(chars):,} characters", err=True)
    click.echo(f"{output}: {written.glyphs:,} glyphs of {written.writers} writers, digest {written.digest[:12]}")


if __name__ == "__main__":
    try:
        main()
    except JphtrError as error:
        sys.exit(f"valid_glyphs: error: {error}")
