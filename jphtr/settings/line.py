"""Everything that `train-line` can be told."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from jphtr.settings.files import Section
from jphtr.settings.run import OptimSettings, RunSettings, Share


class LineDataSettings(Section):
    """What lines are composed from, and own lines; every stream of lines is a pure function of the run's seed."""

    glyphs: tuple[Path, ...] = Field(default=(), description="glyph files that training lines are composed from")
    texts: tuple[Path, ...] = Field(default=(), description="text files (UTF-8, one sentence a line) for training")
    valid_glyphs: tuple[Path, ...] = Field(default=(), description="glyph files of unseen writers for validation")
    valid_texts: tuple[Path, ...] = Field(default=(), description="text files of unseen documents for validation")
    lines: tuple[Path, ...] = Field(
        default=(), description="own lines with their text: line files of jphtr pack, or anything that it packs"
    )
    lines_share: Share = Field(
        default=0.5, description="part of the lines that are own ones, where there are some; the others are composed"
    )
    lines_varied: Share = Field(
        default=0.7, description="part of the own lines that are slanted, stretched or worn a little, anew each time"
    )
    lines_unknown: Literal["fail", "skip"] = Field(
        default="fail", description="whether own lines with characters outside the charset end the run or are left out"
    )
    charset: str = Field(
        default="default",
        description="default, grade1 (kana, digits, 80 kanji), lines (the characters of the own lines), "
        "or a UTF-8 text file that holds every character once",
    )
    direction: Literal["auto", "both", "horizontal", "vertical"] = Field(
        default="auto",
        description="of the lines that the net is for; composed and own lines of the other one are left out. A net for one "
        "direction reads it better than a net for both. auto: as the model that it starts from, else both",
    )
    drawn: Literal["workers", "device"] = Field(
        default="workers",
        description="where composed lines are drawn: one by one in the worker processes, or on the device of the net, "
        "many at once, which a GPU does sooner",
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
    confusions: tuple[Path, ...] = Field(
        default=(),
        description="results of eval-line --json --confusions 500 whose characters the kind `confused` shows, each as often "
        "as it was misread",
    )
    commas: Share = Field(default=0.0, description="share of lines in which ， stands for 、, and at times ． for 。")
    roman: Share = Field(
        default=0.0,
        description="share of printed lines whose letters and digits come from another face; glyph files may have faces of "
        "the style roman for this",
    )
    vertical: Share = Field(default=0.38, description="share of vertical lines")
    degraded: Share = Field(
        default=0.7, description="share of lines that paper, ink, light, camera or scanner have worn"
    )
    worn_ink: Share = Field(default=0.09, description="chance of each way in which a pen or a press may leave its ink")
    bend: float = Field(
        default=1.0, ge=0, description="how far hands and brushes are bent locally; 1 looks natural, 2 is for training"
    )
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
    deeper: int = Field(
        default=0,
        ge=0,
        description="more residual blocks in the fourth stage; a model that a run starts from gets them",
    )
    freeze_norm: bool = Field(
        default=False, description="keep the statistics of batch norm as they are in the model that a run starts from"
    )
    remember: Share = Field(
        default=0.0,
        description="part of the weights it starts from that is left in the averaged ones at its end; 0 leaves it to ema",
    )


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
    trust: float = Field(
        default=0.0,
        ge=0,
        description="nats a character up to which a line counts in full; one with a greater loss, which perhaps nobody "
        "can read, counts so much less; 0 for all in full",
    )
    sampled: int = Field(
        default=1500, ge=0, description="columns of the softmax that a step computes; 0 computes all of them"
    )
    full_softmax_from: Share = Field(
        default=0.8, description="part of the schedule after which every column is computed"
    )


class TrainLineSettings(Section):
    """Everything that `train-line` can be told."""

    data: LineDataSettings = Field(default_factory=LineDataSettings, description="what lines are made from")
    compose: ComposeSettings = Field(default_factory=ComposeSettings, description="how lines look")
    net: LineNetSettings = Field(default_factory=LineNetSettings, description="the net")
    loss: LineLossSettings = Field(default_factory=LineLossSettings, description="the loss")
    optim: OptimSettings = Field(default_factory=OptimSettings, description="the optimizer")
    run: RunSettings = Field(default_factory=RunSettings, description="the run")


FINE_TUNING: dict[str, object] = {
    "data.batch": 24, "data.pool": 8, "data.lines_share": 0.4, "net.freeze_norm": True, "net.remember": 0.3,
    "loss.ctc_from": 1.0, "loss.ce_from": 0.1, "loss.full_softmax_from": 0.7, "optim.lr": 3e-4, "optim.warmup": 20,
    "run.steps": 100, "run.valid_every": 50,
}  # fmt: skip
"""What `train-line` starts from where a trained model shall learn some own lines: a hundred short steps. What a model
forgets in them is little where batch norm stays as it is and the weights are averaged with those before (Wortsman et al.
2022, robust fine-tuning); `tools/finetune_demo.py` measures it."""
