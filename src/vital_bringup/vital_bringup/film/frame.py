"""One image of a film: scene and wrist camera side by side, and a band below that says what happens."""

from collections import deque
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import cv2
import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

HEIGHT_PX, SCENE_PX, BAND_PX = 480, 640, 144
SIZE_PX = (SCENE_PX + HEIGHT_PX, HEIGHT_PX + BAND_PX)
EDGE_PX = 20
PHASES = ("localize", "reach", "policy", "done")
TOUCH_S = 10.0
GROUND, INK, FAINT, LINE = (24, 26, 30), (238, 240, 244), (140, 146, 156), (52, 56, 64)
BLUE, GREEN, RED = (86, 156, 240), (96, 200, 130), (236, 96, 88)


@dataclass
class Shown:
    """What is known of the run; images (H, W, 3) uint8 RGB, None before the first."""

    scene: NDArray[np.uint8] | None = None
    wrist: NDArray[np.uint8] | None = None
    sentence: str = ""
    phase: str = ""
    """One of `PHASES`; empty before a task."""
    success: bool | None = None
    """None until the task has ended."""
    outcome: str = ""
    arm: str = ""
    """Who has it, and whether it moves."""
    tactile_limit_ut: float = 0.0
    """0 before it is known."""
    touch: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=2000))
    """(steady time in s, largest change of a magnetometer's field in µT), oldest first."""

    @property
    def complete(self) -> bool:
        """Whether there is something to look at: a film begins with an image of both cameras."""
        return self.scene is not None and self.wrist is not None


def frame_of(shown: Shown, now_s: float) -> NDArray[np.uint8]:
    """(624, 1120, 3) uint8 RGB; black where a camera has shown nothing."""
    image = np.zeros((SIZE_PX[1], SIZE_PX[0], 3), np.uint8)
    if shown.scene is not None:
        image[:HEIGHT_PX, :SCENE_PX] = cv2.resize(shown.scene, (SCENE_PX, HEIGHT_PX))
    if shown.wrist is not None:
        image[:HEIGHT_PX, SCENE_PX:] = cv2.resize(shown.wrist, (HEIGHT_PX, HEIGHT_PX), interpolation=cv2.INTER_CUBIC)
    image[HEIGHT_PX:] = _band(shown, now_s)
    return image


def _band(shown: Shown, now_s: float) -> NDArray[np.uint8]:
    band = Image.new("RGB", (SIZE_PX[0], BAND_PX), GROUND)
    draw = ImageDraw.Draw(band)
    wide = SCENE_PX - 2 * EDGE_PX
    draw.text((EDGE_PX, 14), _fitting(draw, shown.sentence or "waiting for a task", _font(22), wide), INK, _font(22))
    _phases(draw, shown)
    told, colour = (shown.outcome, GREEN if shown.success else RED) if shown.outcome else (shown.arm, FAINT)
    draw.text((EDGE_PX, 104), _fitting(draw, told, _font(17), wide), colour, _font(17))
    _touch(draw, shown, now_s)
    return np.asarray(band)


def _phases(draw: ImageDraw.ImageDraw, shown: Shown) -> None:
    at = PHASES.index(shown.phase) if shown.phase in PHASES else -1
    x = float(EDGE_PX)
    for number, name in enumerate(PHASES):
        failed = shown.success is False and number == at
        colour = RED if failed else BLUE if number == at and shown.success is None else GREEN if number <= at else LINE
        draw.ellipse((x, 64, x + 14, 78), fill=colour)
        draw.text((x + 22, 61), name, INK if number <= at else FAINT, _font(17))
        x += 22 + draw.textlength(name, _font(17)) + 28


def _touch(draw: ImageDraw.ImageDraw, shown: Shown, now_s: float) -> None:
    left, right, top, bottom = SCENE_PX, SIZE_PX[0] - EDGE_PX, 40, BAND_PX - 16
    newest = f"touch {shown.touch[-1][1]:.0f} µT" if shown.touch else "no touch yet"
    draw.text((left, 14), newest, INK, _font(17))
    most = max([1.25 * shown.tactile_limit_ut, 100.0, *(value for _, value in shown.touch)])
    draw.line((left, bottom, right, bottom), LINE, 1)
    if shown.tactile_limit_ut > 0.0:
        y = bottom - (bottom - top) * shown.tactile_limit_ut / most
        draw.line((left, y, right, y), RED, 1)
        limit = f"limit {shown.tactile_limit_ut:.0f} µT"
        draw.text((right - draw.textlength(limit, _font(14)), 16), limit, RED, _font(14))
    points = [
        (right - (right - left) * (now_s - at_s) / TOUCH_S, bottom - (bottom - top) * value / most)
        for at_s, value in shown.touch
        if now_s - at_s <= TOUCH_S
    ]
    if len(points) > 1:
        draw.line(points, BLUE, 2)


def _fitting(draw: ImageDraw.ImageDraw, text: str, font: ImageFont.FreeTypeFont, wide_px: float) -> str:
    """The text, or as much of it as fits, with an ellipsis; what cannot be printed is left out."""
    text = "".join(character for character in text if character.isprintable())
    if draw.textlength(text, font) <= wide_px:
        return text
    while text and draw.textlength(text + "…", font) > wide_px:
        text = text[:-1]
    return text.rstrip() + "…"


@lru_cache
def _font(size_px: int) -> ImageFont.FreeTypeFont:
    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(str(path), size_px)
