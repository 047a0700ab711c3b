"""From maps to lines, their order, their crops, and the question whether a picture is a page, on planted layouts."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from jphtr.records import Gray, LineRegion
from jphtr.segment import crop, in_order, is_line, segment
from jphtr.segment.components import components
from jphtr.segment.detector import Detector
from jphtr.segment.lines import FOLD, INSET, Maps, lines_from
from jphtr.segment.quads import as_quad, corners, overlap, sizes, tilt
from jphtr.segment.scores import matched, score


def region(x0: float, y0: float, x1: float, y1: float, kind: str = "text") -> LineRegion:
    """An upright line that runs along its longer side."""
    quad = ((x0, y0), (x1, y0), (x1, y1), (x0, y1))
    return LineRegion(quad, "vertical" if y1 - y0 > x1 - x0 else "horizontal", kind=kind)  # type: ignore[arg-type]


def turned(line: LineRegion, degrees: float, about: tuple[float, float] = (500, 500)) -> LineRegion:
    a = np.deg2rad(degrees)
    points = (corners([line])[0] - about) @ np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]]) + about
    return replace(line, quad=as_quad(points))


def planted(lines: list[LineRegion], size: tuple[int, int], blur: float = 0.0) -> Maps:
    """What a perfect net says of a page (width, height), written anew from the definition of the maps."""
    height, width = size[1] // FOLD, size[0] // FOLD
    kinds = np.zeros((5, height, width), np.float32)
    extents = np.ones((2, height, width), np.float32)
    y, x = np.mgrid[:height, :width]
    x, y = (x + 0.5) * FOLD, (y + 0.5) * FOLD
    for line in lines:
        a, b, _, d = corners([line])[0]
        start, along, down = (
            (a, b - a, d - a) if line.direction == "horizontal" else (b, corners([line])[0][2] - b, a - b)
        )
        length, tall = np.hypot(*along), np.hypot(*down)
        u = ((x - start[0]) * along[0] + (y - start[1]) * along[1]) / length
        v = ((x - start[0]) * down[0] + (y - start[1]) * down[1]) / tall
        core = (np.abs(v - tall / 2) < max(0.26 * tall, 2.3)) & (u > INSET * tall) & (u < length - INSET * tall)
        kinds[1 + (line.direction == "vertical") + 2 * (line.kind == "ruby")][core] = 1 - blur
        extents[0][core], extents[1][core] = v[core], (tall - v)[core]
    kinds[0] = 1 - kinds[1:].sum(axis=0)
    return Maps(kinds, extents, (1.0, 1.0))


@pytest.mark.parametrize("share", [0.05, 0.3, 0.5, 0.62, 0.9])
def test_components_are_those_of_a_flood(share: float) -> None:
    for seed in range(6):
        mask = np.random.default_rng(seed).random((23, 31)) < share
        labels, count = components(mask)
        found = np.zeros(mask.shape, int)
        for start in zip(*np.nonzero(mask), strict=True):
            if found[start]:
                continue
            number = found.max() + 1
            found[start] = number
            todo = deque([start])
            while todo:
                y, x = todo.popleft()
                for ny in range(max(0, y - 1), min(23, y + 2)):
                    for nx in range(max(0, x - 1), min(31, x + 2)):
                        if mask[ny, nx] and not found[ny, nx]:
                            found[ny, nx] = number
                            todo.append((ny, nx))
        assert count == found.max()
        assert np.array_equal(labels, found)


def test_no_components_of_nothing() -> None:
    assert components(np.zeros((4, 5), bool))[1] == 0


def test_overlap_against_counted_pixels() -> None:
    rng = np.random.default_rng(4)
    y, x = np.mgrid[:200, :200] + 0.5
    for _ in range(20):
        quads = []
        for _ in range(2):
            x0, y0 = rng.uniform(20, 80, 2)
            line = region(x0, y0, x0 + rng.uniform(20, 100), y0 + rng.uniform(20, 100))
            quads.append(corners([turned(line, rng.uniform(-40, 40), (100, 100))])[0])
        masks = []
        for quad in quads:
            sides = np.roll(quad, -1, axis=0) - quad
            masks.append(
                np.all([s[0] * (y - p[1]) - s[1] * (x - p[0]) >= 0 for p, s in zip(quad, sides, strict=True)], axis=0)
            )
        counted = (masks[0] & masks[1]).sum() / (masks[0] | masks[1]).sum()
        assert overlap(*quads) == pytest.approx(counted, abs=0.02)
        assert overlap(quads[0], quads[1][::-1]) == pytest.approx(overlap(*quads))


COLUMNS = [region(900 - 60 * n, 100, 936 - 60 * n, 900 - 35 * (n % 3)) for n in range(12)]
ROWS = [region(100, 100 + 50 * n, 900 - 60 * (n % 3), 132 + 50 * n) for n in range(14)]


@pytest.mark.parametrize("degrees", [-3.0, 0.0, 1.7])
@pytest.mark.parametrize("lines", [COLUMNS, ROWS], ids=["columns", "rows"])
def test_maps_give_their_lines_back(lines: list[LineRegion], degrees: float) -> None:
    lines = [turned(line, degrees) for line in lines]
    found = lines_from(planted(lines, (1024, 1024)))
    assert len(found) == len(lines)
    pairs = matched(lines, found)
    assert len(pairs) == len(lines)
    for i, j in pairs:
        assert overlap(*corners([lines[i], found[j]])) > 0.85
        assert found[j].direction == lines[i].direction
        assert found[j].confidence > 0.9
    assert tilt(found) == pytest.approx(np.deg2rad(degrees), abs=0.004)


def test_scale_of_the_maps_is_undone() -> None:
    half = replace(planted(ROWS, (1024, 1024)), scale=(0.5, 0.25))
    first = min(lines_from(half), key=lambda line: line.box[1])
    assert first.box == pytest.approx((200, 400, 1800, 528), abs=20)


def test_ruby_is_told_from_text() -> None:
    ruby = region(936, 300, 954, 360, "ruby")
    found = lines_from(planted([*COLUMNS, ruby], (1024, 1024)))
    assert [line.kind for line in found].count("ruby") == 1
    assert score([ruby], [line for line in found if line.kind == "ruby"]).f1 == 1


def test_touching_lines_are_split() -> None:
    lines = [region(100, 100, 900, 140), region(100, 144, 900, 184), region(100, 300, 900, 340)]
    maps = planted(lines, (1024, 512))
    kinds = maps.kinds.copy()
    bridge = (slice(28, 43), slice(60, 63))
    kinds[1][bridge], kinds[0][bridge] = 1, 0
    rows = (np.arange(28, 43) + 0.5) * FOLD
    middle = np.where(rows < 142, 120.0, 164.0)[:, None]
    maps.extents[0][bridge] = 20 + rows[:, None] - middle
    maps.extents[1][bridge] = 20 - rows[:, None] + middle
    assert components(kinds[0] < 0.5)[1] == 2
    found = lines_from(replace(maps, kinds=kinds))
    assert len(found) == 3 and score(lines, found).f1 == 1


@pytest.mark.parametrize("degrees", [0.0, 2.5])
def test_a_whole_page_of_columns_that_hang_together_is_split(degrees: float) -> None:
    columns = [turned(region(100 + 45 * n, 100, 130 + 45 * n, 900), degrees) for n in range(18)]
    maps = planted(columns, (1024, 1024))
    kinds, extents = maps.kinds.copy(), maps.extents.copy()
    rng = np.random.default_rng(3)
    inside = np.zeros(kinds.shape[1:], np.bool_)
    inside[30:220, 30:215] = True
    bridges = inside & (kinds[0] > 0.5) & (rng.random(inside.shape) < 0.7)
    kinds[2][bridges], kinds[0][bridges] = 0.7, 0.3
    # a place between two columns tells one of them
    x = np.broadcast_to((np.arange(256) + 0.5) * FOLD, inside.shape)
    shift = np.tan(np.deg2rad(degrees)) * ((np.arange(256) + 0.5) * FOLD - 500)[:, None]
    middle = 115 + 45 * np.round((x + shift - 115) / 45) - shift
    extents[0][bridges], extents[1][bridges] = (15 + middle - x)[bridges], (15 - middle + x)[bridges]
    assert components(kinds[0] < 0.5)[1] < 9
    assert score(columns, lines_from(replace(maps, kinds=kinds, extents=extents))).f1 > 0.97


def test_broken_lines_are_joined_but_columns_are_not() -> None:
    broken = [region(100, 100, 380, 140), region(388, 100, 900, 140)]
    found = lines_from(planted(broken, (1024, 512)))
    assert score([region(100, 100, 900, 140)], found).f1 == 1
    apart = [region(100, 100, 400, 140), region(490, 100, 900, 140)]
    assert score(apart, lines_from(planted(apart, (1024, 512)))).f1 == 1


@pytest.mark.parametrize(("tall", "looks"), [(16, [1280 / 3000, 2560 / 3000]), (60, [1280 / 3000]), (400, [1280 / 3000, 0.125])])  # fmt: skip
def test_pages_with_small_or_large_lines_are_looked_at_again(tall: int, looks: list[float]) -> None:
    detector = object.__new__(Detector)
    lines = [region(100, 100 + 3 * tall * n, 2800, 100 + 3 * tall * n + tall) for n in range(2)]
    seen = []

    def maps(gray: Gray, scale: float) -> Maps:
        seen.append(scale)
        scaled = [replace(line, quad=as_quad(corners([line])[0] * scale)) for line in lines]
        return replace(planted(scaled, (round(3000 * scale), round(3000 * scale))), scale=(scale, scale))

    detector.maps = maps  # type: ignore[method-assign]
    found = detector.lines(np.zeros((3000, 3000), np.uint8))
    assert seen == pytest.approx(looks, rel=0.1)
    assert score(lines, found).f1 == 1


def test_faint_belief_is_no_line() -> None:
    assert lines_from(planted(ROWS, (1024, 1024), blur=0.55)) == []


def two_columns() -> list[LineRegion]:
    heading = region(250, 40, 750, 90)
    columns = [region(x, 130 + 44 * n, x + 360, 160 + 44 * n) for x in (100, 540) for n in range(16)]
    return [heading, *columns, region(480, 930, 520, 955)]


def bands() -> list[LineRegion]:
    title = region(930, 100, 990, 600)
    return [title, *(region(870 - 50 * n, y, 900 - 50 * n, y + 360) for y in (100, 520) for n in range(16))]


def table() -> list[LineRegion]:
    widths = [(100, 180), (300, 460), (520, 600), (700, 860)]
    cells = [region(x0, 200 + 60 * n, x1 - 7 * (n % 4), 230 + 60 * n) for n in range(9) for x0, x1 in widths]
    return [region(300, 90, 700, 140), *cells, *(region(100, 800 + 45 * n, 880, 830 + 45 * n) for n in range(3))]


def headed_columns() -> list[LineRegion]:
    return [region(300, 30, 700, 75), *COLUMNS, region(480, 940, 520, 962)]


def letter() -> list[LineRegion]:
    body = [region(900 - 70 * n, 100, 940 - 70 * n, 880) for n in range(8)]
    return [*body, region(330, 160, 370, 420), region(262, 600, 302, 880), region(190, 110, 230, 330)]


LAYOUTS = {
    "columns": COLUMNS, "rows": ROWS, "two columns": two_columns(), "bands": bands(), "table": table(),
    "headed columns": headed_columns(), "letter": letter(), "one": [ROWS[0]],
}  # fmt: skip


@pytest.mark.parametrize("degrees", [-2.5, 0.0, 2.0])
@pytest.mark.parametrize("name", LAYOUTS)
def test_reading_order(name: str, degrees: float) -> None:
    lines = [turned(line, degrees) for line in LAYOUTS[name]]
    shuffled = lines[:]
    random.Random(3).shuffle(shuffled)
    found = in_order(shuffled)
    assert [line.quad for line in found] == [line.quad for line in lines]
    blocks = [line.block for line in found]
    assert blocks == sorted(blocks) and blocks[0] == 0 and set(blocks) == set(range(blocks[-1] + 1))


def test_blocks_part_what_belongs_apart() -> None:
    blocks = [line.block for line in in_order(two_columns())]
    assert len({blocks[0], blocks[1], blocks[17], blocks[-1]}) == 4
    assert len(set(blocks[1:17])) == 1
    cells = [line.block for line in in_order(table())][1:37]
    assert len(set(cells)) == 36


@pytest.mark.parametrize("degrees", [-2.0, 0.0, 2.0])
def test_ruby_follows_its_line(degrees: float) -> None:
    # of the third column, which lies to the right of the ruby's own left neighbour
    ruby = [region(818, 500, 834, 560, "ruby"), region(818, 200, 834, 260, "ruby")]
    lines = [turned(line, degrees) for line in (*ruby, *COLUMNS)]
    found = in_order(lines)
    place = [line.quad for line in found].index(lines[4].quad)
    assert [line.quad for line in found[place + 1 : place + 3]] == [lines[1].quad, lines[0].quad]
    assert found[place + 1].block == found[place].block
    above = region(300, 182, 360, 198, "ruby")  # of the third row
    found = in_order([above, *ROWS])
    assert [line.kind for line in found[:5]] == ["text", "text", "text", "ruby", "text"]


def test_ruby_alone_is_read_too() -> None:
    alone = region(10, 10, 40, 20, "ruby")
    assert in_order([alone]) == (alone,)
    assert in_order([]) == ()


@pytest.mark.parametrize("degrees", [0.0, 2.5, -14.0])
@pytest.mark.parametrize("line", [region(200, 480, 700, 520), region(480, 150, 530, 800)], ids=["row", "column"])
def test_crop_and_the_way_back(line: LineRegion, degrees: float) -> None:
    page = np.full((1000, 1000), 230, np.uint8)
    line = turned(line, degrees)
    middle = corners([line])[0].mean(axis=0)
    marks = [middle * 0.8 + corners([line])[0][n] * 0.2 for n in (0, 2)]
    for x, y in marks:
        page[round(y) - 3 : round(y) + 4, round(x) - 3 : round(x) + 4] = 0
    found = crop(page, line)
    lengths, heights = sizes([line])
    wide, high = (heights[0], lengths[0]) if line.direction == "vertical" else (lengths[0], heights[0])
    assert wide <= found.gray.shape[1] <= wide + 0.5 * heights[0] + 2
    assert high <= found.gray.shape[0] <= high + 0.5 * heights[0] + 2
    labels, count = components(found.gray < 120)
    assert count == 2
    back = []
    for number in (1, 2):
        y, x = np.nonzero(labels == number)
        box = found.to_page((x.min(), y.min(), x.max() + 1, y.max() + 1))
        back.append(((box[0] + box[2]) / 2 - 0.5, (box[1] + box[3]) / 2 - 0.5))
    # the order of the marks in the crop may differ from that on the page
    for x, y in marks:
        assert min(np.hypot(x - bx, y - by) for bx, by in back) < 1.5


def test_crop_at_the_edge_of_the_page() -> None:
    page = np.zeros((50, 80), np.uint8)
    for line in (region(-20, -5, 100, 30), region(70, 40, 300, 90), turned(region(-10, 20, 90, 60), 5, (40, 25))):
        assert crop(page, line).gray.size > 0


def written(lines: list[LineRegion], size: tuple[int, int] = (1000, 1000), cell: int = 30, seed: int = 1) -> Gray:
    """A page with blocks of strokes as characters, one a cell along each line."""
    rng = np.random.default_rng(seed)
    page = np.full((size[1], size[0]), 235, np.uint8)
    for line in lines:
        x0, y0, x1, y1 = (round(v) for v in line.box)
        upright = line.direction == "vertical"
        for at in range(y0 if upright else x0, (y1 if upright else x1) - cell + 1, cell):
            y, x = (at, x0) if upright else (y0, at)
            strokes = np.kron(rng.random((6, 6)) < 0.55, np.ones((4, 4)))
            page[y + 3 : y + 27, x + 3 : x + 27][strokes.astype(bool)] = 20
    return page


@pytest.mark.parametrize("degrees", [0.0, 2.0])
@pytest.mark.parametrize("name", ["columns", "rows", "two columns"])
def test_lines_without_a_model(name: str, degrees: float) -> None:
    lines = [line for line in LAYOUTS[name] if min(sizes([line])[1]) < 40]
    page = written(lines)
    page = np.asarray(Image.fromarray(page).rotate(-degrees, Image.Resampling.BICUBIC, fillcolor=235))
    found = segment(page)
    true = [turned(line, degrees) for line in lines]
    counts = score(true, [line for line in found if line.kind == "text"])
    assert counts.f1 > 0.9 and counts.in_order == 1 and counts.turned == 0


@pytest.mark.parametrize("light", [False, True])
def test_what_shows_through_is_no_line(light: bool) -> None:
    lines, ghosts = ROWS[:8], ROWS[8:]
    page = written(lines)
    pale = np.uint8(235) - (np.uint8(235) - written(ghosts)) // 8
    page = np.minimum(page, pale)
    page = 255 - page if light else page
    detector = object.__new__(Detector)
    detector.lines = lambda gray: [*lines, *ghosts]  # type: ignore[method-assign]
    assert {line.box for line in segment(page, detector)} == {line.box for line in lines}
    # alone, what is pale is what there is to read
    alone = 255 - pale if light else pale
    detector.lines = lambda gray: ghosts  # type: ignore[method-assign]
    assert len(segment(alone, detector)) == len(ghosts)


def test_a_line_may_reach_far_beyond_its_page() -> None:
    page = written(ROWS)
    cut = [
        region(100, page.shape[0] - 9, 500, page.shape[0] + 91),
        region(page.shape[1] - 9, 100, page.shape[1] + 91, 500),
    ]
    detector = object.__new__(Detector)
    detector.lines = lambda gray: [*ROWS, *cut]  # type: ignore[method-assign]
    assert {line.box for line in segment(page, detector)} >= {line.box for line in ROWS}


@pytest.mark.parametrize("level", [0, 128, 255])
def test_nothing_on_blank_paper(level: int) -> None:
    page = np.full((600, 400), level, np.uint8)
    assert segment(page) == ()
    noise = np.random.default_rng(0).normal(0, 5, page.shape)
    assert segment(np.clip(page + noise, 0, 255).astype(np.uint8)) == ()


def test_a_line_is_no_page() -> None:
    line = region(20, 20, 620, 50)
    assert is_line(written([line], (640, 70)))
    assert is_line(written([region(20, 20, 50, 620)], (70, 640)))
    assert is_line(np.full((300, 300), 255, np.uint8)), "a picture of nothing may be cut badly, but is no page"
    assert is_line(np.zeros((3, 2000), np.uint8))
    assert not is_line(written(ROWS))
    assert not is_line(written(COLUMNS))
    assert not is_line(written([ROWS[0]])), "a line that fills a twentieth of the picture has to be found first"


def test_a_line_with_its_neighbours_cut_off_is_a_line() -> None:
    whole = region(20, 40, 620, 72)
    picture = written([region(20, 0, 620, 32), whole, region(20, 80, 620, 112)], (640, 112))[16:98]
    lines = [replace(line, quad=as_quad(corners([line])[0] - (0, 16))) for line in (region(20, 16, 620, 32), whole, region(20, 80, 620, 98))]  # fmt: skip
    assert is_line(picture, regions=lines)
    assert not is_line(written(ROWS[:3], (1000, 300)), regions=ROWS[:3])


def test_scores_are_counts() -> None:
    truth = ROWS[:6]
    assert score(truth, truth).f1 == 1
    swapped = score(truth, [truth[1], truth[0], *truth[2:]])
    assert (swapped.f1, swapped.in_order) == (1, 0)
    half = score(truth, [*truth[:3], region(0, 900, 50, 930)])
    assert (half.hits, half.said, half.there, half.in_order) == (3, 4, 6, 1)
    assert (half + swapped).f1 == pytest.approx(2 * 9 / (4 + 6 + 12))
    upright = score(truth[:1], [replace(truth[0], direction="vertical")])
    assert upright.turned == 1
