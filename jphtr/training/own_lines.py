"""Own lines, from line files, as training and validation take them: beside composed lines or instead of them.

An own line has no boxes, so it teaches by CTC alone; composed ones keep teaching where characters stand. Which line
comes when follows from the random numbers of its place in the stream, as for composed lines.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from jphtr.bundle import LINE_MODELS, read_header
from jphtr.charset import Charset, fold
from jphtr.compose import Composer
from jphtr.compose.paper import PAPERS
from jphtr.compose.plan import Plan, Planner
from jphtr.errors import CharsetError, DataError, SettingsError
from jphtr.records import Direction, Gray, Line
from jphtr.settings import TrainLineSettings, assign
from jphtr.sources.lines_pack import Packed, Packing, pack
from jphtr.splits import SPLITS
from jphtr.store.lines import is_line_file, open_lines
from jphtr.training.checkpoint import Resize, resized
from jphtr.training.loader import LineSource, sample
from jphtr.training.loop import Open, read_charset
from jphtr.training.run_folder import CHARSET, CONFIG
from jphtr.whole import write_whole

Rng = np.random.Generator

IN_PACKAGE = Path("-")  # what `load` is called where it is a model of the package
PACKED, CHARACTERS = "lines.h5", "characters.txt"  # what a run folder holds of own lines that were not packed before
_NAMED = 20  # characters named in a message

# What a scan may suffer beyond what it has suffered already, with the chance of each: milder than for composed lines.
_WORN = {"texture": 0.15, "shadow": 0.1, "low_resolution": 0.08, "blur": 0.15, "gamma": 0.1, "noise": 0.15, "jpeg": 0.2}


@dataclass(frozen=True, slots=True)
class Prepared:
    """Settings whose own lines are line files, whose charset holds their characters and whose direction is known.

    Attributes
    ----------
    settings : these.
    notes : what there is to say.
    load : the file of the model to start from, if there is one.
    """

    settings: TrainLineSettings
    notes: tuple[str, ...] = ()
    load: Path | None = None


class OwnLines:
    """The lines of one part of some line files, drawn at random.

    Parameters
    ----------
    files : line files.
    charset : lines with other characters are left out.
    part : train, valid or test.
    varied : part of the lines that are slanted, stretched or worn a little.
    direction : lines of another are left out, if it is horizontal or vertical.

    Attributes
    ----------
    left_out : lines of the part and direction with characters outside the charset.
    """

    def __init__(
        self, files: Sequence[Path], charset: Charset, part: str, varied: float = 0.0, direction: str = "both"
    ) -> None:
        cv2.setNumThreads(1)
        self.files = [open_lines(path) for path in files]
        self.varied = varied
        rows = [
            (number, row)
            for number, file in enumerate(self.files)
            for row in np.flatnonzero(file.split == SPLITS[part]).tolist()
            if direction not in LINE_MODELS or file.runs(row) == direction
        ]
        kept = [(number, row) for number, row in rows if not charset.missing(self.files[number].text(row))]
        self.rows = np.array(kept, np.int64).reshape(-1, 2)
        self.left_out = len(rows) - len(kept)
        self.close()

    def close(self) -> None:
        """Let go of the files; the process that reads a line next opens them: handles must not cross a fork."""
        for file in self.files:
            file.close()

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, place: int) -> Line:
        number, row = map(int, self.rows[place])
        return self.files[number].line(row)

    def line(self, rng: Rng) -> Line:
        """A line at random, as it is or varied."""
        line = self[int(rng.integers(len(self)))]
        if rng.random() >= self.varied:
            return line
        gray = np.rot90(line.gray) if line.direction == "vertical" else line.gray
        gray = vary(np.ascontiguousarray(gray), rng)
        if line.direction == "vertical":
            gray = np.ascontiguousarray(np.rot90(gray, -1))
        return Line(gray, line.text, line.writer, line.source, line.direction)


class InOrder:
    """Lines one after the other, whatever the random numbers: a validation set holds each of them once."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self.lines, self.next = lines, 0

    def line(self, rng: Rng) -> Line:
        """The next line; after the last the first again."""
        self.next += 1
        return self.lines[(self.next - 1) % len(self.lines)]


class Mixed:
    """Own lines beside composed ones or plans of them, `share` of them own."""

    def __init__(self, own: LineSource, composed: LineSource, share: float) -> None:
        self.own, self.composed, self.share = own, composed, share
        self.grays: Sequence[Gray] = composed.grays if isinstance(composed, Planner) else ()

    def line(self, rng: Rng) -> Line | Plan:
        """A line of either kind."""
        return (self.own if rng.random() < self.share else self.composed).line(rng)


