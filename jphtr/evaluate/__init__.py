"""A model and lines with known text -> scores, through the very reader that people use: scoring is reading."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Literal

from jphtr.errors import JphtrError
from jphtr.evaluate.report import Report, Scored
from jphtr.evaluate.tables import per_file, summary, table
from jphtr.evaluate.temperature import fit_temperature
from jphtr.evaluate.truth import Truth, read_truth
from jphtr.reader import BATCH, Reader
from jphtr.records import Direction, Gray, Recognition

__all__ = ["Report", "Scored", "Truth", "evaluate", "fit_temperature", "per_file", "read_truth", "summary", "table"]


def evaluate(
    reader: Reader,
    truth: Sequence[Truth],
    *,
    direction: Literal["auto", "given", "horizontal", "vertical"] = "auto",
    decoder: str | None = None,
    batch_size: int = BATCH,
    folding: str = "folded",
) -> Report:
    """Read lines and lay what was read beside their texts.

    Parameters
    ----------
    reader : with the model to score.
    truth : the lines.
    direction : how they run; "auto" finds out, as for people, "given" trusts the table where it says.
    decoder : a key of `DECODERS`, if another than the reader's.
    batch_size : lines read together, which changes no result.
    folding : a key of `FOLDINGS`: under which the report counts.
    """
    ways: list[Direction | Literal["auto"]] = []
    for line in truth:
        told = line.direction if direction == "given" else direction
        ways.append("horizontal" if told == "horizontal" else "vertical" if told == "vertical" else "auto")
    results: dict[int, Recognition | JphtrError] = {}
    began = time.perf_counter()
    for way in dict.fromkeys(ways):
        places = [place for place, other in enumerate(ways) if other == way]
        given: list[int] = []
        grays = _decoded(truth, places, given, results)
        for number, result in enumerate(reader.read_many(grays, way, decoder=decoder, batch_size=batch_size)):
            results[given[number]] = result
    seconds = time.perf_counter() - began
    lines = tuple(_scored(line, results[i]) for i, line in enumerate(truth))
    said = decoder or str(reader.decoder)
    return Report(reader.path, lines, seconds, said, reader.header.temperature, folding)


def _decoded(
    truth: Sequence[Truth], places: Sequence[int], given: list[int], failed: dict[int, Recognition | JphtrError]
) -> Iterator[Gray]:
    """The pictures at `places` of `truth`; `given` takes the places of those that there are, `failed` the others."""
    for place in places:
        try:
            gray = truth[place].gray()
        except JphtrError as error:
            failed[place] = error
        else:
            given.append(place)  # before the reader, who takes some in advance, has read it
            yield gray


def _scored(truth: Truth, result: Recognition | JphtrError) -> Scored:
    if isinstance(result, JphtrError):
        said, name = str(result), str(truth)
        return Scored(truth, "", 0.0, "", said if name in said else f"{name}: {said.removeprefix('picture: ')}")
    return Scored(truth, result.text, result.confidence, result.direction, spans=result.spans)
