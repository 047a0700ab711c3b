"""The invisible font of a PDF: a number for every character at every length that it takes, and what the numbers mean."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jphtr.errors import DataError
from jphtr.formats.glyphless import ASCENT, DESCENT, EM, STEP, STEPS, TOP, glyphless_font, lying, standing
from jphtr.formats.pdf_file import PdfFile, reference

_NAME = "/JphtrInvisible"
_LAST = 0xFFFF  # of the numbers
_MOST = 50_000  # numbers after which the next page begins a new font; no page needs the rest


class PdfFont:
    """Fonts for lines (/H) and for columns (/V) that share their numbers.

    A character of a length of its own has a number of its own, so that a whole line is one string: programs tell lines
    from columns by the second character of a string, and take gaps for spaces.
    """

    def __init__(self, file: PdfFile) -> None:
        self._file = file
        self._codes: dict[tuple[str, int], int] = {}
        self._horizontal, self._vertical = file.reserve(), file.reserve()

    @property
    def resource(self) -> str:
        """What a page's resources say to have the fonts."""
        return f"/Font <</H {reference(self._horizontal)} /V {reference(self._vertical)}>>"

    @property
    def is_full(self) -> bool:
        """Whether the next page should begin a new one."""
        return len(self._codes) > _MOST

    def code(self, char: str, steps: int) -> str:
        """The four digits that stand for a character that is `steps` twentieths of an em long, 1 to `STEPS`."""
        number = self._codes.setdefault((char, steps), len(self._codes) + 1)
        if number > _LAST:
            raise DataError(f"a PDF page cannot hold more than {_LAST - _MOST:,} different characters")
        return f"{number:04X}"

    def objects(self) -> Iterator[bytes]:
        """Everything that belongs to the fonts, once all characters are known."""
        import pydyf  # type: ignore[import-untyped]

        file = self._file
        lengths = [steps * STEP for _, steps in self._codes]
        descriptor, program, unicode = (file.reserve() for _ in range(3))
        ways: tuple[tuple[int, str, Any, dict[str, Any]], ...] = (
            (self._horizontal, "/Identity-H", lying, {"W": f"[1 {_listed(lengths)}]"}),
            (self._vertical, "/Identity-V", standing, {
                "DW2": f"[{TOP} {-EM}]",
                "W2": f"[1 {_listed([n for length in lengths for n in (-length, EM // 2, TOP)])}]",
            }),
        )  # fmt: skip
        for number, encoding, glyph, metrics in ways:
            descendant, glyphs = file.reserve(), file.reserve()
            yield file.put(
                pydyf.Dictionary({
                    "Type": "/Font", "Subtype": "/Type0", "BaseFont": _NAME, "Encoding": encoding,
                    "DescendantFonts": f"[{reference(descendant)}]", "ToUnicode": reference(unicode),
                }),
                number,
            )  # fmt: skip
            yield file.put(
                pydyf.Dictionary({
                    "Type": "/Font", "Subtype": "/CIDFontType2", "BaseFont": _NAME, **metrics,
                    "CIDSystemInfo": "<</Registry (Adobe) /Ordering (Identity) /Supplement 0>>",
                    "FontDescriptor": reference(descriptor), "CIDToGIDMap": reference(glyphs),
                }),
                descendant,
            )  # fmt: skip
            places = b"\0\0" + b"".join(glyph(steps).to_bytes(2, "big") for _, steps in self._codes)
            yield file.put(pydyf.Stream([places], compress=True), glyphs)
        data = glyphless_font()
        yield file.put(pydyf.Stream([data], {"Length1": len(data)}, compress=True), program)
        yield file.put(pydyf.Stream([self._to_unicode()], compress=True), unicode)
        box = _listed([0, TOP - STEPS * STEP, STEPS * STEP, TOP])
        yield file.put(
            pydyf.Dictionary({
                "Type": "/FontDescriptor", "FontName": _NAME, "Flags": 4, "FontBBox": box, "ItalicAngle": 0,
                "Ascent": ASCENT, "Descent": DESCENT, "CapHeight": ASCENT, "StemV": 80, "FontFile2": reference(program),
            }),
            descriptor,
        )  # fmt: skip

    def _to_unicode(self) -> bytes:
        """The CMap that says which character a number is (ISO 32000-1, 9.10.3), 100 a section."""
        rows = [
            f"<{n:04X}> <{char.encode('utf-16-be', 'replace').hex()}>" for n, (char, _) in enumerate(self._codes, 1)
        ]
        sections = (rows[n : n + 100] for n in range(0, len(rows), 100))
        return "\n".join(
            (
                "/CIDInit /ProcSet findresource begin", "12 dict begin", "begincmap",
                "/CIDSystemInfo <</Registry (Adobe) /Ordering (UCS) /Supplement 0>> def",
                "/CMapName /Adobe-Identity-UCS def", "/CMapType 2 def",
                "1 begincodespacerange", "<0000> <FFFF>", "endcodespacerange",
                *("\n".join((f"{len(section)} beginbfchar", *section, "endbfchar")) for section in sections),
                "endcmap", "CMapName currentdict /CMap defineresource pop", "end", "end",
            )
        ).encode()  # fmt: skip


def _listed(numbers: list[int]) -> str:
    return f"[{' '.join(map(str, numbers))}]"
