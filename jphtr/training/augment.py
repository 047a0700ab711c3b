"""What may happen to a glyph before a classifier sees it: the hand, the ink, the paper, the lens, and whoever cut it out.

Every function takes gray (H, W) uint8, 255 paper, random numbers and a strength, 1 for what is usual, and returns gray
of the same shape. There are no flips: a mirrored character is another one or none. What ink and paper suffer is what
composed lines suffer (`compose.ink`, `compose.paper`), laid over the untouched glyph as far as the strength says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches

import cv2
import numpy as np
from numpy.typing import NDArray

from jphtr.compose.ink import INKS, Ink
from jphtr.compose.paper import PAPERS
from jphtr.errors import SettingsError
from jphtr.records import Gray

Rng = np.random.Generator
Augment = Callable[[Gray, Rng, float], Gray]

_EM = 0.85  # part of a picture's side that a character usually takes


def affine(gray: Gray, rng: Rng, strength: float) -> Gray:
    """A hand's slant and proportions: turned up to 7 degrees, sheared, stretched, moved a little."""
    height, width = gray.shape
    angle = np.deg2rad(float(rng.normal(0, 3.0)) * strength)
    shear = float(rng.normal(0, 0.07)) * strength
    stretch = float(np.exp(rng.normal(0, 0.06) * strength))
    scale = float(np.exp(rng.uniform(-0.1, 0.05) * strength))
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.array([[cos, -sin], [sin, cos]]) @ np.array([[1, shear], [0, 1]])
    matrix = turn * np.array([[stretch, 1 / stretch]]) * scale
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    move = rng.uniform(-0.03, 0.03, 2) * strength * max(height, width)
    return _warped(gray, np.concatenate([matrix, (middle + move - matrix @ middle)[:, None]], axis=1))


def _warped(gray: Gray, matrix: NDArray[np.float64]) -> Gray:
    size = (gray.shape[1], gray.shape[0])
    out: Gray = cv2.warpAffine(
        gray, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=255
    )
    return out


def perspective(gray: Gray, rng: Rng, strength: float) -> Gray:
    """A sheet that is not square to the camera: each corner moves by some percent of the side."""
    height, width = gray.shape
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    reach = min(0.045 * strength, 0.2) * max(height, width)
    moved = corners + rng.uniform(-reach, reach, (4, 2)).astype(np.float32)
    out: Gray = cv2.warpPerspective(
        gray, cv2.getPerspectiveTransform(corners, moved), (width, height), flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT, borderValue=255,
    )  # fmt: skip
    return out


def elastic(gray: Gray, rng: Rng, strength: float) -> Gray:
    """Strokes that come out otherwise each time: a smooth field of shifts (Simard et al. 2003), coarse or finer."""
    height, width = gray.shape
    nodes = int(rng.integers(3, 7))
    reach = strength * max(height, width) * float(rng.uniform(0.012, 0.04)) * 3 / nodes
    field = rng.standard_normal((nodes, nodes, 2), dtype=np.float32) * np.float32(reach)
    shift = cv2.resize(field, (width, height), interpolation=cv2.INTER_CUBIC)
    shift[..., 0] += np.arange(width, dtype=np.float32)
    shift[..., 1] += np.arange(height, dtype=np.float32)[:, None]
    out: Gray = cv2.remap(gray, shift, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=255)
    return out


def neighbours(gray: Gray, rng: Rng, strength: float) -> Gray:
    """Ink of the character before or after, or of the line beside, reaches in at a side."""
    height, width = gray.shape
    axis = int(rng.integers(2))
    reach = float(rng.uniform(0.04, 0.14)) * min(strength, 1.5)
    turned = gray[::-1, ::-1] if rng.random() < 0.5 else gray  # any ink will do
    away = round((width, height)[axis] * (1 - reach)) * (1 if rng.random() < 0.5 else -1)
    move = np.array([[1, 0, away if axis == 0 else 0], [0, 1, away if axis else 0]], np.float64)
    return np.minimum(gray, _warped(np.ascontiguousarray(turned), move))


