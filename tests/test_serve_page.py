"""The web page in a browser: what a person does with a mouse, a finger, a keyboard, in the dark and in Japanese."""

from __future__ import annotations

import io
import os
import re
import shutil
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from test_serve import png, tiff
from test_serve_network import running
from toy_model import CELL, draw, places, write_toy

from jphtr.bundle import LINE_MODELS
from jphtr.serve.limits import Limits
from jphtr.serve.reading import Models, Readings
from jphtr.serve.workers import Workers

api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

LIMITS = Limits(megabytes=2, megapixels=2, pages=3)
Open = Callable[..., Any]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if found is None:
        pytest.skip("no Chromium is installed")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        browser.phone = playwright.devices["Pixel 7"]
        api.expect.set_options(timeout=60_000)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kept")


@pytest.fixture(scope="module")
def url(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    model = write_toy(tmp_path_factory.mktemp("model") / "line.onnx")
    readings = partial(Readings, Models(model, lm="none", threads=1), LIMITS, folder)
    with running(Workers(readings, count=1, queue=8, seconds=30), LIMITS, saves=True) as found:
        yield found


@pytest.fixture
def visit(browser: Any, url: str) -> Iterator[Open]:
    """Opens the page; afterwards nothing may have gone wrong in it, nor been asked of another place."""
    wrong: list[str] = []
    contexts = []

    def open_page(address: str = url, **looks: Any) -> Any:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, "locale": "en-GB", **looks})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda line: wrong.append(line.text) if line.type in ("error", "warning") else None)
        page.on("request", lambda asked: asked.url.startswith((address, "blob:", "data:")) or wrong.append(asked.url))
        page.goto(address)
        page.wait_for_selector("html[data-ready]")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert [line for line in wrong if "status of 4" not in line] == []  # refusals, which tests ask for


def doubtful() -> bytes:
    """あい漢, the second of which could nearly as well be あ: one of its bands is only half dark."""
    gray = draw("あい漢")
    x0, y0, x1, _ = places("あい漢")[1]
    band = CELL // 5
    gray[y0 + 3 * band : y0 + 4 * band, x0:x1] = 86
    return png(gray)


def give(page: Any, data: bytes, name: str = "線.png", kind: str = "image/png") -> None:
    page.set_input_files("#file", {"name": name, "mimeType": kind, "buffer": data})


def read(page: Any, data: bytes, **file: str) -> None:
    give(page, data, **file)
    page.wait_for_selector("#status:not(.busy):not(:empty)")


def greedy(page: Any) -> None:
    """The toy is equally sure in all frames of a character, as no trained net is."""
    with page.expect_response(re.compile("/read")):
        page.select_option("[name=decoder]", "greedy")
    page.wait_for_selector("#status:not(.busy):not(:empty)")


def text(page: Any) -> str:
    return "".join(page.locator(".line-text .char").all_text_contents())


def test_a_picture_is_read_and_its_boxes_lie_on_its_characters(visit: Open) -> None:
    page = visit()
    assert page.locator("h1:visible").inner_text() == "Drop a picture or a PDF here"
    read(page, doubtful())
    greedy(page)
    assert text(page) == "あい漢"
    assert page.locator("#status").inner_text().startswith("1 line, 3 characters")
    sheet = page.locator(".sheet img").bounding_box()
    scale = sheet["width"] / draw("あい漢").shape[1]
    for place, rect in zip(places("あい漢"), page.locator(".sheet rect").all(), strict=True):
        box = rect.bounding_box()
        found = [box["x"] - sheet["x"], box["y"] - sheet["y"], box["width"], box["height"]]
        truth = [place[0], place[1], place[2] - place[0], place[3] - place[1]]
        assert np.abs(np.array(found) / scale - truth).max() < 4
    assert [("unsure" in char.get_attribute("class")) for char in page.locator(".line-text .char").all()] == [
        False, True, False,
    ]  # fmt: skip
    assert page.locator(".sheet rect.unsure").count() == 1
    assert page.locator("#unsure").inner_text() == "1 unsure"


def test_a_character_is_corrected_with_the_mouse(visit: Open) -> None:
    page = visit()
    read(page, doubtful())
    greedy(page)
    page.locator(".sheet rect").nth(1).click()
    assert page.locator(".line-text .char").nth(1).evaluate("e => e === document.activeElement")
    assert page.locator(".inspector-char").inner_text() == "い"
    page.locator(".choice", has_text="あ").first.click()
    assert text(page) == "ああ漢"
    assert page.locator("#unsure").inner_text() == "All sure"
    assert page.locator(".line-item.checked").count() == 1
    page.click("#undo")
    assert text(page) == "あい漢"
    page.fill("#inspector input", "うえ")
    page.click("#inspector form button >> nth=0")
    assert text(page) == "あうえ漢"
    boxes = [rect.bounding_box() for rect in page.locator(".sheet rect").all()]
    assert len(boxes) == 4
    assert boxes[1]["x"] + boxes[1]["width"] == pytest.approx(boxes[2]["x"], abs=3)
    page.locator("#inspector button", has_text="Remove").click()
    assert text(page) == "あえ漢"


