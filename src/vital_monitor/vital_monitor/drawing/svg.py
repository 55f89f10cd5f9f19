"""Drawings as SVG: the pad, the field over the last seconds, the actions, the learning curve.

Every text goes through `html.escape`; numbers are made here.
"""

import math
from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from vital_monitor.drawing.ink import BLUE, GREEN, GREY, INK, LIGHT, RED
from vital_monitor.state.heard import MOST_UT, Tick, Touch

Array = NDArray[np.float64]
FONT = "font-family='system-ui,sans-serif' font-size='11'"
WIDTH = 300
# Centre, left, right, up, down, as they lie in the pad's plane; "down" is towards the fingertip.
PLACES = np.array([[0, 0], [-1, 0], [1, 0], [0, -1], [0, 1]], float)
# A limit below this is none.
LEAST_LIMIT_UT = 1e-3
ACTION_NAMES = ("x", "y", "z", "rx", "ry", "rz", "grip")


def svg(height: int, body: str, width: int = WIDTH) -> str:
    """A drawing of this size that fills the width it is given."""
    return (
        f"<svg viewBox='0 0 {width} {height}' width='100%' xmlns='http://www.w3.org/2000/svg' {FONT} "
        f"style='display:block'>{body}</svg>"
    )


def text(x: float, y: float, words: str, colour: str = INK, anchor: str = "start", more: str = "") -> str:
    """Words at a place; `more` are further attributes, made here."""
    return f"<text x='{x:.1f}' y='{y:.1f}' fill='{colour}' text-anchor='{anchor}' {more}>{escape(words)}</text>"


def line(a: Sequence[float], b: Sequence[float], colour: str, width: float = 1.0, more: str = "") -> str:
    """A straight line."""
    return (
        f"<line x1='{a[0]:.1f}' y1='{a[1]:.1f}' x2='{b[0]:.1f}' y2='{b[1]:.1f}' stroke='{colour}' "
        f"stroke-width='{width}' {more}/>"
    )


def polyline(points: Array, colour: str, width: float = 1.5) -> str:
    """A line through points (n, 2)."""
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points.tolist())
    return f"<polyline points='{path}' fill='none' stroke='{colour}' stroke-width='{width}' stroke-linejoin='round'/>"


def heat(share: float) -> str:
    """From white over yellow and orange to dark red, for 0 to 1 and beyond."""
    share = min(1.0, max(0.0, share)) if np.isfinite(share) else 1.0
    stops = np.array([[255, 255, 255], [255, 224, 130], [245, 124, 50], [183, 28, 28]], float)
    at = share * (len(stops) - 1)
    low = min(int(at), len(stops) - 2)
    red, green, blue = (stops[low] + (at - low) * (stops[low + 1] - stops[low])).astype(int).tolist()
    return f"rgb({red},{green},{blue})"


def pad(touch: Touch | None, limit_ut: float) -> str:
    """The pad as its magnetometers see it: heat for the size of the change, an arrow for its way in the plane.

    limit_ut: the change at which the gate stops; 0: not known.
    """
    full = limit_ut if limit_ut > LEAST_LIMIT_UT else 1000.0
    body = f"<rect x='76' y='4' width='148' height='148' rx='18' fill='#f4f5f7' stroke='{LIGHT}'/>"
    changes = np.zeros((5, 3)) if touch is None else touch.drawn_ut
    valid = np.zeros(5, bool) if touch is None else touch.valid
    sizes = np.zeros(5) if touch is None else touch.sizes_ut
    places = np.array([150.0, 78.0]) + 46.0 * _places(len(changes))
    for place, change, is_valid, size in zip(places, changes, valid, sizes, strict=True):
        body += _magnetometer(place, change, bool(is_valid), float(size), full)
    body += text(150, 166, "fingertip", GREY, "middle")
    return svg(170, body)


def _places(n: int) -> Array:
    """(n, 2) where magnetometers lie, from -1 to 1; five as on the AnySkin, others in a ring."""
    if n == len(PLACES):
        return PLACES
    angles = 2.0 * np.pi * np.arange(n) / max(n, 1)
    return np.stack([np.sin(angles), -np.cos(angles)], axis=1)


def _magnetometer(place: Array, change_ut: Array, valid: bool, size_ut: float, full_ut: float) -> str:
    x, y = place.tolist()
    if not valid:
        cross = line((x - 7, y - 7), (x + 7, y + 7), GREY, 2) + line((x - 7, y + 7), (x + 7, y - 7), GREY, 2)
        return f"<circle cx='{x:.1f}' cy='{y:.1f}' r='21' fill='{LIGHT}'/>" + cross
    body = f"<circle cx='{x:.1f}' cy='{y:.1f}' r='21' fill='{heat(size_ut / full_ut)}' stroke='{GREY}'/>"
    # The pad lies in the TCP's x-z plane.
    way = np.array([change_ut[0], change_ut[2]]) / full_ut
    long = float(np.linalg.norm(way))
    if long > 0.02:
        way = way / long * (6.0 + 26.0 * min(long, 1.0))
        body += arrow(place, place + way)
    return body + text(x, y + 16, f"{size_ut:.0f}", INK, "middle", "font-size='9'")


def arrow(start: Array, end: Array, colour: str = BLUE) -> str:
    """A line with a head."""
    way = end - start
    unit = way / max(float(np.linalg.norm(way)), 1e-9)
    side = np.array([-unit[1], unit[0]])
    tip = " ".join(f"{x:.1f},{y:.1f}" for x, y in (end, end - 6 * unit + 3.5 * side, end - 6 * unit - 3.5 * side))
    return line(start.tolist(), (end - 4 * unit).tolist(), colour, 2.5) + f"<polygon points='{tip}' fill='{colour}'/>"


