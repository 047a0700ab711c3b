"""Reading Japanese handwriting and print.

What flows, one function an arrow:

    unpack    archive bytes --sources--> GlyphBlock --store--> glyphs.h5
    compose   glyphs.h5 + text --compose--> Line (pixels, text, exact boxes)
    train     lines --loaders--> batch --nets--> log-probs --> run folder --> one model file
    read      file --image--> gray --geometry--> strip --model--> log-probs --decode--> Recognition --formats--> text
    page      file --pages_in--> gray --segment--> lines --read--> Page --formats--> text, XML, PDF

Modules, in the order in which data flows. A module imports only from those above it, and nothing above the line
imports torch:

    errors      what can go wrong, as one family
    whole       files that appear whole or not at all
    jouyou      the jouyou kanji by school grade, and their old forms
    orthography  Japanese as it was spelled before 1946
    charset     characters <-> labels; coverage of jouyou, JIS levels, kana
    lookalikes  characters that one picture may be: of one shape, or forms of one kanji
    records     the plain frozen types that move between stages
    settings    settings as models; YAML files; key=value overrides
    image       a file -> gray pixels
    pages_in    a file -> its pages: photos and scans, TIFF, PDF
    geometry    gray pixels of a line -> the strip a net sees, and the way back
    cell        gray pixels of a character -> the square that a classifier sees
    store       HDF5 in and out: glyph files; verify; pictures for other tools
    splits      train / valid / test that never divide a writer
    sources     archives, folders, font files and pen strokes -> Glyph; audit of archives
    inventory   what a glyph file holds, counted and chosen by any of its columns
    contact_sheet  chosen glyphs as one picture
    compose     text -> layout -> ink -> paper: synthetic lines with exact character boxes
    decode      CTC frames -> spans: greedy, beam, character n-grams
    metrics     CER as counts, per script, confusions, intervals
    accuracy    how often a classifier is right, how sure it says it is, what it confuses
    formats     Recognition, Page -> text, json, tsv, hocr, alto, page, pdf; what notebooks show
    html        reports as one HTML file with its pictures inside
    bundle      a trained model as one file that explains itself
    session     a model file -> a session of ONNX Runtime
    reader      image -> Recognition, through ONNX Runtime: everything that reading a line needs
    classifier  image of one character -> what it may be
    segment     page -> lines in reading order
    page_reader  page -> its lines with what they say
    bulk        files by the thousand -> what they say, in bounded memory
    ray_read    pictures in folders and tables -> parquet, through Ray Data
    evaluate    model x lines or pages -> scores, boxes, calibration, worst lines
    evaluate_char  classifier x pictures of known characters -> scores, confusions, worst mistakes
    serve       the web page and the HTTP API
    ----------------------------- torch below this line -----------------------------
    nets        the line net (masked Conv-RNN), the page net, character classifiers (any timm backbone)
    training    loaders, losses, augmentation, one sitting for all nets, the run folder
    export      torch -> ONNX, checked against torch before it is written
    cli         flags in, one call out

In Python: `jphtr.load().read("line.png").text`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

if TYPE_CHECKING:
    from jphtr.classifier import Classifier
    from jphtr.formats.notebook import Shown
    from jphtr.image import Picture
    from jphtr.page_reader import PageReader
    from jphtr.records import Page, Recognition

__version__ = "0.1.0"
__all__ = ["load", "save", "show"]


@overload
def load(
    model: None = None, *, threads: int | None = None, detector: str | None = None, decoder: str | None = None,
    lm: Path | str | None = None, lm_weight: float | None = None, beam_width: int | None = None,
    allow: Sequence[str] = (), block: Sequence[str] = (),
) -> PageReader: ...  # fmt: skip


@overload
def load(model: Literal["hiragana", "katakana", "kanji", "kuzushiji"], *, threads: int | None = None) -> Classifier: ...


@overload
def load(
    model: Path | str, *, threads: int | None = None, detector: str | None = None, decoder: str | None = None,
    lm: Path | str | None = None, lm_weight: float | None = None, beam_width: int | None = None,
    allow: Sequence[str] = (), block: Sequence[str] = (),
) -> Any: ...  # fmt: skip


def load(
    model: Path | str | None = None, *, threads: int | None = None, detector: str | None = None, decoder: str | None = None,
    lm: Path | str | None = None, lm_weight: float | None = None, beam_width: int | None = None,
    allow: Sequence[str] = (), block: Sequence[str] = (),
) -> PageReader | Classifier:  # fmt: skip
    """A reader of lines and pages, or a classifier of pictures of single characters.

    Parameters
    ----------
    model : an `.onnx` model file, of either kind; the name of a classifier in the package, such as "hiragana"
        (`bundle.CLASSIFIERS`); None takes the reader that comes with the package.
    threads : CPU threads; None leaves the choice to ONNX Runtime.
    detector : finds the lines of pages: a page model, "classical" for none, or None for the one in the package. This
        and all that follows is for readers.
    decoder : "beam" or "greedy"; None takes what reads best on balance.
    lm : a language model that the beam asks, an `.lm` file; None takes the one in the package, "none" none.
    lm_weight, beam_width : of the language model beside the net, and texts that the beam keeps; None as tuned.
    allow, block : what alone may be read, or may not: each a script ("digit", "kana", ...), "@" and a file of
        characters, or the characters themselves.

    Raises
    ------
    ModelError
        If there is no such model, or the file is not one.
    SettingsError
        If there is no such decoder, a list of characters is not one, or either is given to a classifier.
    """
    # importing jphtr stays instant
    if model is not None:
        from jphtr.bundle import find_model, read_header

        if read_header(find_model(model)).kind == "glyph":
            from jphtr.classifier import Classifier
            from jphtr.errors import SettingsError

            if detector or decoder or lm or lm_weight is not None or beam_width or allow or block:
                raise SettingsError(f"{model}: a model for single characters, which takes no option but threads")
            return Classifier(model, threads=threads)

    from jphtr.page_reader import PageReader

    return PageReader(
        model, threads=threads, detector=detector, decoder=decoder, lm=lm, lm_weight=lm_weight, beam_width=beam_width, allow=allow,
        block=block,
    )  # fmt: skip


def save(
    results: Recognition | Page | Iterable[Recognition | Page], path: Path | str, *, format: str | None = None,
    top_k: int = 3, keep_lines: bool = False, picture: Picture | None = None,
) -> None:  # fmt: skip
    """Write results to a file, whole or not at all.

    Parameters
    ----------
    results : a line, a page, or several of them.
    path : of the file.
    format : text, json, jsonl, tsv, hocr, alto, page or pdf; None goes by the suffix of the path.
    top_k : how many alternatives of a character to list, at most.
    keep_lines : in text, whether lines end where they end on the page.
    picture : what was read, where the results have no path to find it by.

    Raises
    ------
    SettingsError
        If there is no such format, or the suffix names none.
    ImageError
        If the format shows the picture, and it is not found.
    DataError
        If the file cannot be written.
    """
    from jphtr.errors import SettingsError  # importing jphtr stays instant
    from jphtr.formats import FORMATS, Style, of_file, pieces
    from jphtr.pages_in import Pictures
    from jphtr.records import Page, Recognition
    from jphtr.whole import write_whole

    name = format or of_file(path)
    if name not in FORMATS:
        raise SettingsError(f"format {name!r}: there are {', '.join(FORMATS)}")
    several = [results] if isinstance(results, Recognition | Page) else results
    pictures = Pictures({} if picture is None else {None: picture})
    style = Style(not isinstance(results, Recognition | Page), top_k, "", __version__, keep_lines, pictures)
    write_whole(Path(path), b"".join(pieces(name, several, style)))


def show(result: Recognition | Page, picture: Picture | None = None) -> Shown:
    """A result as notebooks show it: the picture, every character over its place, and the text.

    Parameters
    ----------
    result : a line or a page.
    picture : what was read, where the result has no path to find it by: an array, a Pillow image, a path.
    """
    from jphtr.formats.notebook import Shown  # importing jphtr stays instant

    return Shown(result, picture)
