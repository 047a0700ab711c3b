"""Glyph files -> which of their glyphs are learned, which validate, and which one comes when.

Pixels stay on the disk: what lies in memory of a glyph are some forty bytes of columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jphtr.charset import Charset, fold
from jphtr.errors import DataError, SettingsError
from jphtr.settings import CharDataSettings
from jphtr.sources.fonts_faces import SUFFIXES
from jphtr.splits import SPLITS, part_of
from jphtr.store import GlyphFile, open_glyphs
from jphtr.training.scripts import KUZUSHIJI, charset_of, script_names

HOME = Path("datasets")  # where glyph files are looked for when none is named
SYNTHETIC = "synthetic"  # the name of data that do not exist yet
_OLD = frozenset({"KMNIST", "K49", "KKANJI"})  # sources of letters from old books, which look otherwise
_TRAIN, _VALID, _TEST = SPLITS["train"], SPLITS["valid"], SPLITS["test"]


@dataclass(frozen=True, slots=True, eq=False)
class GlyphSet:
    """Some glyphs of some files.

    Attributes
    ----------
    files : the files.
    file, row : (N,) which of them, and where in it.
    label : (N,) int32 in the charset that is learned.
    weight : (N,) float64 how often each is shown, beside the others.
    """

    files: tuple[GlyphFile, ...]
    file: NDArray[np.int16]
    row: NDArray[np.int32]
    label: NDArray[np.int32]
    weight: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.row)

    def take(self, places: NDArray[np.intp] | NDArray[np.bool_]) -> GlyphSet:
        """The glyphs at some places, or where a mask is true."""
        return GlyphSet(self.files, self.file[places], self.row[places], self.label[places], self.weight[places])


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is learned and what validates, and what a person should know of how that came about."""

    charset: Charset
    train: GlyphSet
    valid: GlyphSet
    notes: tuple[str, ...]


def find(files: Sequence[Path], script: str) -> tuple[Path, ...]:
    """The glyph files to learn from: those that are named, or all that lie under `datasets/`.

    Of the latter, letters from old books are taken for the script kuzushiji and left alone for the others.

    Raises
    ------
    DataError
        If none is named and none lies there, or one cannot be read.
    """
    names = set(script_names(script))
    if files:
        return tuple(files)
    found: list[Path] = []
    for path in sorted(HOME.rglob("*.h5")):
        with open_glyphs(path) as file:
            old = bool(file.sources) and {source.name for source in file.sources} <= _OLD
        if KUZUSHIJI in names if old else names != {KUZUSHIJI}:
            found.append(path)
    if not found:
        archive = (
            "jphtr unpack-kuzushiji FILES -o datasets/kuzushiji.h5"
            if names == {KUZUSHIJI}
            else "an archive (jphtr unpack-etl FILES -o datasets/etl.h5), from fonts (jphtr render-fonts FONTS -o "
            "datasets/fonts.h5) or strokes (jphtr render-strokes TABLE -o datasets/strokes.h5); --data synthetic makes a small one"
        )
        raise DataError(f"{HOME}/: no glyph file for {script} here; name some with --data, or make one from {archive}")
    return tuple(found)


