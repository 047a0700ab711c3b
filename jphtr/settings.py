"""Settings as models: YAML files, `key=value` overrides, and one clear line for every mistake.

A setting is one field here, with its type, its default and one line of description; the YAML file, `-s key=value`,
the commented template and the copy in the run folder follow from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, cast

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from jphtr.errors import SettingsError

Precision = Literal["auto", "fp32", "bf16", "fp16"]
Share = Annotated[float, Field(ge=0, le=1)]


class Section(BaseModel):
    """A frozen group of settings that knows its own names and no others."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class LineDataSettings(Section):
    """What lines are composed from; every stream of lines is a pure function of the run's seed."""

    glyphs: tuple[Path, ...] = Field(default=(), description="glyph files that training lines are composed from")
    texts: tuple[Path, ...] = Field(default=(), description="text files (UTF-8, one sentence a line) for training")
    valid_glyphs: tuple[Path, ...] = Field(default=(), description="glyph files of unseen writers for validation")
    valid_texts: tuple[Path, ...] = Field(default=(), description="text files of unseen documents for validation")
    charset: str = Field(
        default="default",
        description="default, grade1 (kana, digits, 80 kanji), or a UTF-8 text file that holds every character once",
    )
    batch: int = Field(default=32, ge=1, description="lines in a batch")
    pool: int = Field(
        default=16, ge=1, description="batches composed together and sorted by width, so that padding is small"
    )
    max_frames: int = Field(
        default=8192, ge=1, description="frames, padding included, that a net sees at once; larger batches are cut"
    )
    valid_lines: int = Field(default=200, ge=1, description="lines in the fixed validation set")
    valid_seed: int = Field(default=20_000, ge=0, description="seed of the validation set, apart from the run's seed")


class ComposeSettings(Section):
    """How composed lines look and what they say."""

    styles: dict[str, float] = Field(
        default={
            "print": 0.4,
            "hand": 0.22,
            "brush": 0.16,
            "display": 0.02,
            "pen": 0.07,
            "ballpoint": 0.05,
            "pencil": 0.03,
            "marker": 0.05,
        },
        description="weight of each style of writer; styles without a writer are left out",
    )
    mix: dict[str, float] = Field(
        default={
            "sentence": 0.34, "flattened": 0.16, "rare": 0.15, "random": 0.06, "old": 0.08, "address": 0.04,
            "word": 0.04, "date": 0.03, "amount": 0.05, "latin": 0.03, "katakana": 0.02,
        },
        description="weight of each kind of text",
    )  # fmt: skip
    addresses: tuple[Path, ...] = Field(default=(), description="files of addresses, one a line")
    words: tuple[Path, ...] = Field(default=(), description="files of names and words; of a .tsv the first column")
    vertical: Share = Field(default=0.38, description="share of vertical lines")
    degraded: Share = Field(
        default=0.7, description="share of lines that paper, ink, light, camera or scanner have worn"
    )
    worn_ink: Share = Field(default=0.09, description="chance of each way in which a pen or a press may leave its ink")
    neighbours: Share = Field(default=0.15, description="share of lines with parts of other lines in the picture")
    empty: Share = Field(default=0.015, description="share of pictures without any text")
    em_px: tuple[float, float] = Field(default=(12.0, 56.0), description="least and most pixels of one character")
    min_chars: int = Field(default=1, ge=1, description="characters in the shortest line")
    max_chars: int = Field(default=30, ge=1, description="characters in the longest line")


class LineNetSettings(Section):
    """The shape of the line net."""

    widths: tuple[int, int, int, int] = Field(
        default=(32, 64, 128, 256), description="channels of the four stages of the trunk"
    )
    hidden: int = Field(default=256, ge=1, description="LSTM units in each direction")
    bottleneck: int = Field(default=192, ge=1, description="size of the features under the output layer")