def test_everything_is_done_with_the_keyboard_alone(visit: Open) -> None:
    page = visit()
    read(page, doubtful())
    greedy(page)
    press = page.keyboard.press
    page.focus("#sheets")
    press("Tab")  # from the picture to the head of the text ...
    while not page.evaluate("document.activeElement.closest('#lines')"):
        press("Tab")  # ... and to its characters, at most a few steps away
    assert page.evaluate("document.activeElement.textContent") == "あ"
    press("n")
    assert page.evaluate("document.activeElement.dataset.c") == "1"
    press("1")
    assert text(page) == "ああ漢"
    press("Control+z")
    assert text(page) == "あい漢"
    press("End")
    press("Enter")
    page.keyboard.insert_text("、漢")
    press("Enter")
    assert text(page) == "あい、漢"
    press("Home")
    press("Delete")
    assert text(page) == "い、漢"
    press("Tab")  # the line's own buttons follow its characters
    assert page.evaluate("document.activeElement.className").endswith("pen")
    press("Enter")
    page.keyboard.insert_text("えおえお")
    press("Enter")
    assert text(page) == "えおえお"
    page.focus("#tab-read")
    press("ArrowRight")
    assert page.locator("#write").is_visible()
    assert page.evaluate("document.activeElement.id") == "tab-write"


def test_corrections_are_taken_away_in_every_format(visit: Open, folder: Path) -> None:
    page = visit()
    read(page, png(draw("あい漢")))
    greedy(page)

    def download(format: str) -> bytes:
        page.select_option("#format", format)
        with page.expect_download() as waited:
            page.click("#download")
        return Path(waited.value.path()).read_bytes()

    page.select_option("#format", "lines")
    page.click("#download")
    assert "✓" in page.locator("#status").inner_text()  # nothing was said to be right yet
    assert page.locator("#save").is_disabled()
    page.click(".pen")
    page.click("#picture-title")  # to look at a line is not to say that it is right
    assert page.locator(".line-item.checked").count() == 0
    page.click(".pen")
    page.keyboard.insert_text("漢いあ")
    page.keyboard.press("Enter")
    assert download("text").decode() == "漢いあ\n"
    assert '"text": "漢いあ"' in download("json").decode()
    with zipfile.ZipFile(io.BytesIO(download("lines"))) as archive:
        image, label = archive.namelist()
        assert archive.read(label).decode() == "漢いあ\n"
        with Image.open(archive.open(image)) as picture:
            assert np.array_equal(np.asarray(picture), draw("あい漢"))
    page.click("#save")
    api.expect(page.locator("#status")).to_contain_text("1 line is saved")
    assert (folder / label).read_text("utf-8") == "漢いあ\n"


def test_pages_that_a_browser_cannot_show_come_from_the_server(visit: Open) -> None:
    page = visit()
    read(page, tiff("あい", "漢"), name="b.tif", kind="image/tiff")
    greedy(page)
    assert page.locator(".sheet").count() == 2
    assert page.locator("#lines h3").all_text_contents() == ["Page 1", "Page 2"]
    for picture in page.locator(".sheet img").all():
        assert picture.evaluate("async e => (await e.decode(), e.naturalWidth)") > 0
    page.locator(".line-text .char").first.focus()
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.textContent") == "漢"


def test_columns_stand_upright(visit: Open) -> None:
    page = visit()
    read(page, png(draw("うえお", direction="vertical")))
    greedy(page)
    tops = [char.bounding_box()["y"] for char in page.locator(".line-text .char").all()]
    assert tops == sorted(tops)
    assert len(set(tops)) == 3
    page.locator(".line-text .char").first.focus()
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.textContent") == "え"


