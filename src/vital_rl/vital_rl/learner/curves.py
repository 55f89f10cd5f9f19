"""`ros2 run vital_rl learning_curve RUN... --out FILE.png`: success of residual trainings over their steps.

RUN is the folder of a training, by `train_residual` or of the learner node; `NAME=FOLDER` names its curve.
"""

import argparse
import logging
import sys
from dataclasses import dataclass
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from vital_core.errors import ErrorCode, VitalError
from vital_core.statistics import wilson_interval
from vital_rl.learner.episode_log import read_lines

WINDOW = 40
LEAST = 10
RATE_HZ = 6.0
COLOURS = ("#1b5e9e", "#b3261e", "#1b7f3b", "#b26a00", "#6a3d9a", "#444444")
MOST_COLUMNS = 3
log = logging.getLogger("learning_curve")


@dataclass(frozen=True)
class Curve:
    """Success over the last ``WINDOW`` episodes after each, at first over all there are, at (N,) environment steps; the
    band is Wilson's 95 % interval of that window (success while it moves on: it tells how much is luck, not what a
    policy frozen there would reach)."""

    name: str
    steps: NDArray[np.int64]
    success: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def curve_of(name: str, folder: Path) -> Curve:
    """The curve of a run; from its first ``LEAST`` episodes on. Raises VitalError(BAD_PARAMETER)."""
    lines = read_lines(folder)
    if len(lines) < LEAST:
        raise VitalError(ErrorCode.BAD_PARAMETER, f"{folder} has {len(lines)} episodes, a curve takes at least {LEAST}")
    won = np.cumsum([0, *(line.success for line in lines)])
    end = np.arange(LEAST, len(won))
    begin = np.maximum(0, end - WINDOW)
    successes, trials = won[end] - won[begin], end - begin
    bounds = np.array([wilson_interval(int(n), int(of)) for n, of in zip(successes, trials, strict=True)])
    steps = np.array([line.total_steps for line in lines[LEAST - 1 :]])
    return Curve(name, steps, successes / trials, bounds[:, 0], bounds[:, 1])


def draw(curves: list[Curve], title: str, wanted: float | None = 0.9) -> Figure:
    """All in one image. wanted: a line to reach."""
    figure, axes = plt.subplots(figsize=(8.0, 5.0), layout="constrained")
    for curve, colour in zip(curves, COLOURS * len(curves), strict=False):
        axes.fill_between(curve.steps, curve.low, curve.high, color=colour, alpha=0.15, linewidth=0)
        axes.plot(curve.steps, curve.success, color=colour, label=curve.name)
    if wanted is not None:
        axes.axhline(wanted, color="#888888", linestyle=":", linewidth=1)
    _label(axes, title)
    _name(figure)
    return figure


def _name(figure: Figure) -> None:
    """A legend below, in as many columns as the image is wide for."""
    for columns in range(MOST_COLUMNS, 0, -1):
        legend = figure.legend(loc="outside lower center", ncols=columns)
        figure.draw_without_rendering()
        if columns == 1 or legend.get_window_extent().width <= figure.bbox.width:
            return
        legend.remove()


def _label(axes: Axes, title: str) -> None:
    axes.set_xlim(left=0.0)
    axes.set(xlabel="environment steps", ylabel=f"success, last {WINDOW} episodes", ylim=(-0.02, 1.02), title=title)
    scale = RATE_HZ * 60.0
    minutes = axes.secondary_xaxis("top", functions=(lambda s: np.divide(s, scale), lambda m: np.multiply(m, scale)))
    minutes.set_xlabel(f"minutes of acting at {RATE_HZ:.0f} Hz")
    axes.grid(alpha=0.3)


def main(arguments: list[str] | None = None) -> None:
    """Entry point. Exit code 2: refused."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(
        prog="learning_curve", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="+", metavar="RUN")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--title", default="Residual learning")
    options = parser.parse_args(arguments)
    try:
        curves = []
        for run in options.runs:
            name, _, folder = run.rpartition("=")
            curves.append(curve_of(name or Path(folder).name, Path(folder)))
        figure = draw(curves, options.title)
        options.out.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(options.out, dpi=120)
    except (VitalError, OSError) as error:
        log.error("%s", error)
        sys.exit(2)
    for curve in curves:
        log.info("%s: %.0f %% of the last %d episodes", curve.name, 100 * curve.success[-1], WINDOW)


if __name__ == "__main__":
    main()