def cutout(gray: Gray, rng: Rng, strength: float) -> Gray:
    """A patch of paper over a part of the glyph (DeVries and Taylor 2017; Zhong et al. 2017), sometimes a dark one."""
    height, width = gray.shape
    area = float(rng.uniform(0.02, 0.1)) * min(strength, 2.5) * height * width
    ratio = float(np.exp(rng.uniform(-0.8, 0.8)))
    high, wide = min(height, round((area * ratio) ** 0.5)), min(width, round((area / ratio) ** 0.5))
    top, left = int(rng.integers(height - high + 1)), int(rng.integers(width - wide + 1))
    out = gray.copy()
    out[top : top + high, left : left + wide] = 255 if rng.random() < 0.8 else int(rng.integers(60, 256))
    return out


def blur(gray: Gray, rng: Rng, strength: float) -> Gray:
    """A lens out of focus by up to a fortieth of the side: a kanji can still be read."""
    sigma = max(0.25, max(gray.shape) * float(rng.uniform(0.006, 0.025)) * strength)
    out: Gray = cv2.GaussianBlur(gray, (0, 0), sigma)
    return out


def low_resolution(gray: Gray, rng: Rng, strength: float) -> Gray:
    """Scanned with 40 to 85 % of the pixels, and enlarged again."""
    part = max(0.25, 1 - float(rng.uniform(0.15, 0.6)) * strength)
    height, width = gray.shape
    size = (max(8, round(width * part)), max(8, round(height * part)))
    small = cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
    again = cv2.INTER_NEAREST if rng.random() < 0.15 else cv2.INTER_LINEAR if rng.random() < 0.5 else cv2.INTER_CUBIC
    out: Gray = cv2.resize(small, (width, height), interpolation=again)
    return out


def _over(gray: Gray, changed: Gray, strength: float) -> Gray:
    if strength >= 1:
        return changed
    out: Gray = cv2.addWeighted(changed, strength, gray, 1 - strength, 0)
    return out


def _ink(effect: Callable[[Ink, Rng], Ink]) -> Augment:
    """An effect on ink as one on gray."""
    return lambda gray, rng, strength: _over(gray, 255 - effect(255 - gray, rng), strength)


def _paper(effect: Callable[[Gray, float, Rng], Gray]) -> Augment:
    """An effect on a line as one on a glyph."""
    return lambda gray, rng, strength: _over(gray, effect(gray, _EM * max(gray.shape), rng), strength)


# In the order in which they happen.
AUGMENTS: dict[str, Augment] = {
    "affine": affine, "perspective": perspective, "elastic": elastic,
    **{name: _ink(effect) for name, effect in INKS.items()},
    "neighbours": neighbours, "cutout": cutout,
    **{name: _paper(effect) for name, (effect, _) in PAPERS.items()},
    "blur": blur, "low_resolution": low_resolution,  # milder than a line's, whose neighbours help to read it
}  # fmt: skip


def augmented(gray: Gray, rng: Rng, chances: Mapping[str, float], strength: float) -> Gray:
    """A glyph after everything that chance lets happen to it.

    Parameters
    ----------
    gray : (H, W) uint8, 255 is paper.
    rng : all that is drawn is drawn from here.
    chances : of each row of `AUGMENTS` by name; those left out never happen.
    strength : of each; 0 returns the glyph as it is.
    """
    if not strength:
        return gray
    drawn = rng.random(len(AUGMENTS))
    for (name, augment), number in zip(AUGMENTS.items(), drawn.tolist(), strict=True):
        if number < chances.get(name, 0.0):
            gray = augment(gray, rng, strength)
    return gray


def check(chances: Mapping[str, float]) -> None:
    """Refuse chances of what is no augmentation.

    Raises
    ------
    SettingsError
        With the name, and what it may have meant.
    """
    for name in chances:
        if name not in AUGMENTS:
            near = ", ".join(get_close_matches(name, AUGMENTS, 3, 0.5)) or ", ".join(AUGMENTS)
            raise SettingsError(f"augment.chances: there is no augmentation {name!r}; choose from {near}")
