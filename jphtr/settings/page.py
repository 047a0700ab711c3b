"""Everything that `train-page` can be told."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from jphtr.settings.files import Section
from jphtr.settings.line import ComposeSettings
from jphtr.settings.run import OptimSettings, RunSettings, Share


class PageComposeSettings(Section):
    """How composed pages look."""

    layouts: dict[str, float] = Field(
        default={}, description="weight of each layout; empty takes all of them with their own weights"
    )
    by_hand: float = Field(default=1.0, ge=0, description="how much more often than usual pages are written by hand")
    ruby: Share = Field(default=0.22, description="share of pages with small kana beside kanji")
    tilt: float = Field(default=3.0, ge=0, le=20, description="largest angle of a page in degrees")
    worn: Share = Field(default=0.75, description="share of pages that paper, light, camera or scanner have worn")
    long_side: tuple[int, int] = Field(
        default=(1000, 1900), description="least and most pixels of a page's longer side"
    )


class PageDataSettings(Section):
    """What pages are composed from, and what the net sees of them."""

    glyphs: tuple[Path, ...] = Field(default=(), description="glyph files that training pages are composed from")
    texts: tuple[Path, ...] = Field(default=(), description="text files (UTF-8, one sentence a line) for training")
    valid_glyphs: tuple[Path, ...] = Field(default=(), description="glyph files of unseen writers for validation")
    valid_texts: tuple[Path, ...] = Field(default=(), description="text files of unseen documents for validation")
    pages: int = Field(
        default=3000, ge=1, description="pages that are composed; each is shown again and again, cut otherwise"
    )
    cache: Path | None = Field(
        default=None, description="folder that keeps composed pages; empty takes pages/ in the run folder"
    )
    crops: int = Field(default=4, ge=1, description="pieces cut from a page each time that it is opened")
    batch: int = Field(default=8, ge=1, description="pieces in a batch")
    side: int = Field(default=512, ge=64, multiple_of=32, description="pixels of a piece's side")
    em: tuple[float, float] = Field(
        default=(8.0, 56.0), description="least and most pixels of a page's characters as the net sees them"
    )
    valid_pages: int = Field(default=40, ge=1, description="pages in the fixed validation set")
    valid_seed: int = Field(default=20_000, ge=0, description="seed of the validation set, apart from the run's seed")


class PageNetSettings(Section):
    """The shape of the detector."""

    widths: tuple[int, int, int, int] = Field(
        default=(32, 64, 96, 128), description="channels at 1/4, 1/8, 1/16 and 1/32 of the page"
    )


class PageLossSettings(Section):
    """Cross-entropy of what a place belongs to, and the logarithms of how far a line reaches from it."""

    text: float = Field(default=3.0, gt=0, description="weight of places inside lines of text; paper has 1")
    ruby: float = Field(default=12.0, gt=0, description="weight of places inside ruby, of which there are few")
    extent: float = Field(default=1.0, ge=0, description="weight of the distances to a line's edges")


class PageRunSettings(RunSettings):
    """How long, where, and how often things are written."""

    valid_every: int = Field(default=500, ge=1, description="steps between validations")


class TrainPageSettings(Section):
    """Everything that `train-page` can be told."""

    data: PageDataSettings = Field(default_factory=PageDataSettings, description="what pages are made from")
    compose: ComposeSettings = Field(
        default_factory=ComposeSettings, description="what their lines say, and in which styles"
    )
    page: PageComposeSettings = Field(default_factory=PageComposeSettings, description="how pages look")
    net: PageNetSettings = Field(default_factory=PageNetSettings, description="the net")
    loss: PageLossSettings = Field(default_factory=PageLossSettings, description="the loss")
    optim: OptimSettings = Field(default_factory=OptimSettings, description="the optimizer")
    run: PageRunSettings = Field(default_factory=PageRunSettings, description="the run")
