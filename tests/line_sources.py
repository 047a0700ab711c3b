"""One page with three lines, written in every format in which people keep lines: small writers, none of them jphtr's."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image


@dataclass(frozen=True)
class Row:
    """A line: its box on the page (x0, y0, x1, y1), its text and direction."""

    box: tuple[int, int, int, int]
    text: str
    direction: str = "horizontal"


ROWS = (
    Row((20, 15, 260, 50), "横書きの一行目"),
    Row((20, 70, 200, 105), "二行目 No. 12"),
    Row((300, 10, 335, 190), "縦書き", "vertical"),
)
SIZE = (360, 200)  # width and height of the page


def page() -> np.ndarray:
    """The page (200, 360) uint8: paper of 230, and in each box noise that is its own, so that a crop is known by it."""
    gray = np.full(SIZE[::-1], 230, np.uint8)
    for number, row in enumerate(ROWS):
        x0, y0, x1, y1 = row.box
        gray[y0:y1, x0:x1] = np.random.default_rng(number).choice([20, 230, 230], (y1 - y0, x1 - x0))
    return gray


def piece(row: Row) -> np.ndarray:
    """The pixels of a line."""
    x0, y0, x1, y1 = row.box
    return page()[y0:y1, x0:x1]


def save(path: Path, gray: np.ndarray | None = None) -> Path:
    """A picture: the page, or what is given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(page() if gray is None else gray).save(path)
    return path


def corners(row: Row) -> list[tuple[int, int]]:
    x0, y0, x1, y1 = row.box
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]


def table(folder: Path) -> Path:
    lines = ["file\ttext\tdirection\twriter\tsplit\tkind"]
    for number, row in enumerate(ROWS):
        save(folder / "img" / f"{number}.png", piece(row))
        lines.append(f"img/{number}.png\t{row.text}\t{row.direction}\thand {number % 2}\tdev\tnoise")
    (folder / "lines.tsv").write_text("\n".join(lines) + "\n", "utf-8")
    return folder / "lines.tsv"


def sidecars(folder: Path) -> Path:
    for number, (row, suffix) in enumerate(zip(ROWS, (".gt.txt", ".txt", ".gt.txt"), strict=True)):
        save(folder / "deep" / f"{number}.png", piece(row))
        (folder / "deep" / f"{number}{suffix}").write_text(f"{row.text}\n", "utf-8")
    return folder


def page_xml(path: Path, version: str = "2019-07-15", picture: str = "page.png", **page_attributes: str) -> Path:
    """A PAGE file; 2010 has its points as elements."""

    def points(name: str, where: list[tuple[int, int]]) -> str:
        if version < "2013":
            inner = "".join(f'<Point x="{x}" y="{y}"/>' for x, y in where)
            return f"<{name}>{inner}</{name}>"
        flat = " ".join(f"{x},{y}" for x, y in where)
        return f'<{name} points="{flat}"/>'

    size = {"imageWidth": str(SIZE[0]), "imageHeight": str(SIZE[1])} | page_attributes
    regions = []
    for way in ("horizontal", "vertical"):
        lines = "".join(
            f'<TextLine id="l{number}">{points("Coords", corners(row))}'
            f"<TextEquiv index='1'><Unicode>guess</Unicode></TextEquiv>"
            f"<TextEquiv index='0'><Unicode>{row.text}</Unicode></TextEquiv></TextLine>"
            for number, row in enumerate(ROWS)
            if row.direction == way
        )
        told = ' readingDirection="top-to-bottom"' if way == "vertical" else ""
        regions.append(f'<TextRegion id="{way}" production="printed"{told}>{lines}</TextRegion>')
    told = " ".join(f'{key}="{value}"' for key, value in size.items())
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f'<?xml version="1.0" encoding="UTF-8"?>\n<!-- made up -->\n'
        f'<PcGts xmlns="http://schema.primaresearch.org/PAGE/gts/pagecontent/{version}"><Metadata/>'
        f'<Page imageFilename="{picture}" {told}>{"".join(regions)}</Page></PcGts>',
        "utf-8",
    )
    return path


