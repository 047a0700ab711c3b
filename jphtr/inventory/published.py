"""How much of a set is in a glyph file, of what its makers published."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from jphtr.charset import BLANK
from jphtr.sources import kuzushiji
from jphtr.sources.etl_codes import inside
from jphtr.sources.etl_published import PUBLISHED_SETS
from jphtr.store import GlyphFile


@dataclass(frozen=True, slots=True)
class Published:
    """How much of a set is there, of how much was published; model images do not count.

    Attributes
    ----------
    glyphs, of_glyphs : pictures.
    classes, of_classes : by code, where the set has codes: some characters of ETL2 have two.
    writers, of_writers : the keys that a split never divides; None where no writers were published.
    missing : the characters of which there is no glyph, where the makers list their classes; else None.
    """

    glyphs: int
    of_glyphs: int
    classes: int
    of_classes: int
    writers: int | None
    of_writers: int | None
    missing: str | None


def compare(glyphs: GlyphFile, name: str) -> Published | None:
    """A set of a glyph file against what its makers published; None where nothing is known."""
    etl, listed = PUBLISHED_SETS.get(name), kuzushiji.CLASSES.get(name)
    pictures = sum(number for (own, _), number in kuzushiji.COUNTS.items() if own == name)
    if etl is None and not pictures:
        return None
    columns = glyphs.columns.get(name, ())
    own = glyphs.source == [source.name for source in glyphs.sources].index(name)
    if "model" in columns:
        own &= glyphs.column("model") == 0
    here, label = int(np.count_nonzero(own)), glyphs.label[own]
    classes = np.unique(glyphs.column("code")[own] if "code" in columns else label[label != BLANK])
    if etl is None:
        chars = {glyphs.charset.chars[at] for at in np.unique(label).tolist()}
        missing = None if listed is None else "".join(char for char in listed if char not in chars)
        of_classes = kuzushiji.KANJI_CLASSES if listed is None else len(listed)
        return Published(here, pictures, len(classes), of_classes, None, None, missing)
    if "code" in columns:
        table = inside(name)
        classes = classes[classes < len(table)]
        classes = classes[table[classes]]
    writers = len(np.unique(glyphs.writer[own]))
    return Published(here, etl.samples, len(classes), etl.classes, writers, etl.writers, None)
