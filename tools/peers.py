"""Other readers of lines behind one door: for `tools/compare.py` and `tools/bench.py`, in whatever environment they live.

    python tools/peers.py rapidocr|tesseract < requests > answers

A request is a JSON line with a picture's path and its direction, an answer one with its text and the milliseconds from
file to text, on one thread. RapidOCR reads with the recogniser that its package brings, without search for lines;
Tesseract with `jpn` and `jpn_vert`, its start-up measured on an empty picture and taken off. Neither needs jphtr.
"""

from __future__ import annotations

import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from PIL import Image

Read = Callable[[str, str], tuple[str, float]]


def rapidocr() -> Read:
    """PP-OCR by RapidOCR; a vertical line is turned a quarter, as its makers advise."""
    import cv2
    from rapidocr import RapidOCR

    logging.disable(logging.INFO)
    engine = RapidOCR(params={"EngineConfig.onnxruntime.intra_op_num_threads": 1})

    def read(path: str, direction: str) -> tuple[str, float]:
        began = time.perf_counter()
        picture = cv2.imread(path)
        if direction == "vertical":
            picture = cv2.rotate(picture, cv2.ROTATE_90_COUNTERCLOCKWISE)
        found = engine(picture, use_det=False, use_cls=False, use_rec=True)
        return "".join(found.txts or ()), (time.perf_counter() - began) * 1000

    return read


def tesseract() -> Read:
    """Tesseract's command, a line of `jpn` or a column of `jpn_vert`."""

    def run(path: str, direction: str) -> tuple[str, float]:
        language, mode = ("jpn_vert", "5") if direction == "vertical" else ("jpn", "7")
        began = time.perf_counter()
        done = subprocess.run(
            ["tesseract", path, "-", "-l", language, "--psm", mode],
            capture_output=True, text=True, env=os.environ | {"OMP_THREAD_LIMIT": "1"}, check=False,
        )  # fmt: skip
        return "".join(done.stdout.split()), (time.perf_counter() - began) * 1000

    with tempfile.TemporaryDirectory() as folder:
        empty = Path(folder) / "empty.png"
        Image.new("L", (32, 32), 255).save(empty)
        idle = {way: statistics.median(run(str(empty), way)[1] for _ in range(5)) for way in ("horizontal", "vertical")}

    def read(path: str, direction: str) -> tuple[str, float]:
        text, milliseconds = run(path, direction)
        return text, milliseconds - idle.get(direction, idle["horizontal"])

    return read


PEERS: dict[str, Callable[[], Read]] = {"rapidocr": rapidocr, "tesseract": tesseract}


def main() -> None:
    """Answer every request on stdin."""
    read = PEERS[sys.argv[1]]()
    first = True
    for line in sys.stdin:
        request = json.loads(line)
        if first:  # whatever is made on first use
            read(request["path"], request["direction"])
            first = False
        text, milliseconds = read(request["path"], request["direction"])
        print(json.dumps({"text": text, "ms": milliseconds}, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