def alto(path: Path, version: int = 4, unit: str = "pixel", picture: str = "page.png") -> Path:
    """An ALTO file; version 2 has rectangles, later ones polygons; tenths of a millimetre are half a pixel here."""
    scale = 2 if unit == "mm10" else 1
    blocks = []
    for number, row in enumerate(ROWS):
        x0, y0, x1, y1 = (value * scale for value in row.box)
        words = "<SP/>".join(f'<String CONTENT="{word}"/>' for word in row.text.split(" "))
        flat = " ".join(f"{x * scale} {y * scale}" for x, y in corners(row))
        shape = "" if version == 2 else f'<Shape><Polygon POINTS="{flat}"/></Shape>'
        box = f'HPOS="{x0}" VPOS="{y0}" WIDTH="{x1 - x0}" HEIGHT="{y1 - y0}"' if version == 2 else ""
        way = ' BASEDIRECTION="ttb"' if row.direction == "vertical" else ""
        blocks.append(
            f'<TextBlock ID="b{number}"><TextLine ID="l{number}" {box}{way}>{shape}{words}</TextLine></TextBlock>'
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f'<alto xmlns="http://www.loc.gov/standards/alto/ns-v{version}#"><Description><MeasurementUnit>{unit}'
        f"</MeasurementUnit><sourceImageInformation><fileName>{picture}</fileName></sourceImageInformation></Description>"
        f'<Layout><Page WIDTH="{SIZE[0] * scale}" HEIGHT="{SIZE[1] * scale}"><PrintSpace>{"".join(blocks)}'
        f"</PrintSpace></Page></Layout></alto>",
        "utf-8",
    )
    return path


def _via_shape(row: Row) -> dict[str, object]:
    if row.direction == "vertical":
        xs, ys = zip(*corners(row), strict=True)
        return {"name": "polygon", "all_points_x": list(xs), "all_points_y": list(ys)}
    x0, y0, x1, y1 = row.box
    return {"name": "rect", "x": x0, "y": y0, "width": x1 - x0, "height": y1 - y0}


def via_json(path: Path, version: int = 2, name: str = "text") -> Path:
    """A project of VIA 2, or annotations of VIA 1, whose regions are numbered."""
    regions = [
        {"shape_attributes": _via_shape(row), "region_attributes": {name: row.text, "direction": row.direction}}
        for row in ROWS
    ]
    entry: dict[str, object] = {"filename": "page.png", "size": 1, "file_attributes": {"writer": "a"}}
    entry["regions"] = regions if version == 2 else {str(i): region for i, region in enumerate(regions)}
    files = {"page.png1": entry}
    data = {"_via_settings": {"core": {"default_filepath": ""}}, "_via_img_metadata": files} if version == 2 else files
    path.write_text(json.dumps(data, ensure_ascii=False), "utf-8")
    return path


def via_csv(path: Path, name: str = "text") -> Path:
    heads = ["#filename", "file_size", "file_attributes", "region_count", "region_id",
             "region_shape_attributes", "region_attributes"]  # fmt: skip
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(heads)
        for number, row in enumerate(ROWS):
            told = {name: row.text, "direction": row.direction}
            rows.writerow(["page.png", 1, '{"writer":"a"}', len(ROWS), number,
                           json.dumps(_via_shape(row)), json.dumps(told, ensure_ascii=False)])  # fmt: skip
        rows.writerow(["empty.png", 1, "{}", 0, 0, "{}", "{}"])
    return path


IAM_TEXTS = ("A MOVE to stop Mr. Gaitskell from", "nominating any more", "Labour life Peers")


def iam(folder: Path) -> Path:
    """Two forms of two writers; lines.txt and forms.txt in ascii/, pictures in lines/."""
    rows = ["#--- lines.txt ---", "# a01-000u-00 ok 154 19 408 746 1661 89 A|MOVE|to|stop"]
    for name, text in zip(("a01-000u-00", "a01-000u-01", "b04-010-00"), IAM_TEXTS, strict=True):
        form = name[:-3]
        save(folder / "lines" / form[:3] / form / f"{name}.png", piece(ROWS[0]))
        rows.append(f"{name} {'ok' if name < 'b' else 'err'} 154 19 408 746 1661 89 {text.replace(' ', '|')}")
    (folder / "ascii").mkdir()
    (folder / "ascii" / "lines.txt").write_text("\n".join(rows) + "\n", "utf-8")
    (folder / "ascii" / "forms.txt").write_text(
        "#\na01-000u 000 2 prt 7 5 52 36\nb04-010 671 2 prt 7 5 52 36\n", "utf-8"
    )
    return folder