class LineLossSettings(Section):
    """Framewise cross-entropy from the composer's boxes leads the way into CTC; both count per character."""

    ctc_from: float = Field(default=0.05, ge=0, description="weight of CTC at the start")
    ctc_to: float = Field(default=1.0, ge=0, description="weight of CTC once it has been raised")
    ctc_until: Share = Field(default=0.1, description="part of the schedule over which the weight of CTC is raised")
    ce_from: float = Field(default=1.0, ge=0, description="weight of the framewise cross-entropy at the start")
    ce_to: float = Field(
        default=0.1, ge=0, description="weight that it keeps, so that spikes stay in the middle of glyphs"
    )
    ce_until: Share = Field(default=0.5, description="part of the schedule over which its weight is lowered")
    blank: float = Field(
        default=0.3, ge=0, description="weight of a blank frame in the cross-entropy; a character's frame has 1"
    )
    sampled: int = Field(
        default=1500, ge=0, description="columns of the softmax that a step computes; 0 computes all of them"
    )
    full_softmax_from: Share = Field(
        default=0.8, description="part of the schedule after which every column is computed"
    )


class OptimSettings(Section):
    """AdamW under a warm-up and a decay to zero."""

    lr: float = Field(default=2e-3, gt=0, description="highest learning rate")
    warmup: int = Field(default=300, ge=0, description="steps over which the learning rate is raised")
    decay: Literal["linear", "cosine"] = Field(default="linear", description="how the learning rate falls to zero")
    betas: tuple[float, float] = Field(default=(0.9, 0.99), description="decay of AdamW's two moments")
    weight_decay: float = Field(
        default=0.02, ge=0, description="weight decay of matrices and kernels; biases and norms have none"
    )
    clip: float = Field(default=2.0, gt=0, description="largest norm of the gradient")
    accumulate: int = Field(default=1, ge=1, description="batches whose gradients make one step")
    ema: float = Field(
        default=0.999, ge=0, lt=1, description="decay of the averaged weights, which are what is kept and scored"
    )


class RunSettings(Section):
    """How long, where, and how often things are written."""

    steps: int = Field(default=100_000, ge=1, description="optimizer steps of the whole schedule")
    max_minutes: float | None = Field(
        default=None, gt=0, description="time of the whole schedule; whichever ends first, steps or this"
    )
    seed: int = Field(default=1, ge=0, description="seed of the weights and of the stream of lines")
    workers: int = Field(default=1, ge=0, description="processes that compose lines; 0 composes between the steps")
    threads: int = Field(
        default=0, ge=0, description="threads of the net on the CPU; 0 takes the cores that the workers leave"
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="where the net runs; auto takes a GPU when there is one"
    )
    precision: Precision = Field(default="auto", description="auto is bf16 on a GPU or a CPU with AMX, else fp32")
    valid_every: int = Field(default=1000, ge=1, description="steps between validations")
    log_every: int = Field(default=50, ge=1, description="steps that one row of metrics.jsonl sums up")
    save_minutes: float = Field(
        default=3.0, gt=0, description="minutes between checkpoints; every validation writes one too"
    )
    tensorboard: bool = Field(default=True, description="write curves for TensorBoard, where it is installed")
    patience: int = Field(
        default=0, ge=0, description="validations without a better CER after which training stops; 0 never stops"
    )


class TrainLineSettings(Section):
    """Everything that `train-line` can be told."""

    data: LineDataSettings = Field(default_factory=LineDataSettings, description="what lines are made from")
    compose: ComposeSettings = Field(default_factory=ComposeSettings, description="how lines look")
    net: LineNetSettings = Field(default_factory=LineNetSettings, description="the net")
    loss: LineLossSettings = Field(default_factory=LineLossSettings, description="the loss")
    optim: OptimSettings = Field(default_factory=OptimSettings, description="the optimizer")
    run: RunSettings = Field(default_factory=RunSettings, description="the run")


S = TypeVar("S", bound=Section)


def load(model: type[S], path: Path | None = None, overrides: Iterable[str] = ()) -> S:
    """Settings from a YAML file, if there is one, with `key=value` overrides on top.

    Parameters
    ----------
    model : the settings class to read.
    path : YAML file; None starts from the defaults.
    overrides : texts such as "optim.lr=1e-3"; the value is read as YAML.

    Raises
    ------
    SettingsError
        If the file cannot be read, or a name is unknown, or a value impossible; the message names the place.
    """
    settings = model() if path is None else _build(model, _read(path), str(path))
    for override in overrides:
        settings = replace(settings, override)
    return settings