def test_pictures_are_dropped_and_pasted(visit: Open) -> None:
    page = visit()
    give_event = """([data, name, event]) => {
        const transfer = new DataTransfer();
        transfer.items.add(new File([new Uint8Array(data)], name, {type: 'image/png'}));
        const made = event === 'paste' ? new ClipboardEvent(event, {clipboardData: transfer, bubbles: true})
                                       : new DragEvent(event, {dataTransfer: transfer, bubbles: true, cancelable: true});
        document.body.dispatchEvent(made);
    }"""
    page.evaluate(give_event, [list(png(draw("漢漢"))), "a.png", "dragover"])
    assert page.locator("#drop-veil").is_visible()
    page.evaluate(give_event, [list(png(draw("漢漢"))), "a.png", "drop"])
    page.wait_for_selector(".line-item")
    assert not page.locator("#drop-veil").is_visible()
    greedy(page)
    assert text(page) == "漢漢"
    page.evaluate(give_event, [list(png(draw("あ漢あ"))), "b.png", "paste"])
    api.expect(page.locator(".line-text .char")).to_have_count(3)


def test_what_cannot_be_read_is_said_and_the_page_goes_on(visit: Open) -> None:
    page = visit()
    for data, words in ((b"no picture", "cannot be read"), (bytes(3_000_000), "more than the server takes on")):
        give(page, data)
        page.wait_for_selector("#problem:visible")
        assert words in page.locator("#problem").inner_text()
    read(page, png(draw("漢")))
    assert not page.locator("#problem").is_visible()
    assert page.locator(".line-item").count() == 1


def test_japanese(visit: Open) -> None:
    page = visit(locale="ja-JP")
    assert page.evaluate("document.documentElement.lang") == "ja"
    assert page.locator("h1:visible").inner_text() == "画像かPDFをここにドロップ"
    read(page, png(draw("あい漢")))
    assert page.locator("#text-title").inner_text() == "テキスト"
    page.click("#language")
    assert page.locator("#text-title").inner_text() == "Text"
    page.reload()
    page.wait_for_selector("html[data-ready]")
    assert page.evaluate("document.documentElement.lang") == "en"  # a choice lasts
    missing = """async () => {
        const {say, setLanguage} = await import('./static/texts.js');
        const keys = [...document.querySelectorAll('[data-say], [data-say-label]')]
            .flatMap((e) => [e.dataset.say, e.dataset.sayLabel]).filter(Boolean);
        const lacking = (language) => (setLanguage(language), keys.filter((key) => say(key) === key));
        const english = Object.fromEntries(keys.map((key) => (setLanguage('en'), [key, say(key)])));
        setLanguage('ja');
        return [...lacking('en'), ...lacking('ja'), ...keys.filter((key) => key !== 'api' && say(key) === english[key])];
    }"""
    assert page.evaluate(missing) == []


