"""What happens to a line on its way from the desk to the file: paper, light, lens, scanner, encoder.

Every function takes gray (H, W) uint8, 255 paper, with the reading axis from left to right, and returns the same shape
and type. Sizes are in units of `em`, the pixels of one character, so that small and large text suffer alike.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from jphtr.records import Gray

Rng = np.random.Generator
Float = NDArray[np.float32]


def _field(shape: tuple[int, int], step: float, rng: Rng) -> Float:
    """Smooth noise of standard deviation about 1 whose bumps are `step` pixels wide."""
    small = (max(2, int(shape[0] / step) + 2), max(2, int(shape[1] / step) + 2))
    noise = rng.standard_normal(small, dtype=np.float32)
    field: Float = cv2.resize(noise, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
    return field


def _clip(gray: Float) -> Gray:
    return np.clip(gray, 0, 255).astype(np.uint8)


def low_contrast(gray: Gray, em: float, rng: Rng) -> Gray:
    paper, ink = float(rng.uniform(150, 250)), float(rng.uniform(10, 130))
    if paper - ink < 45:
        ink = paper - 45
    return _clip(ink + gray.astype(np.float32) * ((paper - ink) / 255))


def texture(gray: Gray, em: float, rng: Rng) -> Gray:
    grain = _field(gray.shape, float(rng.uniform(1.5, 4)), rng) * float(rng.uniform(2, 8))
    return _clip(gray + grain + _field(gray.shape, 0.8 * em, rng) * float(rng.uniform(1, 7)))


def shadow(gray: Gray, em: float, rng: Rng) -> Gray:
    """Light that falls off along or across the line."""
    height, width = gray.shape
    along = cv2.resize(
        rng.uniform(0.45, 1.0, (1, int(rng.integers(2, 5)))).astype(np.float32),
        (width, 1),
        interpolation=cv2.INTER_CUBIC,
    )
    across = np.linspace(float(rng.uniform(0.85, 1)), float(rng.uniform(0.85, 1)), height, dtype=np.float32)[:, None]
    return _clip(gray * np.clip(along * across, 0.3, 1))


def stain(gray: Gray, em: float, rng: Rng) -> Gray:
    out = gray.astype(np.float32)
    mask = np.zeros(gray.shape, np.float32)
    for _ in range(int(rng.integers(1, 4))):
        centre = (int(rng.integers(gray.shape[1])), int(rng.integers(gray.shape[0])))
        axes = (int(em * rng.uniform(0.2, 1.5)) + 1, int(em * rng.uniform(0.2, 1.0)) + 1)
        cv2.ellipse(mask, centre, axes, float(rng.uniform(0, 180)), 0, 360, float(rng.uniform(0.1, 0.45)), -1)
    mask = cv2.GaussianBlur(mask, (0, 0), max(0.5, em * float(rng.uniform(0.02, 0.2))))
    return _clip(out * (1 - mask))


def specks(gray: Gray, em: float, rng: Rng) -> Gray:
    out = gray.copy()
    for _ in range(int(rng.integers(2, 5 + gray.shape[1] / em * 1.5))):
        centre = (int(rng.integers(gray.shape[1])), int(rng.integers(gray.shape[0])))
        radius = max(0, round(em * abs(rng.normal(0, 0.03))))
        cv2.circle(out, centre, radius, int(rng.integers(0, 150)) if rng.random() < 0.8 else 255, -1)
    return out


def salt_pepper(gray: Gray, em: float, rng: Rng) -> Gray:
    noise = rng.random(gray.shape, dtype=np.float32)
    share = float(rng.uniform(0.001, 0.02))
    out = gray.copy()
    out[noise < share] = 0
    out[noise > 1 - share] = 255
    return out


def show_through(gray: Gray, em: float, rng: Rng) -> Gray:
    """The back of the sheet, mirrored and blurred."""
    back = cv2.GaussianBlur(gray[:, ::-1], (0, 0), max(0.6, 0.06 * em))
    back = np.roll(
        back, (int(rng.integers(-gray.shape[0] // 3, gray.shape[0] // 3 + 1)), int(rng.integers(gray.shape[1]))), (0, 1)
    )
    strength = float(rng.uniform(0.06, 0.28))
    return _clip(np.minimum(gray, 255 - (255 - back.astype(np.float32)) * strength))


def rules(gray: Gray, em: float, rng: Rng) -> Gray:
    """Ruled paper, a table's lines, or the cells of manuscript paper."""
    out = gray.copy()
    level = int(rng.integers(0, 190))
    thick = max(1, round(em * float(rng.uniform(0.01, 0.05))))
    height, width = gray.shape
    kind = rng.random()
    layer = np.full_like(out, 255)
    if kind < 0.55:
        for y in (round(height / 2 + em * rng.uniform(0.53, 0.75)), round(height / 2 - em * rng.uniform(0.53, 0.9))):
            if rng.random() < 0.75:
                shift = int(rng.normal(0, 0.03 * em))
                cv2.line(layer, (0, y), (width, y + shift), level, thick)
    elif kind < 0.8:
        for x in {round(em * rng.uniform(0.02, 0.3)), round(width - em * rng.uniform(0.02, 0.3))}:
            if rng.random() < 0.7:
                cv2.line(layer, (x, 0), (x, height), level, thick)
    else:
        step = max(4.0, em * float(rng.uniform(1.0, 1.25)))
        half = step * 0.55
        top, bottom = round(height / 2 - half), round(height / 2 + half)
        level = max(level, 120)
        for x in np.arange(rng.uniform(0, step), width, step):
            cv2.line(layer, (int(x), top), (int(x), bottom), level, 1)
        for y in (top, bottom):
            cv2.line(layer, (0, y), (width, y), level, 1)
    return np.minimum(out, layer)