def replace(settings: S, override: str) -> S:
    """A copy of the settings with one `key=value` applied.

    Raises
    ------
    SettingsError
        If the text is not `key=value`, or the key or the value does not fit.
    """
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise SettingsError(f"-s {override}: not of the form key=value, such as run.steps=1000")
    try:
        value = _number(yaml.safe_load(text))
    except yaml.YAMLError:
        raise SettingsError(f"-s {override}: the value is not YAML; put it in quotes") from None
    return assign(settings, {key.strip(): value}, f"-s {override}")


def assign(settings: S, values: Mapping[str, Any], where: str = "settings") -> S:
    """A copy of the settings with dotted keys such as "run.seed" set to values.

    Raises
    ------
    SettingsError
        If a key or a value does not fit; `where` opens the message.
    """
    data = settings.model_dump()
    for key, value in values.items():
        *sections, name = key.split(".")
        place: dict[str, Any] = data
        for depth, section in enumerate(sections):
            inner = place.get(section)
            if not isinstance(inner, dict):
                known = ".".join(sections[: depth + 1])
                raise SettingsError(f"{where}: {known}: unknown section; choose from {', '.join(place)}")
            place = inner
        if isinstance(place.get(name), dict) and not isinstance(value, dict):
            raise SettingsError(
                f"{where}: {key} is a section; set one of {', '.join(f'{key}.{k}' for k in place[name])}"
            )
        place[name] = value
    return _build(type(settings), data, where)


def to_yaml(settings: Section) -> str:
    """The settings as YAML, every line under its description: a template and the record of a run in one."""
    data = settings.model_dump(mode="json")
    lines: list[str] = []

    def write(model: type[Section], values: dict[str, Any], indent: str) -> None:
        for name, field in model.model_fields.items():
            value = values[name]
            kind = field.annotation
            if isinstance(kind, type) and issubclass(kind, Section):
                lines.append(f"{indent}{name}:  # {field.description}")
                write(kind, value, indent + "  ")
            else:
                text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10_000)
                text = text.removesuffix("...\n").strip()
                lines.append(f"{indent}{name}: {text}  # {field.description}")

    write(type(settings), data, "")
    return "\n".join(lines) + "\n"


def _read(path: Path) -> dict[str, Any]:
    try:
        data = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}; give an existing YAML file") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path}: not UTF-8 text; save it as UTF-8") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "broken"
        raise SettingsError(f"{path}{line}: not YAML: {problem}; correct it") from None
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise SettingsError(f"{path}: holds no mapping; write sections such as run: and optim:")
    return cast(dict[str, Any], _number(data))


def _number(value: Any) -> Any:
    """YAML 1.1 reads 1e-3 as text (it wants 1.0e-3); people mean the number."""
    if isinstance(value, dict):
        return {key: _number(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_number(inner) for inner in value]
    if isinstance(value, str) and "e" in value.lower() and value[:1] in "+-.0123456789":
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _build(model: type[S], data: dict[str, Any], where: str) -> S:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        loc = [str(part) for part in first["loc"]]
        key = ".".join(loc)
        if first["type"] == "extra_forbidden":
            section = _section(model, loc[:-1])
            kind = "setting" if len(loc) > 1 else "section or setting"
            raise SettingsError(
                f"{where}: {key}: unknown {kind}; choose from {', '.join(section.model_fields)}"
            ) from None
        if first["type"] == "missing":
            raise SettingsError(f"{where}: {'.'.join(loc[:-1])}: too short; give every one of its values") from None
        message = first["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
        raise SettingsError(f"{where}: {key}: {first['input']!r} will not do; it should be {message}") from None


def _section(model: type[Section], names: list[str]) -> type[Section]:
    """The class of the section that lies at `names` inside `model`."""
    for name in names:
        inner = model.model_fields[name].annotation
        if isinstance(inner, type) and issubclass(inner, Section):
            model = inner
    return model