CONTRAST = """() => {
    const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
    const rgb = (colour, under) => {
        canvas.fillStyle = under ?? '#000'; canvas.fillRect(0, 0, 1, 1);
        canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
    };
    const light = (c) => c.map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const ground = (e) => {
        const layers = [];
        for (; e; e = e.parentElement) layers.unshift(getComputedStyle(e).backgroundColor);
        return layers.reduce((under, colour) => `rgb(${rgb(colour, under)})`, '#fff');
    };
    const poor = [];
    for (const e of document.querySelectorAll('body *')) {
        const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
        if (!own || e.disabled || !e.checkVisibility({opacityProperty: true}) || getComputedStyle(e).opacity < 1) continue;
        const under = ground(e), [a, b] = [light(rgb(getComputedStyle(e).color, under)), light(rgb(under))];
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (ratio < 4.5) poor.push(`${e.tagName}.${e.className} ${e.textContent.slice(0, 20)} ${ratio.toFixed(2)}`);
    }
    return poor;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark_can_both_be_read(visit: Open, scheme: str) -> None:
    page = visit(color_scheme=scheme)
    ground = (
        "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).reduce((a, b) => a + +b, 0) / 3"
    )
    assert (page.evaluate(ground) > 128) == (scheme == "light")
    assert page.evaluate(CONTRAST) == []
    read(page, doubtful())
    page.locator(".line-text .char").nth(0).click()
    assert page.evaluate(CONTRAST) == []
    page.click("#theme")
    assert (page.evaluate(ground) > 128) == (scheme == "dark")


def test_everything_has_a_name_for_who_cannot_see(visit: Open) -> None:
    page = visit()
    read(page, doubtful())
    page.locator(".line-text .char").nth(1).click()
    nameless = """() => [...document.querySelectorAll('button, input:not([hidden]), select, [tabindex="0"], [role]')]
        .filter((e) => e.checkVisibility())
        .filter((e) => !(e.getAttribute('aria-label') || e.getAttribute('aria-labelledby') || e.labels?.length
                         || e.textContent.trim() || ['status', 'alert'].includes(e.getAttribute('role'))))
        .map((e) => e.outerHTML)"""
    assert page.evaluate(nameless) == []
    assert re.fullmatch(r"., \d+ % sure", page.locator(".line-text .char").nth(1).get_attribute("aria-label"))
    assert page.evaluate(
        "[...document.querySelectorAll('[id]')].length === new Set([...document.querySelectorAll('[id]')].map((e) => e.id)).size"
    )


def test_a_phone(visit: Open, browser: Any) -> None:
    page = visit(**browser.phone)
    wide = "document.documentElement.scrollWidth <= innerWidth"
    assert page.locator("#photograph").is_visible()
    assert page.locator("#camera").get_attribute("capture") == "environment"
    assert page.evaluate(wide)
    read(page, png(draw("あい漢" * 4)))
    assert page.evaluate(wide)
    page.locator(".line-text .char").last.tap()
    assert page.evaluate(wide)
    char, sheet = (page.locator(name).last.bounding_box() for name in (".line-text .char.selected", "#inspector"))
    assert char["y"] + char["height"] <= sheet["y"]  # what is looked at is not covered
    small = """() => [...document.querySelectorAll('button:not(.char)')].filter((e) => e.checkVisibility())
        .filter((e) => Math.min(e.offsetWidth, e.offsetHeight) < 34).map((e) => e.outerHTML)"""
    assert page.evaluate(small) == []
    page.tap("#tab-write")
    assert page.evaluate(wide)


@pytest.fixture(scope="module")
def trained() -> Iterator[str]:
    if not LINE_MODELS["horizontal"].exists():
        pytest.skip("no model is in the package")
    with running(Workers(partial(Readings, Models(threads=1), LIMITS), count=1, queue=8, seconds=60), LIMITS) as found:
        yield found


def stroke(page: Any, *points: tuple[float, float]) -> None:
    pad = page.locator("#pad").bounding_box()
    xy = [(pad["x"] + x * pad["width"], pad["y"] + y * pad["height"]) for x, y in points]
    page.mouse.move(*xy[0])
    page.mouse.down()
    for point in xy[1:]:
        page.mouse.move(*point, steps=5)
    page.mouse.up()


def test_a_character_is_written_with_the_mouse_and_told(visit: Open, trained: str) -> None:
    page = visit(trained)
    page.click("#tab-write")
    assert "Write something" in page.locator("#candidates").inner_text()
    stroke(page, (0.15, 0.35), (0.85, 0.33))
    stroke(page, (0.5, 0.12), (0.5, 0.9))
    stroke(page, (0.5, 0.35), (0.35, 0.6), (0.15, 0.8))
    stroke(page, (0.5, 0.35), (0.65, 0.6), (0.87, 0.8))
    tree = page.locator(".candidate:nth-child(-n + 3)", has_text="木")  # among the first three
    api.expect(tree).to_be_visible()
    assert "line reader" in page.locator("#pad-by").inner_text()
    tree.click()
    assert page.input_value("#written") == "木"
    assert page.locator(".candidate").count() == 0  # the field is free for the next one
    page.click("#pad-title")  # away from the field, which else may show its focus
    drawn = "document.querySelector('#pad').toDataURL()"
    empty = page.evaluate(drawn)
    stroke(page, (0.2, 0.5), (0.8, 0.5))
    assert page.evaluate(drawn) != empty
    page.click("#pad-undo")
    assert page.evaluate(drawn) == empty


def test_a_script_has_its_own_classifier(visit: Open, trained: str) -> None:
    page = visit(trained)
    page.click("#tab-write")
    if not page.locator("#script option[value=kanji]").count():
        assert not page.locator("#script").is_visible()
        pytest.skip("no classifier of kanji is in the package")
    page.select_option("#script", "kanji")
    stroke(page, (0.15, 0.3), (0.85, 0.3))
    stroke(page, (0.1, 0.7), (0.9, 0.7))
    api.expect(page.locator(".candidate:nth-child(-n + 3)", has_text="二")).to_be_visible()
    assert "classifier" in page.locator("#pad-by").inner_text()


def test_a_character_is_written_with_the_keyboard(visit: Open, trained: str) -> None:
    page = visit(trained)
    page.click("#tab-write")
    page.focus("#pad")
    for _ in range(7):
        page.keyboard.press("ArrowDown")
    for _ in range(14):
        page.keyboard.press("Shift+ArrowRight")
    page.wait_for_selector(".candidate")
    assert page.locator(".candidate").first.inner_text()[0] in "一ー-‐‒–—―－"
    page.keyboard.press("Escape")
    page.wait_for_selector(".candidate", state="detached")


def test_the_sample_is_drawn_and_read(visit: Open, trained: str) -> None:
    page = visit(trained)
    page.click("#sample")
    page.wait_for_selector("#result:visible")
    page.wait_for_selector("#status:not(.busy):not(:empty)")
