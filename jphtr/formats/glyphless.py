"""A TrueType font without ink, for text that is there to be found and copied and not to be seen.

A PDF that shows a picture of a page needs a font for the text over it; any font with Japanese has megabytes, this one five
thousand bytes. It has a glyph for every length that a character may take of its line, once lying and once standing, in
steps of an em's twentieth; all characters share them, and what they are the PDF says elsewhere. A glyph is a line from
corner to corner and back, without area: PDFium, and Chrome with it, finds no text whose glyphs have no extent.
"""

from __future__ import annotations

import struct

EM = 1000
STEP, STEPS = 50, 80  # lengths are 50, 100, ... 4,000
ASCENT, DESCENT = 880, -120  # of lying glyphs, as fonts for Japanese have them
TOP = 1000  # of standing glyphs: they hang from here


def lying(steps: int) -> int:
    """The number of the glyph that is `steps` twentieths wide and an em high."""
    return steps


def standing(steps: int) -> int:
    """The number of the glyph that is an em wide and `steps` twentieths high."""
    return STEPS + steps


def glyphless_font() -> bytes:
    """The font file, by the tables that PDF asks of an embedded font (ISO 32000-1, 9.9)."""
    version, magic = 0x00010000, 0x5F0F3CF5
    lengths = [steps * STEP for steps in range(1, STEPS + 1)]
    outlines = [_diagonal(0, DESCENT, length, ASCENT) for length in lengths]
    outlines += [_diagonal(0, TOP - length, EM, TOP) for length in lengths]
    widths = [EM, *lengths, *[EM] * STEPS]
    places = [0, *(n * len(outlines[0]) // 2 for n in range(len(outlines) + 1))]  # glyph 0, of no character, is empty
    low, wide = TOP - lengths[-1], lengths[-1]
    tables = {
        b"glyf": b"".join(outlines),
        b"head": struct.pack(
            ">IIIIHHQQhhhhHHhhh", version, version, 0, magic, 0b11, EM, 0, 0, 0, low, wide, TOP, 0, 8, 2, 0, 0
        ),
        b"hhea": struct.pack(
            ">IhhhHhhhhhhhhhhhH", version, ASCENT, DESCENT, 0, wide, *(0,) * 3, 1, *(0,) * 7, len(widths)
        ),
        b"hmtx": b"".join(struct.pack(">Hh", width, 0) for width in widths),
        b"loca": struct.pack(f">{len(places)}H", *places),
        b"maxp": struct.pack(">IHHHHHHHHHHHHHH", version, len(widths), 2, 1, 0, 0, 1, *(0,) * 8),
    }
    power = len(tables).bit_length() - 1
    header = struct.pack(">IHHHH", version, len(tables), 16 << power, power, 16 * len(tables) - (16 << power))
    place = len(header) + 16 * len(tables)
    body = b""
    for tag, table in sorted(tables.items()):
        padded = table + bytes(-len(table) % 4)
        header += tag + struct.pack(">III", _sum(padded), place + len(body), len(table))
        body += padded
    font = bytearray(header + body)
    adjust = font.index(struct.pack(">I", magic)) - 4
    struct.pack_into(">I", font, adjust, (0xB1B0AFBA - _sum(bytes(font))) & 0xFFFFFFFF)
    return bytes(font)


def _diagonal(x0: int, y0: int, x1: int, y1: int) -> bytes:
    """A glyph of one contour with two points, both on it."""
    on_curve, same_x = 0b1, 0b10000
    flags = on_curve | same_x, on_curve
    return struct.pack(">hhhhhHHBBhhhxx", 1, x0, y0, x1, y1, 1, 0, *flags, x1 - x0, y0, y1 - y0)


def _sum(data: bytes) -> int:
    total: int = sum(struct.unpack(f">{len(data) // 4}I", data))
    return total & 0xFFFFFFFF