def edge(gray: Gray, em: float, rng: Rng) -> Gray:
    """The dark border of a scan along one side of the picture."""
    out = gray.copy()
    thick = max(1, round(em * float(rng.uniform(0.03, 0.12))))
    level = int(rng.integers(0, 120))
    side = int(rng.integers(4))
    view = (out, out[::-1], out.T, out.T[::-1])[side]
    view[:thick] = np.minimum(view[:thick], level)
    return out


def crease(gray: Gray, em: float, rng: Rng) -> Gray:
    out = gray.astype(np.float32)
    x = float(rng.uniform(0, gray.shape[1]))
    distance = np.abs(np.arange(gray.shape[1]) - x + float(rng.normal(0, 0.2 * em)))
    out -= float(rng.uniform(20, 80)) * np.exp(-((distance / max(0.8, 0.05 * em)) ** 2))[None]
    return _clip(out)


def blur(gray: Gray, em: float, rng: Rng) -> Gray:
    out: Gray = cv2.GaussianBlur(gray, (0, 0), max(0.3, em * float(rng.uniform(0.012, 0.05))))
    return out


def motion(gray: Gray, em: float, rng: Rng) -> Gray:
    size = max(2, round(em * float(rng.uniform(0.05, 0.13))))
    kernel = np.zeros((size, size), np.float32)
    cv2.line(kernel, (0, int(rng.integers(size))), (size - 1, int(rng.integers(size))), 1, 1)
    out: Gray = cv2.filter2D(gray, -1, kernel / kernel.sum())
    return out


def noise(gray: Gray, em: float, rng: Rng) -> Gray:
    sigma = float(rng.uniform(3, 28))
    return _clip(gray + rng.standard_normal(gray.shape, dtype=np.float32) * sigma)


def jpeg(gray: Gray, em: float, rng: Rng) -> Gray:
    quality = int(rng.integers(12, 85))
    _, data = cv2.imencode(".jpg", gray, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8)


def low_resolution(gray: Gray, em: float, rng: Rng) -> Gray:
    """Scanned too coarsely and enlarged again: down to 12 pixels a character, or to 60 % where it is that already."""
    scale = float(np.clip(rng.uniform(11, 20) / em, 0.4, 0.95))
    small = cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    how = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_NEAREST)[int(rng.choice(3, p=(0.45, 0.45, 0.1)))]
    out: Gray = cv2.resize(small, (gray.shape[1], gray.shape[0]), interpolation=how)
    return out