def choose(settings: CharDataSettings, charset: Charset | None = None) -> Chosen:
    """Open glyph files, and choose what is learned and what validates.

    Validation glyphs are those of `valid`; else those that the files themselves call so; else those of a tenth of the
    writers (`splits.part_of`; a face of a font counts with its family), another tenth being left for a test; else, where
    writers are too few for that, a tenth of the glyphs. What a file calls its test part is never looked at, and forms
    for vertical lines are left out.

    Parameters
    ----------
    settings : with `files` named.
    charset : to learn, if it is settled; None takes what `settings.script` means.

    Raises
    ------
    DataError
        If a file cannot be read, or none of them holds a glyph of the script.
    SettingsError
        If there is no such script, or a weight names no file.
    """
    files = tuple(open_glyphs(path) for path in settings.files)
    if charset is None:
        found = {fold(file.charset.chars[label]) for file in files for label in np.unique(file.label).tolist() if label}
        charset = charset_of(settings.script, found)
    notes: list[str] = []
    named = [p.stem for p in settings.files]
    for key in settings.weights:
        if key not in named:
            raise SettingsError(f"data.weights: no data file is called {key}; there are {', '.join(named)}")
    everything = _gather(files, charset)
    for place, file in enumerate(files):
        if not (everything.file == place).any():
            notes.append(f"{file.path}: no glyph of {settings.script}; it is left out")
        elif (together := file.gray.chunks or (1,))[0] > 1:
            notes.append(
                f"{file.path}: its pictures are packed by {together[0]}, which makes reading them in any order slow; "
                "write it again"
            )
    if not len(everything):
        paths = ", ".join(map(str, settings.files))
        raise DataError(f"{paths}: no glyph of {settings.script}; choose another --script or other --data")
    split = _column(everything, [_splits(file) for file in files])
    if settings.valid:
        valid_files = tuple(open_glyphs(path) for path in settings.valid)
        valid = _gather(valid_files, charset)
        told = _column(valid, [_splits(file) for file in valid_files])
        valid = valid.take(told == _VALID if (told == _VALID).any() else told != _TEST)
        if not len(valid):
            paths = ", ".join(map(str, settings.valid))
            raise DataError(f"{paths}: no glyph of {settings.script} outside of test parts; name others with --valid")
    else:
        if not (split == _VALID).any():
            split, note = _own_split(everything, split)
            notes.append(note)
        valid = everything.take(split == _VALID)
    train = everything.take((split == 0) | (split == _TRAIN))
    if not len(train):
        paths = ", ".join(map(str, settings.files))
        raise DataError(
            f"{paths}: all glyphs of {settings.script} are in the valid or test part; name files to learn from"
        )
    known = np.bincount(train.label, minlength=len(charset)) > 0
    if missing := [char for label, char in enumerate(charset.chars) if label and not known[label]]:
        notes.append(
            f"{len(missing)} of {len(charset) - 1} characters have no glyph to learn from: {''.join(missing[:40])}"
        )
    return Chosen(charset, _weighed(train, settings, len(charset)), _spread(valid, settings.valid_glyphs), tuple(notes))


def _gather(files: tuple[GlyphFile, ...], charset: Charset) -> GlyphSet:
    """All upright glyphs whose character is in the charset."""
    parts: list[GlyphSet] = []
    for place, file in enumerate(files):
        to_label = np.array([charset.label(c) if c and charset.covers(c) else 0 for c in file.charset.chars], np.int32)
        label = to_label[file.label]
        row = np.flatnonzero((label > 0) & (file.form == 0)).astype(np.int32)
        parts.append(GlyphSet(files, np.full(len(row), place, np.int16), row, label[row], np.ones(len(row))))
    return GlyphSet(
        files,
        np.concatenate([part.file for part in parts]),
        np.concatenate([part.row for part in parts]),
        np.concatenate([part.label for part in parts]),
        np.concatenate([part.weight for part in parts]),
    )


def _column(glyphs: GlyphSet, columns: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """A column of each file, for the glyphs of a set."""
    out = np.zeros(len(glyphs), np.uint8)
    for place, column in enumerate(columns):
        mine = glyphs.file == place
        out[mine] = column[glyphs.row[mine]]
    return out


def _splits(file: GlyphFile) -> NDArray[np.uint8]:
    """The part of every glyph as its file tells it, 0 where it does not."""
    if not any("split" in names for names in file.columns.values()):
        return np.zeros(len(file), np.uint8)
    return file.column("split").astype(np.uint8)


def _own_split(glyphs: GlyphSet, split: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], str]:
    """The part of every glyph whose file has no valid part, and how it was found."""
    mine = _column(glyphs, [_parts(file) for file in glyphs.files])
    mine = np.where(split == _TEST, _TEST, mine)
    if (mine == _VALID).any() and (mine == _TRAIN).sum() >= len(mine) // 2:
        return mine, "no valid part in the data: a tenth of the writers validates, another tenth is left for a test"
    mine = np.where(np.random.default_rng(0).random(len(glyphs)) < 0.1, _VALID, _TRAIN).astype(np.uint8)
    note = (
        "too few writers for a split: a tenth of the glyphs validates, by writers who are learned from: scores flatter"
    )
    return np.where(split == _TEST, _TEST, mine), note


