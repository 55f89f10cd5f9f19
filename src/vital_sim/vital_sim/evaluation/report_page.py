"""The results as one page that needs nothing else: success with intervals beside the paper's, and how trials fail."""

import io
from html import escape

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vital_sim.evaluation.results import Rate, Results, name_of, paper_rate
from vital_sim.gym.perturbation import PERTURBATIONS
from vital_sim.world.variation import SETTINGS

matplotlib.rcParams["svg.fonttype"] = "none"
COLOURS = {
    "baku": "#8f9bb3",
    "visk": "#3f8fd2",
    "visual_bc": "#7fb7a0",
    "vital_bc": "#1b7f5a",
    "rlpd": "#b5838d",
    "vital": "#c2571a",
    "vital_residual_without_touch": "#d98d5f",
    "vital_without_touch": "#e8bd9d",
}
KINDS = {
    "force_limit": "#c0392b",
    "jammed": "#e08e45",
    "slipped_out": "#b5651d",
    "askew": "#6b8e23",
    "not_lifted": "#4c7a9c",
    "late": "#2f9e8f",
    "missed": "#e5c558",
    "dropped": "#7d5ba6",
    "time_out": "#9aa5b1",
    "unreachable": "#5c6773",
    "not_located": "#2d3540",
}
STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 1.5rem 1rem 4rem;
       color: #1f2933; background: #fff; }