def binarise(gray: Gray, em: float, rng: Rng) -> Gray:
    """A fax or a scan in black and white."""
    low, high = np.percentile(gray, (2, 90))
    threshold = low + (high - low) * float(rng.uniform(0.4, 0.75))
    grain = rng.standard_normal(gray.shape, dtype=np.float32) * float(rng.uniform(0, 14))
    return np.where(gray + grain < threshold, 0, 255).astype(np.uint8)


def halftone(gray: Gray, em: float, rng: Rng) -> Gray:
    pitch = max(2.0, em * float(rng.uniform(0.05, 0.1)))
    y, x = np.mgrid[: gray.shape[0], : gray.shape[1]].astype(np.float32)
    a = float(rng.uniform(0, np.pi))
    screen = np.sin((x * np.cos(a) + y * np.sin(a)) * 2 * np.pi / pitch) * np.sin(
        (y * np.cos(a) - x * np.sin(a)) * 2 * np.pi / pitch
    )
    return _clip(gray - 35 * float(rng.uniform(0.3, 1)) * (screen + 1))


def moire(gray: Gray, em: float, rng: Rng) -> Gray:
    """A photographed screen: faint stripes."""
    y, x = np.mgrid[: gray.shape[0], : gray.shape[1]].astype(np.float32)
    a, pitch = float(rng.uniform(0, np.pi)), float(rng.uniform(2.5, 0.4 * em + 4))
    return _clip(gray + float(rng.uniform(4, 18)) * np.sin((x * np.cos(a) + y * np.sin(a)) * 2 * np.pi / pitch))


def sharpen(gray: Gray, em: float, rng: Rng) -> Gray:
    soft = cv2.GaussianBlur(gray, (0, 0), max(0.6, 0.03 * em)).astype(np.float32)
    return _clip(gray + (gray - soft) * float(rng.uniform(0.8, 2.5)))


def gamma(gray: Gray, em: float, rng: Rng) -> Gray:
    table = (np.linspace(0, 1, 256) ** float(np.exp(rng.normal(0, 0.45))) * 255).astype(np.uint8)
    out: Gray = cv2.LUT(gray, table)
    return out


def fade(gray: Gray, em: float, rng: Rng) -> Gray:
    """Pieces of the line nearly gone."""
    keep = np.clip(0.8 + 0.3 * _field(gray.shape, 1.5 * em, rng), 0.3, 1)
    return _clip(255 - (255 - gray.astype(np.float32)) * keep)


def scratch(gray: Gray, em: float, rng: Rng) -> Gray:
    out = gray.copy()
    height, width = gray.shape
    for _ in range(int(rng.integers(1, 4))):
        a = (int(rng.integers(width)), int(rng.integers(height)))
        b = (int(a[0] + rng.normal(0, 2.5 * em)), int(a[1] + rng.normal(0, 0.5 * em)))
        cv2.line(
            out, a, b, int(rng.integers(0, 200)) if rng.random() < 0.5 else 255, max(1, round(0.02 * em)), cv2.LINE_AA
        )
    return out


def invert(gray: Gray, em: float, rng: Rng) -> Gray:
    return 255 - gray


# In the order in which they happen; the probability at which each is drawn for a degraded line.
PAPERS: dict[str, tuple[Callable[[Gray, float, Rng], Gray], float]] = {
    "show_through": (show_through, 0.12), "rules": (rules, 0.18), "halftone": (halftone, 0.03), "fade": (fade, 0.10),
    "scratch": (scratch, 0.06), "low_contrast": (low_contrast, 0.55), "texture": (texture, 0.40),
    "stain": (stain, 0.12), "specks": (specks, 0.15), "crease": (crease, 0.04), "edge": (edge, 0.05),
    "shadow": (shadow, 0.22), "low_resolution": (low_resolution, 0.20), "blur": (blur, 0.35), "motion": (motion, 0.07),
    "gamma": (gamma, 0.15), "moire": (moire, 0.03), "noise": (noise, 0.35), "salt_pepper": (salt_pepper, 0.05),
    "sharpen": (sharpen, 0.15), "binarise": (binarise, 0.10), "jpeg": (jpeg, 0.45), "invert": (invert, 0.05),
}  # fmt: skip