def round_up(value: float) -> float:
    """The next number of 1, 1.2, 1.6, 2, 3, 4, 6 or 8 times a power of ten."""
    power = 10.0 ** np.floor(np.log10(value))
    return next(float(n * power) for n in (1.0, 1.2, 1.6, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0) if n * power >= 0.999 * value)


def field_plot(ages_s: Array, rows: Array, limit_ut: float, window_s: float) -> str:
    """Size of the change over the last seconds: the largest as a strong line, each magnetometer's as a thin one.

    ages_s: (m,); rows: (m, 1 + n), the largest first, µT. limit_ut: drawn as a line; 0: none.
    """
    left, top, right, bottom = 34.0, 8.0, WIDTH - 6.0, 96.0
    rows = np.clip(np.nan_to_num(rows, nan=MOST_UT), 0.0, MOST_UT)
    peak = float(rows.max(initial=0.0))
    full = round_up(1.1 * max(peak, limit_ut, 50.0))

    def at(ages: Array, values: Array) -> Array:
        x = right - (right - left) * np.clip(ages / window_s, 0.0, 1.0)
        return np.stack([x, bottom - (bottom - top) * np.clip(values / full, 0.0, 1.0)], axis=1)

    body = line((left, bottom), (right, bottom), GREY) + line((left, top), (left, bottom), GREY)
    for value in (0.0, full / 2, full):
        y = bottom - (bottom - top) * value / full
        body += text(left - 4, y + 4, f"{value:.0f}", GREY, "end", "font-size='9'")
    for column in range(1, rows.shape[1] if rows.size else 0):
        body += polyline(at(ages_s, rows[:, column]), "#b9cde3", 1.0)
    if rows.size:
        body += polyline(at(ages_s, rows[:, 0]), BLUE, 2.0)
    if limit_ut > 0.0:
        y = bottom - (bottom - top) * limit_ut / full
        body += line((left, y), (right, y), RED, 1.5, "stroke-dasharray='5 3'")
        body += text(right, y - 3, f"limit {limit_ut:.0f} µT", RED, "end", "font-size='9'")
    body += text(left, bottom + 13, f"{window_s:.0f} s ago", GREY, more="font-size='9'")
    return svg(114, body + text(right, bottom + 13, "now", GREY, "end", "font-size='9'"))


def action_bars(tick: Tick | None, max_step_m: float, max_step_rad: float) -> str:
    """Base, residual and what was executed, each share of the largest step that the task allows; the gripper from 0
    to 1."""
    scales = np.array([max_step_m] * 3 + [max_step_rad] * 3 + [1.0])
    zeros = np.zeros(7)
    rows = [zeros] * 3 if tick is None else [tick.base, tick.residual, tick.action]
    colours, body = (GREY, "#e08a1e", BLUE), ""
    middle, reach, top, pitch = 168.0, 84.0, 22.0, 24.0
    for k, (label, colour) in enumerate(zip(("base", "residual", "executed"), colours, strict=True)):
        x = 84.0 + 64.0 * k
        body += f"<rect x='{x}' y='3' width='9' height='9' fill='{colour}'/>" + text(x + 13, 11, label, INK)
    for i, name in enumerate(ACTION_NAMES):
        y = top + pitch * i
        body += text(40, y + 13, name, INK, "end")
        body += line((middle, y), (middle, y + 18), LIGHT, 1)
        for k, (row, colour) in enumerate(zip(rows, colours, strict=True)):
            share = float(np.clip(row[i], -scales[i], scales[i]) / scales[i]) if np.isfinite(row[i]) else 0.0
            x, width = (middle, share * reach) if share >= 0 else (middle + share * reach, -share * reach)
            if width >= 0.3:
                body += f"<rect x='{x:.1f}' y='{y + 6 * k:.1f}' width='{width:.1f}' height='5' fill='{colour}'/>"
        body += text(WIDTH - 4, y + 13, _amount(name, float(rows[2][i])), INK, "end", "font-size='10'")
    return svg(int(top + pitch * len(ACTION_NAMES) + 2), body)


def _amount(name: str, value: float) -> str:
    if name == "grip":
        return f"{100 * value:.0f} %"
    return f"{math.degrees(value):+.1f}°" if name.startswith("r") else f"{1000 * value:+.1f} mm"


def learning_curve(learned: Mapping[int, float]) -> str:
    """Share of the last twenty episodes that succeeded, over episodes."""
    left, top, right, bottom = 34.0, 8.0, WIDTH - 6.0, 96.0
    episodes, shares = np.array(list(learned.keys()), float), np.array(list(learned.values()), float)
    body = line((left, bottom), (right, bottom), GREY) + line((left, top), (left, bottom), GREY)
    for share in (0.0, 0.5, 1.0):
        y = bottom - (bottom - top) * share
        body += text(left - 4, y + 4, f"{100 * share:.0f} %", GREY, "end", "font-size='9'")
        body += line((left, y), (right, y), LIGHT, 0.5)
    if not len(episodes):
        return svg(114, body + text((left + right) / 2, 56, "no labelled episode yet", GREY, "middle"))
    first, last = episodes[0], max(episodes[-1], episodes[0] + 1)
    x = left + (right - left) * (episodes - first) / (last - first)
    body += polyline(np.stack([x, bottom - (bottom - top) * shares], axis=1), GREEN, 2.0)
    body += f"<circle cx='{x[-1]:.1f}' cy='{bottom - (bottom - top) * shares[-1]:.1f}' r='3' fill='{GREEN}'/>"
    body += text(left, bottom + 13, f"episode {first:.0f}", GREY, more="font-size='9'")
    return svg(114, body + text(right, bottom + 13, f"{episodes[-1]:.0f}", GREY, "end", "font-size='9'"))