h1 { font-size: 1.6rem; margin: 0 0 .3rem; } h2 { font-size: 1.15rem; margin: 2.2rem 0 .4rem; }
p { margin: .3rem 0 1rem; color: #52606d; } svg { width: 100%; height: auto; }
.wide { overflow-x: auto; } .wide svg { min-width: 44rem; }
table { border-collapse: collapse; font-size: .86rem; white-space: nowrap; }
th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #e4e7eb; }
td small { color: #7b8794; }
"""


def _svg(figure: Figure) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", bbox_inches="tight", metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def _bar(axes: Axes, x: float, rate: Rate | None, width: float, **look: str) -> None:
    if rate is None:
        return
    low, high = rate.interval
    spread = [[100 * (rate.share - low)], [100 * (high - rate.share)]]
    bars = axes.bar(x, 100 * rate.share, width, yerr=spread, error_kw={"lw": 0.9, "ecolor": "#1f2933"})
    bars.patches[0].set(**look)


def success_plot(results: Results) -> str:
    """Bars by task and method, one panel a setting; the paper's are hollow."""
    shown = results.settings or SETTINGS[:1]
    figure = Figure(figsize=(9.0, 0.4 + 2.3 * len(shown)), layout="constrained")
    panels = np.atleast_1d(figure.subplots(len(shown), 1, sharey=True))
    width = 0.8 / (2 * max(1, len(results.methods)))
    for axes, setting in zip(panels, shown, strict=True):
        for t, task in enumerate(results.tasks):
            for m, method in enumerate(results.methods):
                x, colour = t - 0.4 + (2 * m + 0.5) * width, COLOURS.get(method, "#555555")
                _bar(axes, x, results.rate(task, setting, method), width, color=colour)
                _bar(axes, x + width, paper_rate(task, setting, method), width, color="white", edgecolor=colour)
        axes.set(ylim=(0, 100), ylabel="%", xticks=range(len(results.tasks)))
        axes.set_xticklabels([task.replace("_", " ") for task in results.tasks])
        axes.set_title(setting.replace("_", " "), loc="left", fontsize=10)
        axes.spines[["top", "right"]].set_visible(False)
    for method in results.methods:
        panels[0].bar(0, 0, color=COLOURS.get(method, "#555555"), label=name_of(method))
    panels[0].bar(0, 0, color="white", edgecolor="#555555", label="the paper's, on a robot")
    figure.legend(loc="outside upper right", ncols=len(results.methods) + 1, frameon=False, fontsize=9)
    return _svg(figure)


def failure_plot(results: Results) -> str:
    """Stacked shares of every outcome but success, by method, task and setting."""
    rows = [
        (f"{name_of(method)}, {task.replace('_', ' ')}, {setting.replace('_', ' ')}", report)
        for method in results.methods
        for task in results.tasks
        for setting in SETTINGS
        if (report := results.report(task, setting, method))
    ]
    figure = Figure(figsize=(9.0, max(1.5, 0.6 + 0.24 * len(rows))), layout="constrained")
    axes = figure.subplots()
    left = np.zeros(len(rows))
    for kind, colour in KINDS.items():
        share = np.array([100 * r["failures"].get(kind, 0) / r["finished"] for _, r in rows])
        axes.barh(range(len(rows)), share, left=left, color=colour, label=kind.replace("_", " "), height=0.7)
        left += share
    axes.set(xlim=(0, 100), xlabel="% of trials", yticks=range(len(rows)))
    axes.set_yticklabels([name for name, _ in rows], fontsize=8)
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside upper right", ncols=len(KINDS), frameon=False, fontsize=9)
    return _svg(figure)


def perturbation_plot(results: Results) -> str:
    """A panel a method: success where one thing is otherwise, and as usual above it, a point a task."""
    methods = list(dict.fromkeys(method for _, _, method in results.perturbed))
    rows = ["as trained", *(p.about for p in PERTURBATIONS.values())]
    figure = Figure(figsize=(9.0, 0.6 + 0.4 * len(rows) * len(methods)), layout="constrained")
    for axes, method in zip(np.atleast_1d(figure.subplots(len(methods), 1, sharex=True)), methods, strict=True):
        for t, task in enumerate(results.tasks):
            reports = [results.report(task, SETTINGS[0], method)]
            reports += [results.perturbed.get((task, name, method)) for name in PERTURBATIONS]
            rates = [(y, Rate(r["successes"], r["finished"])) for y, r in enumerate(reports) if r]
            share = np.array([100 * rate.share for _, rate in rates])
            low, high = (np.array([100 * rate.interval[side] for _, rate in rates]) for side in (0, 1))
            axes.errorbar(
                share, [y + 0.13 * (t - 0.5 * (len(results.tasks) - 1)) for y, _ in rates],
                xerr=[share - low, high - share], fmt="o", ms=4, lw=1.0, label=task.replace("_", " "),
            )  # fmt: skip
        axes.set(xlim=(0, 102), yticks=range(len(rows)))
        axes.set_yticklabels(rows, fontsize=8)
        axes.set_title(name_of(method), loc="left", fontsize=10)
        axes.grid(axis="x", color="#e4e7eb")
        axes.invert_yaxis()
        axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel("% of trials")
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=len(results.tasks), frameon=False, fontsize=9)
    return _svg(figure)


def _perturbed(results: Results) -> str:
    if not results.perturbed:
        return ""
    return f'<h2>One thing otherwise than where it was trained</h2><div class="wide">{perturbation_plot(results)}</div>'


def _rows(results: Results) -> str:
    lines = []
    for method in results.methods:
        for task in results.tasks:
            cells = []
            for setting in SETTINGS:
                ours, theirs = results.rate(task, setting, method), paper_rate(task, setting, method)
                paper = f" <small>paper {theirs.successes}/{theirs.trials}</small>" if theirs else ""
                cells.append(f"<td>{ours}{paper}</td>" if ours else "<td><small>not measured</small></td>")
            lines.append(f"<tr><td>{escape(name_of(method))}</td><td>{escape(task)}</td>{''.join(cells)}</tr>")
    return "".join(lines)


def page(results: Results) -> str:
    """The whole page."""
    heads = "".join(f"<th>{setting.replace('_', ' ')}</th>" for setting in SETTINGS)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>ViTaL: results</title><style>{STYLE}</style></head><body>
<h1>Results</h1>
<p>Successes in simulation with 95 % intervals (Wilson); hollow bars are the paper's, on a robot.</p>
<h2>Success</h2><div class="wide">{success_plot(results)}</div>
{_perturbed(results)}
<h2>How trials fail</h2><div class="wide">{failure_plot(results)}</div>
<h2>Figures</h2><div class="wide"><table><tr><th>method</th><th>task</th>{heads}</tr>{_rows(results)}</table></div>
</body></html>
"""
