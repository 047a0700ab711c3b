"""What a glyph file holds: its glyphs told apart, counted, and compared with what was published."""

from jphtr.inventory.counts import FEW, Counts, Inventory, Spread, Tally, count, take_inventory
from jphtr.inventory.keys import ABSENT, NONE, keys, labels_of, select
from jphtr.inventory.published import Published

__all__ = [
    "ABSENT", "FEW", "NONE", "Counts", "Inventory", "Published", "Spread", "Tally", "count", "keys", "labels_of",
    "select", "take_inventory",
]  # fmt: skip
