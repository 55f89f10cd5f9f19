"""Molmo's answers read: points in percent of the picture, or a sentence that the thing is not there.

`<point x="10.5" y="20.3" alt="a">a</point>`, several as `<points x1="1" y1="2" x2="3" y2="4" ...>`.
"""

import re

from vital_vlm_reach.pointing import Pointing

_TAG = re.compile(r"<points?\b([^>]*)>", re.IGNORECASE)
_COORDINATE = re.compile(r"\b([xy])(\d*)\s*=\s*[\"']?\s*(-?\d+(?:\.\d+)?)", re.IGNORECASE)
_ABSENT = re.compile(
    r"\b(isn'?t|is not|aren'?t|are not|no|not|none|cannot|can'?t|couldn'?t|unable)\b.*"
    r"\b(in|visible|image|picture|see|find|there|present|any)\b",
    re.IGNORECASE | re.DOTALL,
)


def points_percent(answer: str) -> list[tuple[float, float]]:
    """Every (x, y) in the answer, in percent of width and height; those outside 0 to 100 are left out."""
    points = []
    for tag in _TAG.finditer(answer):
        axes: dict[str, dict[str, float]] = {"x": {}, "y": {}}
        attributes = re.sub(r"\balt\s*=\s*(\"[^\"]*\"|'[^']*')", "", tag.group(1))
        for axis, number, value in _COORDINATE.findall(attributes):
            axes[axis.lower()][number] = float(value)
        for number in sorted(axes["x"].keys() & axes["y"].keys(), key=lambda n: int(n or 0)):
            points.append((axes["x"][number], axes["y"][number]))
    return [(x, y) for x, y in points if 0.0 <= x <= 100.0 and 0.0 <= y <= 100.0]


def read_answer(answer: str, width_px: int, height_px: int) -> Pointing:
    """The first point of an answer as a pixel, or none with the reason."""
    points = points_percent(answer)
    if points:
        x, y = points[0]
        more = f", first of {len(points)} points" if len(points) > 1 else ""
        pixel = (x / 100.0 * width_px, y / 100.0 * height_px)
        return Pointing(pixel, 1.0, f"pointed at ({pixel[0]:.0f}, {pixel[1]:.0f}) px{more}")
    text = " ".join(answer.split())[:120]
    if _ABSENT.search(answer):
        return Pointing(None, 0.0, f"not in view: '{text}'")
    return Pointing(None, 0.0, f"the answer has no point in it: '{text}'")
