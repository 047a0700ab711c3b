"""Everything that `train-char` can be told."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from jphtr.settings.files import Section
from jphtr.settings.run import Decay, OptimSettings, RunSettings, Share


class CharDataSettings(Section):
    """Which characters, from which glyph files, how often."""

    script: str = Field(
        default="",
        description="hiragana, katakana, kanji (JIS X 0208), marks (々〆〇仝), kuzushiji (what the data hold),"
        " all (the whole charset), or several joined by +",
    )
    files: tuple[Path, ...] = Field(default=(), description="glyph files to learn from; empty takes those in datasets/")
    valid: tuple[Path, ...] = Field(
        default=(),
        description="glyph files of unseen writers; empty takes the files' own split, or a tenth of the writers",
    )
    valid_glyphs: int = Field(default=4000, ge=1, description="most glyphs in the fixed validation set")
    valid_worn: float = Field(
        default=0.0, ge=0, le=3, description="strength of the augmentations on validation glyphs; 0 leaves them clean"
    )
    batch: int = Field(default=128, ge=1, description="glyphs in a batch")
    balance: Share = Field(
        default=0.5, description="how far rare characters are shown more often: 0 as they come, 1 all alike"
    )
    weights: dict[str, float] = Field(
        default={}, description="how often the glyphs of a file are shown, by its name without .h5; others count 1"
    )
    styles: dict[str, float] = Field(
        default={}, description="how often glyphs of a style such as brush are shown; others count 1"
    )


class AugmentSettings(Section):
    """What happens to a glyph on its way to the net: how it is cut out, how it suffers, and what it is mixed with."""

    strength: float = Field(
        default=1.0, ge=0, le=3, description="strength of the augmentations that `chances` names; 0 is none"
    )
    chances: dict[str, Share] = Field(
        default={
            "affine": 0.8, "perspective": 0.15, "elastic": 0.5, "neighbours": 0.08,
            "thicken": 0.12, "thin": 0.15, "spread": 0.06, "breaks": 0.05, "dry": 0.03, "ragged": 0.05, "faint": 0.05,
            "pencil": 0.05, "outline": 0.02,
            "show_through": 0.02, "rules": 0.04, "fade": 0.03, "scratch": 0.02, "low_contrast": 0.15, "texture": 0.1,
            "stain": 0.02, "specks": 0.05, "edge": 0.02, "shadow": 0.08, "low_resolution": 0.15, "blur": 0.15,
            "motion": 0.03, "gamma": 0.06, "noise": 0.15, "salt_pepper": 0.02, "sharpen": 0.05, "binarise": 0.1,
            "jpeg": 0.12, "cutout": 0.08,
        },
        description="chance of each augmentation; those left out never happen",
    )  # fmt: skip
    margin: tuple[float, float] = Field(
        default=(0.0, 0.4), description="least and most paper around a glyph's em square or scan, as a part of its side"
    )
    shift: float = Field(
        default=0.05, ge=0, le=1, description="how far it may stand off the middle, as a part of its side"
    )
    tight: Share = Field(
        default=0.2,
        description="share of glyphs cut out close to their ink; never small kana and signs, which need their cell",
    )
    mixup: float = Field(default=0.0, ge=0, description="alpha of mixup (Zhang et al. 2017); 0 is none")
    cutmix: float = Field(default=0.0, ge=0, description="alpha of cutmix (Yun et al. 2019); 0 is none")
    mixed: Share = Field(default=0.5, description="share of the batches that mixup or cutmix mixes")


class CharNetSettings(Section):
    """The classifier and the square that it sees."""

    backbone: str = Field(
        default="trunk", description="trunk, the convolutions of the line net, or the name of any timm model"
    )
    image_size: int = Field(
        default=48, ge=8, le=1024, description="side of the square in pixels; of trunk a multiple of 16"
    )
    widths: tuple[int, int, int, int] = Field(default=(32, 64, 128, 256), description="channels of trunk's four stages")
    pretrained: bool = Field(default=False, description="start from timm's weights, which it downloads once")
    mean: float | None = Field(
        default=None,
        description="gray that enters as 0, 1 for paper; empty takes paper, or what pretrained weights know",
    )
    std: float | None = Field(default=None, description="step of gray that enters as 1; empty, as for mean")
    dropout: Share = Field(default=0.1, description="dropout under the output layer")
    drop_path: Share = Field(default=0.0, description="stochastic depth, for the timm models that have it")
    fill: float = Field(
        default=0.9, gt=0, le=1, description="part of the square that the longer side of the ink takes at most"
    )
    least: Share = Field(
        default=0.35,
        description="part of a picture that ink must reach over for its size to count; 1 cuts all to their ink",
    )


class CharLossSettings(Section):
    """Cross-entropy."""

    smoothing: Share = Field(default=0.1, description="label smoothing: what the other characters get of a target")


class CharOptimSettings(OptimSettings):
    """The optimizer under a warm-up and a decay to zero."""

    decay: Decay = Field(default="cosine", description="how the learning rate falls to zero, or that it stays")
    freeze_backbone: bool = Field(default=False, description="train the output layer alone")


class CharRunSettings(RunSettings):
    """How long, where, and how often things are written."""

    epochs: float | None = Field(
        default=30,
        gt=0,
        description="passes over as many glyphs as there are; whichever ends first, these, steps or time",
    )
    valid_every: int = Field(default=500, ge=1, description="steps between validations")
    compile: bool = Field(
        default=False, description="torch.compile: minutes to start, then faster; wants a C++ compiler"
    )


class TrainCharSettings(Section):
    """Everything that `train-char` can be told."""

    data: CharDataSettings = Field(default_factory=CharDataSettings, description="what is learned from which glyphs")
    augment: AugmentSettings = Field(default_factory=AugmentSettings, description="what happens to them on the way")
    net: CharNetSettings = Field(default_factory=CharNetSettings, description="the net and what it sees")
    loss: CharLossSettings = Field(default_factory=CharLossSettings, description="the loss")
    optim: CharOptimSettings = Field(default_factory=CharOptimSettings, description="the optimizer")
    run: CharRunSettings = Field(default_factory=CharRunSettings, description="the run")