def _parts(file: GlyphFile) -> NDArray[np.uint8]:
    """The part of every glyph by its writer's key; that of a font's face is its family."""
    drawn = np.array([source.name.lower().endswith(SUFFIXES) for source in file.sources] or [False])
    from_font = np.zeros(len(file.writers), bool)
    from_font[file.writer[drawn[np.minimum(file.source, len(drawn) - 1)]]] = True
    keys = (
        writer.rpartition("/")[0] or writer if font else writer
        for writer, font in zip(file.writers, from_font, strict=True)
    )
    return np.array([part_of(key) for key in keys], np.uint8)[file.writer]


def _weighed(glyphs: GlyphSet, settings: CharDataSettings, classes: int) -> GlyphSet:
    """The glyphs with how often each is shown: by file, style, and how rare its character is."""
    weight = np.ones(len(glyphs))
    for place, file in enumerate(glyphs.files):
        mine = glyphs.file == place
        style = np.array([settings.styles.get(file.styles.get(writer, ""), 1.0) for writer in file.writers])
        weight[mine] = settings.weights.get(file.path.stem, 1.0) * style[file.writer[glyphs.row[mine]]]
    shown = weight > 0
    glyphs, weight = glyphs.take(shown), weight[shown]
    if not len(glyphs):
        raise SettingsError("data.weights, data.styles: no glyph is left; give some of them a weight above 0")
    mass = np.bincount(glyphs.label, weight, classes)
    weight *= mass[glyphs.label] ** -settings.balance
    return GlyphSet(glyphs.files, glyphs.file, glyphs.row, glyphs.label, weight)


def _spread(glyphs: GlyphSet, most: int) -> GlyphSet:
    """At most so many glyphs, of as many characters as there are, then a second one of each, and so on."""
    if len(glyphs) <= most:
        return glyphs
    shuffled = np.random.default_rng(0).permutation(len(glyphs))
    by_label = shuffled[np.argsort(glyphs.label[shuffled], kind="stable")]
    label = glyphs.label[by_label]
    turn = np.arange(len(label)) - np.searchsorted(label, label)  # 0 for the first of each character
    return glyphs.take(np.sort(by_label[np.argsort(turn, kind="stable")[:most]]))


class Order:
    """Which glyph comes when: place i of an endless sequence, a pure function of the seed and i.

    Every stretch of as many places as there are glyphs shows each as often as its weight says, rounded up or down, in
    an order of its own.
    """

    def __init__(self, glyphs: GlyphSet, seed: int) -> None:
        total = np.cumsum(glyphs.weight)
        self._until = total / total[-1]
        self._seed = seed
        self._epoch, self._places = -1, np.empty(0, np.intp)

    def at(self, places: Iterable[int]) -> NDArray[np.intp]:
        """Which glyphs of the set stand at some places."""
        return np.array([self._glyph(*divmod(place, len(self._until))) for place in places], np.intp)

    def _glyph(self, epoch: int, place: int) -> int:
        if epoch != self._epoch:
            rng = np.random.default_rng([self._seed, epoch, 4])
            count = len(self._until)
            ticks = (np.arange(count) + rng.uniform(0.01, 0.99)) / count
            drawn = np.minimum(np.searchsorted(self._until, ticks), count - 1)
            self._epoch, self._places = epoch, rng.permutation(drawn)
        return int(self._places[place])
