"""The pictures in docs/: good and bad input side by side, and the pages of the tutorial. All texts are our own.

    jphtr render-fonts kiwi-maru/files/kiwi-maru-japanese-500-normal.woff2 -o kiwi.h5
    jphtr render-fonts zen-kurenaido/files/zen-kurenaido-japanese-400-normal.woff2 --style hand -o kurenaido.h5
    jphtr render-fonts aoyagi-soseki.ttf --style brush -o brush.h5
    python tools/docs_pictures.py pictures -g kiwi.h5 -g kurenaido.h5 -g brush.h5 -o docs/pictures
    python tools/docs_pictures.py letters -g brush.h5 -o letters/

The fonts come from the npm packages @fontsource/kiwi-maru and @fontsource/zen-kurenaido and from Debian's
fonts-aoyagi-soseki. Kiwi Maru and Zen Kurenaido are under the SIL Open Font License 1.1, the Aoyagi fonts in the public domain. A picture is a
function of its name, the glyph files and this version of the composer.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import click
import cv2
import numpy as np
from PIL import Image

from jphtr.charset import default
from jphtr.compose import Composer
from jphtr.compose.layout import Hand
from jphtr.compose.page_sheet import Pen, Sheet
from jphtr.errors import DataError, JphtrError
from jphtr.records import Gray
from jphtr.settings import ComposeSettings

PRINT, HAND, BRUSH = "KiwiMaru-Medium", "ZenKurenaido-Regular", "AoyagiSoseki"
EM = 40  # pixels of a character in print of 10 points at 300 dpi
PAPER = 244
GRAIN = 1.0  # of a scanner, in levels

LETTER = "お返事が遅くなり、申し訳ありません。"
MEETING = "次の寄り合いは、三月十八日の夕方に開きます。"
RECEIPT = "右の金額、たしかに受け取りました。"
FERRY = "船の時刻は、港の掲示板でお確かめください。"
SEEDS = "畑の豆をまく前に、雨がやみました。"
RUBY = "釣つり 人びと は 霧きり の 湖みずうみ を 渡わた る。"  # each kanji with its reading, and what has none
CELL = "三千五百円"

# what a brother writes home; a sheet each
SHEETS = (
    "前略。こちらは先週から雪になりました。宿の窓から見える山も、今朝は裾まで白くなっています。朝の汽車は二十分おくれて着きました。駅前の宿は湯がよく出て、古い帳場の時計だけが大きな音を立てています。風呂のあとは炭の火をかこみ、同じ部屋の人と郷里の話をしました。その人は隣の県の生まれで、豆腐を作る家の三男だそうです。",
    "役所の仕事にも、ようやく慣れました。毎日、古い地図を机に広げ、村の境と川の流れを新しい紙に写しています。細い筆を使うので、夕方には肩が石のようになります。それでも、山の名を一つ書くたびに、そこを歩いたような心持ちがします。来月は測量の組に加わり、北の谷まで出かける予定です。弁当は自分で作るようにと言われました。",
    "母上のせきは、その後いかがですか。薬屋の主人にたずねたところ、生姜と蜂蜜を湯に溶いて、寝る前に飲むとよいそうです。少しばかりですが、蜂蜜を小包で送ります。瓶が割れぬよう、古い新聞紙でよく巻きました。妹には絵はがきを三枚入れておきます。学校の帰りに川へ下りないよう、よく言って聞かせてください。",
    "お送りくださった柿と米、たしかに受け取りました。宿の皆と分けて食べたところ、こんなに甘い柿は初めてだと喜ばれました。米はまだ開けずに、正月まで取っておくつもりです。布団の綿を打ち直す代金は、月の終わりに為替で送ります。金額が足りないときは、遠慮なく知らせてください。屋根の雪おろしは、無理をせず隣の兄さんに頼んでください。",
    "谷の測量は、思ったより長くかかりました。霧が晴れるのを待つあいだ、皆で火を起こし、味噌を焼いて食べました。案内の老人は、熊の足あとを見つけると笛を三度吹きます。その音が向こうの崖に返って、だれかが答えたように聞こえました。夜は小屋の板の上に寝て、星の多さに驚きました。手帳の端に、星の並びを写しておきました。",
    "春になれば、休みをもらって帰れそうです。汽車の時刻が変わると聞いたので、着く日が決まりしだい電報を打ちます。駅まで迎えに来なくてもかまいません。荷物は軽く、土産は菓子と本だけにします。畑の手伝いもしますから、古い長ぐつを出しておいてください。庭の梅はもう咲きましたか。皆の元気な顔を見るのが、何よりの楽しみです。草々。",
)  # fmt: skip


class Studio:
    """Sets lines of given text, in one face, on blank paper.

    Parameters
    ----------
    glyphs : glyph files, in which faces are looked for by a part of their names.
    """

    def __init__(self, glyphs: Sequence[Path]) -> None:
        self.composer = Composer(ComposeSettings(), default(), glyphs, ())

    def pen(self, face: str, **hand: float) -> Pen:
        """A pen that writes in a face, with a hand such as `Hand` describes.

        Raises
        ------
        DataError
            If no glyph file has the face.
        """
        for number, writer in enumerate(self.composer.atlas.writers):
            if face in writer:
                return Pen(number, Hand(number, **hand), number)  # type: ignore[arg-type]  # every float is one of its sizes
        raise DataError(f"{face}: in none of the glyph files; draw it with jphtr render-fonts")

    def sheet(self, width: int, height: int, name: str) -> Sheet:
        """Blank paper, whose chance depends on the picture's name alone."""
        seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4])
        sheet = Sheet(self.composer, (width, height), np.random.default_rng(seed))
        sheet.new_block()
        return sheet

    def line(self, text: str, name: str, *, face: str = PRINT) -> Gray:
        """A horizontal line with a margin around it, as if scanned."""
        margin = round(0.35 * EM)
        sheet = self.sheet(EM * (len(text) + 1), round(1.7 * EM), name)
        sheet.line(text, margin, margin, EM, "horizontal", self.pen(face))
        return scanned(255 - sheet.ink, sheet.rng)


