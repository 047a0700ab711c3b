"""HDF5 in and out: glyph files, written whole or not at all, with a digest that `verify` checks (layout: `columns`)."""

from jphtr.store.columns import COLUMNS, FORMAT, Input, Source, Written
from jphtr.store.read import GlyphFile, open_glyphs, verify
from jphtr.store.write import write_blocks, write_glyphs

__all__ = [
    "COLUMNS", "FORMAT", "GlyphFile", "Input", "Source", "Written", "open_glyphs", "verify", "write_blocks", "write_glyphs",
]  # fmt: skip