def vary(gray: Gray, rng: Rng) -> Gray:
    """A line (H, W), 255 paper, reading axis left to right, as the same hand might write it again, scanned again.

    Slant, proportions and a slight tilt; then some of what paper, lens and encoder do.
    """
    height, width = gray.shape
    stretch = float(np.exp(rng.normal(0, 0.07)))
    slant = float(rng.normal(0, 0.07))
    tilt = float(np.clip(rng.normal(0, 0.006), -0.05 * height / width, 0.05 * height / width))
    tall = float(np.exp(rng.normal(0, 0.03)))
    size = (max(4, round(width * stretch)), height)
    middle = height / 2
    matrix = np.array([[stretch, slant, -slant * middle], [tilt, tall, (1 - tall) * middle - tilt * width / 2]])
    out: Gray = cv2.warpAffine(gray, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    drawn = rng.random(len(_WORN)).tolist()
    for (name, chance), number in zip(_WORN.items(), drawn, strict=True):
        if number < chance:
            out = PAPERS[name][0](out, 0.8 * height, rng)
    return out


def prepare(
    settings: TrainLineSettings,
    folder: Path,
    *,
    load: Path | None = None,
    resize: Resize = "fail",
    resume: bool = False,
) -> Prepared:
    """Make a run ready: pack own lines that are not in line files, count them, see to the charset, and choose the direction.

    Parameters
    ----------
    settings : of the run.
    folder : of the run; what has to be written goes there.
    load, resize : the model to start from, `IN_PACKAGE` for one of the package, and whether it may get the characters that
        own lines need.
    resume : whether the run goes on; then everything is there.

    Raises
    ------
    DataError
        If own lines cannot be read, or none is left to learn from or to validate with.
    CharsetError
        If they hold characters that the charset lacks, and nothing was said about that.
    SettingsError
        If the folder holds another run, whose lines must not be written over.
    ModelError
        If the model to start from cannot be read.
    """
    if not settings.data.lines:
        return Prepared(*_directed(settings, (), load, resume))
    if not resume and (folder / CONFIG).exists():
        raise SettingsError(f"{folder}: holds a run; continue it with --resume {folder}, or choose another folder")
    notes: list[str] = []
    files = _line_files(settings.data.lines, folder, notes)
    settings, said, load = _directed(settings, files, load, resume)
    notes += said
    data = settings.data
    if not data.glyphs and data.lines_share < 1:
        settings = assign(settings, {"data.lines_share": 1.0})
        if load is not None and not resume:
            notes.append(
                "no glyph files: it learns from own lines alone, and forgets what these do not show; name data.glyphs"
            )
    if not resume:
        wanted = _wanted(settings, files, folder, resize)
        settings = assign(settings, {"data.lines": files, "data.charset": wanted})
        charset = read_charset(wanted)
        header = read_header(load) if load is not None else None
        if header is not None and load is not None and header.kind == "line":
            charset = resized(header.characters, charset, resize, load)
    else:
        charset = read_charset(str(folder / CHARSET))
    train, valid = (OwnLines(files, charset, part, direction=data.direction) for part in ("train", "valid"))
    usable, dense = validation(valid, charset, data.valid_lines, data.valid_seed)
    which = f"{data.direction} line" if data.direction in LINE_MODELS else "line"
    if not len(train):
        raise DataError(f"{_named(files)}: no {which} to learn from; pack them again with --split line")
    if not usable and not data.glyphs:
        raise DataError(f"{_named(files)}: no {which} to validate with; pack them again with --split line")
    about = f"own lines: {len(train)} to learn from, {len(usable)} to validate with"
    if left_out := train.left_out + valid.left_out:
        about += f"; {left_out} left out, whose characters the charset lacks"
    if dense:
        about += f"; {dense} of those for validation left out, which have more characters than frames"
    notes.append(about)
    if usable:
        settings = assign(settings, {"data.valid_lines": len(usable)})
    return Prepared(settings, tuple(notes), load)


def _directed(
    settings: TrainLineSettings, files: Sequence[Path], load: Path | None, resume: bool
) -> tuple[TrainLineSettings, tuple[str, ...], Path | None]:
    """The settings with a direction in place of auto, what there is to say, and the file of the model to start from."""
    if resume:
        return settings, (), load
    direction: str = settings.data.direction
    notes: list[str] = []
    if direction == "auto":
        direction = "both"
        if load == IN_PACKAGE:
            first, *others = _ways(files) or ["horizontal", "vertical"]
            if others:
                notes.append("a net for lines of both directions; one for each (data.direction) would read better")
            else:
                direction = first
                notes.append(f"own lines are {first}, and so is what the net is for; -s data.direction=both for all")
        elif load is not None and (of := read_header(load).direction):
            direction = of
            notes.append(f"{load} is for {of} lines, and so is what it becomes; -s data.direction=both for all")
    if load == IN_PACKAGE:
        load = LINE_MODELS["vertical" if direction == "vertical" else "horizontal"]
    return assign(settings, {"data.direction": direction}), tuple(notes), load


def _ways(files: Sequence[Path]) -> list[Direction]:
    """The directions of the lines to learn from, the commoner first."""
    counts: Counter[Direction] = Counter()
    for path in files:
        with open_lines(path) as file:
            counts.update(file.runs(row) for row in np.flatnonzero(file.split == SPLITS["train"]).tolist())
    return [way for way, _ in counts.most_common()]


def sources(settings: TrainLineSettings) -> tuple[Open, Open | None]:
    """What opens the training lines and the validation lines of settings, which `prepare` has seen if they name own lines.

    Own lines of the part valid validate, where there are any; else composed ones do, and None takes them as training does.
    """
    data, compose = settings.data, settings.compose
    if data.direction in LINE_MODELS:
        compose = compose.model_copy(update={"vertical": float(data.direction == "vertical")})
    composers: list[Composer] = []  # glyphs fill gigabytes: validation takes the composer that is there, if it may

    def open_source(charset: Charset) -> LineSource:
        if data.glyphs:
            composers.append(Composer(compose, charset, data.glyphs, data.texts))
        own = OwnLines(data.lines, charset, "train", data.lines_varied, data.direction) if data.lines else None
        if not composers:
            return own or OwnLines((), charset, "train")
        composed: LineSource = Planner(composers[-1]) if data.drawn == "device" else composers[-1]
        return Mixed(own, composed, data.lines_share) if own else composed

    def open_valid(charset: Charset) -> LineSource:
        own = OwnLines(data.lines, charset, "valid", direction=data.direction)
        kept, _ = validation(own, charset, data.valid_lines, data.valid_seed)
        if kept:
            return InOrder(kept)
        if composers and not (data.valid_glyphs or data.valid_texts):
            return composers[-1]
        return Composer(compose, charset, data.valid_glyphs or data.glyphs, data.valid_texts or data.texts)

    return open_source, open_valid if data.lines or data.valid_glyphs or data.valid_texts else None


def validation(own: OwnLines, charset: Charset, count: int, seed: int) -> tuple[list[Line], int]:
    """At most `count` lines of a part, in their order, and how many were passed over because they are too dense to read.

    Which ones follows from the seed; asked for as many as came of it, it gives the same again.
    """
    kept: dict[int, Line] = {}
    passed = 0
    for place in np.random.default_rng([seed, 3]).permutation(len(own)).tolist():
        if len(kept) == count:
            break
        line = own[place]
        if sample(line, charset) is None:
            passed += 1
        else:
            kept[place] = line
    own.close()
    return [kept[place] for place in sorted(kept)], passed


def _line_files(paths: Iterable[Path], folder: Path, notes: list[str]) -> list[Path]:
    """The line files among some paths, and one in the run folder with the lines of the others."""
    paths = list(paths)
    others = [path for path in paths if not is_line_file(path)]
    if not others:
        return paths
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise SettingsError(
            f"data.lines: {others[0]} is no line file; with several processes, make one with jphtr pack"
        )
    errors: list[DataError] = []
    packed = pack(others, folder / PACKED, Packing(), on_error=errors.append)
    notes += [f"left out: {error}" for error in errors[:_NAMED]]
    if len(errors) > _NAMED:
        notes.append(f"and {len(errors) - _NAMED} more were left out")
    notes += _divided(packed)
    return [*(path for path in paths if path not in others), folder / PACKED]


def _divided(packed: Packed) -> list[str]:
    if packed.divided == "line":
        return ["own lines are of one writer: a tenth validates, so its scores are those of a known hand"]
    return ["own lines are of few writers: some whole ones validate"] if packed.divided else []


def _wanted(settings: TrainLineSettings, files: Sequence[Path], folder: Path, resize: Resize) -> str:
    """The charset setting with the characters of own lines in it.

    Raises
    ------
    CharsetError
        If it lacks some, and they are neither to be added nor to be left out.
    """
    data = settings.data
    found: dict[str, None] = {}
    for path in files:
        with open_lines(path) as file:
            used = np.flatnonzero((file.split == SPLITS["train"]) | (file.split == SPLITS["valid"]))
            for row in used.tolist():
                found |= dict.fromkeys(fold(file.text(row)))
    if data.charset == "lines":
        return _characters(folder, sorted(found))
    charset = read_charset(data.charset)
    missing = sorted(c for c in found if c not in charset.chars)
    if not missing or (resize == "fail" and data.lines_unknown == "skip"):
        return data.charset
    if resize == "fail":
        some = "".join(missing[:_NAMED]) + (" ..." if len(missing) > _NAMED else "")
        raise CharsetError(
            f"{_named(files)}: {len(missing)} characters that the charset lacks: {some}; add them with --resize union, "
            "or leave their lines out with -s data.lines_unknown=skip"
        )
    return _characters(folder, [*charset.chars[1:], *missing])


def _characters(folder: Path, chars: Iterable[str]) -> str:
    """The name of a charset file in the run folder with these characters."""
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / CHARACTERS, Charset(chars).to_text().encode())
    return str(folder / CHARACTERS)


def _named(files: Sequence[Path]) -> str:
    return ", ".join(map(str, files))