def scanned(gray: Gray, rng: np.random.Generator, *, paper: float = PAPER, ink: float = 25) -> Gray:
    """Ink on paper as a scanner gives it: not quite black, not quite white, a little grain."""
    level = ink + gray.astype(np.float32) * ((paper - ink) / 255)
    level = cv2.GaussianBlur(level, (0, 0), 0.6) + rng.normal(0, GRAIN, gray.shape).astype(np.float32)
    return np.clip(level, 0, 255).astype(np.uint8)


def small(studio: Studio) -> tuple[Gray, Gray]:
    """The same line at 300 and at 45 dots an inch."""
    good = studio.line(LETTER, "small")
    size = (round(good.shape[1] * 0.15), round(good.shape[0] * 0.15))
    return good, cv2.resize(good, size, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def blurred(studio: Studio) -> tuple[Gray, Gray]:
    """In focus and far out of it."""
    good = studio.line(MEETING, "blurred")
    return good, cv2.GaussianBlur(good, (0, 0), 0.12 * EM)  # type: ignore[return-value]


def cut(studio: Studio) -> tuple[Gray, Gray]:
    """With a margin, and without its upper part."""
    good = studio.line(RECEIPT, "cut")
    return good, good[round(0.35 * EM + 0.42 * EM) :]


def upside_down(studio: Studio) -> tuple[Gray, Gray]:
    good = studio.line(FERRY, "upside-down")
    return good, np.ascontiguousarray(good[::-1, ::-1])


def sideways(studio: Studio) -> tuple[Gray, Gray]:
    good = studio.line(SEEDS, "sideways")
    return good, np.ascontiguousarray(np.rot90(good))


def tilted(studio: Studio) -> tuple[Gray, Gray]:
    """Straight, and turned by five degrees."""
    good = studio.line(MEETING, "tilted", face=HAND)
    high, wide = good.shape
    room = round(0.5 * wide * np.sin(np.deg2rad(5)))
    padded = cv2.copyMakeBorder(good, room, room, 0, 0, cv2.BORDER_CONSTANT, value=PAPER)
    turn = cv2.getRotationMatrix2D((wide / 2, room + high / 2), 5, 1)
    turned = cv2.warpAffine(padded, turn, padded.shape[1::-1], borderMode=cv2.BORDER_CONSTANT, borderValue=PAPER)
    return good, turned  # type: ignore[return-value]


def two_lines(studio: Studio) -> tuple[Gray, Gray]:
    """One line in a picture, and two."""
    sheet = studio.sheet(15 * EM, round(4 * EM), "two-lines")
    pen = studio.pen(PRINT)
    sheet.line("雪の朝、郵便は昼まで", 0.5 * EM, 0.5 * EM, EM, "horizontal", pen)
    sheet.line("来ませんでした。道が", 0.5 * EM, 2.2 * EM, EM, "horizontal", pen)
    both = scanned(255 - sheet.ink, sheet.rng)[:, : 11 * EM]
    return both[: round(1.85 * EM)], both


def ruby(studio: Studio) -> tuple[Gray, Gray]:
    """A line alone, and with the reading of its kanji over it."""
    words = [(word[0], word[1:]) if "一" <= word[0] <= "鿿" else (word, "") for word in RUBY.split()]
    text = "".join(base for base, _ in words)
    sheet = studio.sheet((len(text) + 1) * EM, 2 * EM, "ruby")
    pen = studio.pen(PRINT)
    sheet.line(text, 0.35 * EM, 0.8 * EM, EM, "horizontal", pen)
    at, size = 0.35 * EM, 0.36 * EM
    for base, kana in words:
        if kana:
            sheet.line(kana, at + EM / 2 - len(kana) * size / 2, 0.38 * EM, size, "horizontal", pen)
        at += len(base) * EM
    return studio.line(text, "ruby"), scanned(255 - sheet.ink, sheet.rng)


def light_on_dark(studio: Studio) -> tuple[Gray, Gray]:
    good = studio.line(RECEIPT, "light-on-dark")
    return good, 255 - good


def show_through(studio: Studio) -> tuple[Gray, Gray]:
    """A clean sheet, and one whose back shines through, mirrored."""
    good = studio.line(LETTER, "show-through", face=HAND)
    back = studio.line(MEETING[:18], "show-through back", face=HAND)[:, ::-1][:, : good.shape[1]]
    back = np.roll(cv2.GaussianBlur(back, (0, 0), 1.2), (9, 23), (0, 1)).astype(np.float32)
    level = np.minimum(good, PAPER - (PAPER - back) * 0.62)
    return good, np.clip(level, 0, 255).astype(np.uint8)


def faint(studio: Studio) -> tuple[Gray, Gray]:
    """Full contrast, and what a hard pencil leaves on gray paper."""
    good = studio.line(SEEDS, "faint", face=HAND)
    rng = np.random.default_rng(1)
    level = 196 - (PAPER - good.astype(np.float32)) * 0.085 + rng.normal(0, 3, good.shape)
    return good, np.clip(level, 0, 255).astype(np.uint8)


def cell(studio: Studio) -> tuple[Gray, Gray]:
    """What stands in a cell of a table with room around it, and between rules that touch it."""
    good = studio.line(CELL, "cell")
    ruled = good[round(0.3 * EM) : round(1.4 * EM)].copy()
    high, wide = ruled.shape
    for x in (2, round(0.32 * EM), round(5.5 * EM), wide - 3):
        cv2.line(ruled, (x, 0), (x, high), 60, 2)
    for y in (round(0.06 * EM), high - round(0.1 * EM)):
        cv2.line(ruled, (0, y), (wide, y), 60, 2)
    return good, ruled


def display(studio: Studio) -> tuple[Gray, Gray]:
    """Plain type, and hollow type with a shadow."""
    good = studio.line("冬の大売り出し", "display")
    ink = 255 - good
    hollow = cv2.subtract(cv2.dilate(ink, np.ones((5, 5))), ink)
    shadow = np.roll(hollow, (5, 5), (0, 1))
    return good, 255 - np.maximum(hollow, shadow // 2)


# name -> (good, bad)
FAULTS: dict[str, Callable[[Studio], tuple[Gray, Gray]]] = {
    "small": small, "blurred": blurred, "cut": cut, "upside-down": upside_down, "sideways": sideways, "tilted": tilted,
    "two-lines": two_lines, "ruby": ruby, "light-on-dark": light_on_dark, "show-through": show_through, "faint": faint,
    "cell": cell, "display": display,
}  # fmt: skip


def letter(studio: Studio, number: int) -> tuple[Gray, list[str]]:
    """A sheet of the letters, in columns from the right, and their texts."""
    width, height, em = 1240, 1754, 62  # A5 at 210 dpi
    sheet = studio.sheet(width, height, f"letter {number}")
    rng = sheet.rng
    pen = replace(studio.pen(BRUSH, jitter=0.03, tracking=-0.02), rough=0.5)
    left, x, room = SHEETS[number], width - 2.2 * em, height - 5.2 * em
    while left:
        count = int(room / em)
        while left[count : count + 1] in ("、", "。"):
            count -= 1
        start = 2.4 * em + float(rng.normal(0, 0.12)) * em
        sheet.line(left[:count], x, start, em, "vertical", pen, limit=room + 2 * em)
        left, x = left[count:], x - 2.1 * em * (1 + float(rng.normal(0, 0.02)))
    return scanned(255 - sheet.ink, rng, paper=226, ink=55), [line.text for line in sheet.lines]


_GLYPHS = click.option("-g", "--glyphs", multiple=True, required=True, type=click.Path(exists=True, path_type=Path), help="Glyph files.")  # fmt: skip
_OUTPUT = click.option("-o", "--output", required=True, type=click.Path(file_okay=False, path_type=Path))


@click.group()
def main() -> None:
    """Draw the pictures in docs/."""


@main.command()
@_GLYPHS
@_OUTPUT
def pictures(glyphs: tuple[Path, ...], output: Path) -> None:
    """Good and bad input, as NAME-good.png and NAME-bad.png, and a sheet of the letters at half its size, letter.jpg."""
    studio = Studio(glyphs)
    output.mkdir(parents=True, exist_ok=True)
    for name, draw in FAULTS.items():
        for kind, gray in zip(("good", "bad"), draw(studio), strict=True):
            Image.fromarray(gray).quantize(16).save(output / f"{name}-{kind}.png", optimize=True)
    sheet = Image.fromarray(letter(studio, 0)[0])
    sheet.resize((sheet.width // 2, sheet.height // 2)).save(output / "letter.jpg", quality=80)


@main.command()
@_GLYPHS
@_OUTPUT
def letters(glyphs: tuple[Path, ...], output: Path) -> None:
    """The sheets of the tutorial, as JPEG, and letters.txt, which says what stands on them."""
    studio = Studio(glyphs)
    output.mkdir(parents=True, exist_ok=True)
    said = []
    for number in range(len(SHEETS)):
        gray, texts = letter(studio, number)
        name = f"letter-{number + 1}.jpg"
        Image.fromarray(gray).save(output / name, quality=85, dpi=(210, 210))
        said += [f"{name}\t{text}\n" for text in texts]
    (output / "letters.txt").write_text("".join(said), "utf-8")


if __name__ == "__main__":
    try:
        main()
    except JphtrError as error:
        sys.exit(f"docs_pictures: error: {error}")
