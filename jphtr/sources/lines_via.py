"""Annotations of the VGG Image Annotator (VIA 1 and 2, projects or exports, JSON or CSV) -> LineRef.

A line is a rectangle or a polygon around it whose text stands in one of its attributes: in the one that is named, else
in one with a name such as text or transcription, else in the only one. Attributes called direction, writer, kind and
split, of a region or of its file, say these. https://www.robots.ox.ac.uk/~vgg/software/via/
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from jphtr.errors import DataError
from jphtr.records import Point
from jphtr.sources.lines_crop import cut_out, picture_of, rectangle
from jphtr.sources.lines_ref import TEXT_NAMES, LineRef, Notes, direction_of, one_line, read_text, split_of

_CURE = "export the annotations from VIA as JSON or CSV"
SHAPES, ATTRIBUTES = "region_shape_attributes", "region_attributes"  # columns of the CSV
_SAYS = ("direction", "writer", "kind", "split", "document")


@dataclass(frozen=True, slots=True)
class _Region:
    """One region as VIA keeps it, and where it stands in the file."""

    place: str
    picture: str
    shape: Mapping[str, Any]
    attributes: Mapping[str, Any]
    of_file: Mapping[str, Any]


def via_json(path: Path, notes: Notes) -> Iterator[LineRef]:
    """The regions of a VIA project, or of annotations exported as JSON.

    Raises
    ------
    DataError
        If the file is neither.
    """
    try:
        data = json.loads(read_text(path, _CURE))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not JSON: {error}; {_CURE}") from None
    if isinstance(data, dict) and {"project", "view", "metadata"} <= data.keys():
        raise DataError(f"{path}: a project of VIA 3; {_CURE} with version 2, or make a table of path and text")
    files = data.get("_via_img_metadata", data) if isinstance(data, dict) else None
    if not isinstance(files, dict) or not all(isinstance(one, dict) and "filename" in one for one in files.values()):
        raise DataError(f"{path}: JSON, but not of VIA: its entries name no file; {_CURE}")
    home = _home(data)
    yield from _lines(path, home, list(_regions(files)), notes)


def via_csv(path: Path, notes: Notes) -> Iterator[LineRef]:
    """The regions of annotations exported as CSV.

    Raises
    ------
    DataError
        If the file lacks the columns.
    """
    rows = csv.DictReader(io.StringIO(read_text(path, _CURE)))
    heads = [head.lstrip("#").strip() for head in rows.fieldnames or ()]
    if missing := {"filename", SHAPES, ATTRIBUTES} - set(heads):
        raise DataError(f"{path}: without the columns {', '.join(sorted(missing))}; {_CURE}")
    rows.fieldnames = heads
    regions: list[_Region] = []
    try:
        for row in rows:
            place = f"line {rows.line_num}"
            try:
                parts = [json.loads(row.get(name) or "{}") for name in (SHAPES, ATTRIBUTES, "file_attributes")]
                if not all(isinstance(part, dict) for part in parts):
                    raise ValueError("not a JSON object")
            except ValueError as error:
                notes.wrong(f"{path}, {place}: its attributes cannot be read: {error}; {_CURE}")
                continue
            if parts[0]:  # a file without regions has a row too
                regions.append(_Region(place, row.get("filename") or "", *parts))
    except csv.Error as error:
        raise DataError(f"{path}, line {rows.line_num}: not CSV: {error}; {_CURE}") from None
    yield from _lines(path, "", regions, notes)


def _home(data: Mapping[str, Any]) -> str:
    """The folder in which a project expects its pictures."""
    settings = data.get("_via_settings")
    core = settings.get("core") if isinstance(settings, dict) else None
    home = core.get("default_filepath", "") if isinstance(core, dict) else ""
    return home if isinstance(home, str) else ""


def _regions(files: Mapping[str, Any]) -> Iterator[_Region]:
    for entry in files.values():
        regions = entry.get("regions") or []
        numbered = regions.items() if isinstance(regions, dict) else enumerate(regions)  # VIA 1, VIA 2
        for number, region in numbered:
            place = f"{entry['filename']}, region {number}"
            parts = region if isinstance(region, dict) else {}
            shape, attributes, of_file = (
                part if isinstance(part, dict) else {}
                for part in (parts.get("shape_attributes"), parts.get(ATTRIBUTES), entry.get("file_attributes"))
            )
            yield _Region(place, str(entry["filename"]), shape, attributes, of_file)


def _lines(path: Path, home: str, regions: list[_Region], notes: Notes) -> Iterator[LineRef]:
    text_name = notes.text_name or _text_name(path, regions)
    pictures: dict[str, Path | None] = {}
    for region in regions:
        name = f"{path}, {region.place}"
        text = region.attributes.get(text_name, "")
        if not isinstance(text, str) or not text.strip():
            notes.untold += 1
            continue
        if region.picture not in pictures:
            pictures[region.picture] = picture_of(path, f"{home}{region.picture}") or picture_of(path, region.picture)
            if pictures[region.picture] is None:
                notes.wrong(f"{path}: its picture {region.picture!r} is not there; put it beside the file")
        picture = pictures[region.picture]
        if picture is None:
            continue
        said = {key: str(region.attributes.get(key) or region.of_file.get(key) or "") for key in _SAYS}
        try:
            load = partial(cut_out, picture, _outline(region.shape), (), name)
            yield LineRef(
                name, one_line(text), load, picture, said["writer"], said["document"] or picture.stem,
                direction_of(said["direction"]), said["kind"], split_of(said["split"]),
            )  # fmt: skip
        except ValueError as error:
            notes.wrong(f"{name}: {error}")


def _text_name(path: Path, regions: list[_Region]) -> str:
    """The attribute that holds the text.

    Raises
    ------
    DataError
        If several might and none is called so.
    """
    names = list(dict.fromkeys(key for region in regions for key in region.attributes))
    lower = {name.lower(): name for name in reversed(names)}
    for name in TEXT_NAMES:
        if name in lower:
            return lower[name]
    if len(others := [name for name in names if name.lower() not in _SAYS]) == 1:
        return others[0]
    there = f"there are {', '.join(map(repr, names[:8]))}" if names else "its regions have none"
    raise DataError(f"{path}: which attribute holds the text? {there}; name it with --text-name")


def _outline(shape: Mapping[str, Any]) -> list[Point]:
    """The corners of a region.

    Raises
    ------
    ValueError
        If it is neither a rectangle nor a polygon; what it says fits behind the name of the line.
    """
    kind = shape.get("name")
    try:
        if kind == "rect":
            x, y, width, height = (float(shape[key]) for key in ("x", "y", "width", "height"))
            points = rectangle(x, y, width, height)
        elif kind in ("polygon", "polyline"):
            xs, ys = shape["all_points_x"], shape["all_points_y"]
            points = [(float(x), float(y)) for x, y in zip(xs, ys, strict=True)]
        else:
            raise ValueError(f"{kind or 'no shape'} is not the outline of a line; draw a rectangle or a polygon")
    except (KeyError, TypeError):
        raise ValueError(f"a {kind} without its coordinates; draw it again") from None
    if len(points) < 3 or not all(map(math.isfinite, chain(*points))):
        raise ValueError(f"a {kind} of {len(points)} points; draw it again")
    return points
