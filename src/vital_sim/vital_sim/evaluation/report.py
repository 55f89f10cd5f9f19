"""`ros2 run vital_sim report docs/results`: tables and a page of everything that was measured, beside the paper's.

Writes `report.md` and `report.html` into the folder. Exit code 0: done; 2: refused.
"""

import argparse
import logging
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from vital_core.errors import VitalError
from vital_core.files import safe_file
from vital_sim.evaluation.evaluation import TOLD
from vital_sim.evaluation.report_page import KINDS, page
from vital_sim.evaluation.results import GroupedRate, Rate, Results, name_of, paper_rate
from vital_sim.gym.perturbation import PERTURBATIONS
from vital_sim.world.variation import ALL_SETTINGS, LOOK_SETTINGS, SETTINGS, variant_name

EXIT_REFUSED = 2
TITLES = {
    "in_domain": "Where it was trained",
    "spatial": "Unseen places, turned",
    "scene": "Unseen scenes",
    "both": "Unseen places in unseen scenes",
}
log = logging.getLogger("report")
Row = Sequence[str]


def _table(head: Row, rows: Iterable[Row]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(line)} |" for line in lines] + [""]


def setting_table(results: Results, setting: str) -> list[str]:
    """One row a method, one column a task: ours, and the paper's behind it."""
    rows = []
    for method in results.methods:
        cells = []
        for task in results.tasks:
            ours, theirs = results.rate(task, setting, method), paper_rate(task, setting, method)
            paper = f"; paper {theirs.successes}/{theirs.trials}" if theirs else ""
            cells.append(f"{ours}{paper}" if ours else "not measured")
        rows.append([name_of(method), *cells])
    return _table(["", *results.tasks], rows)


def failure_table(results: Results) -> list[str]:
    """How trials fail, all settings together."""
    found = {k for m in results.methods for t in results.tasks for s in ALL_SETTINGS
             for k in (results.report(t, s, m) or {"failures": {}})["failures"]}  # fmt: skip
    kinds = [kind for kind in KINDS if kind in found]
    rows = []
    for method in results.methods:
        for task in results.tasks:
            reports = [r for s in ALL_SETTINGS if (r := results.report(task, s, method))]
            if reports:
                counts = [str(sum(r["failures"].get(kind, 0) for r in reports)) for kind in kinds]
                rows.append([name_of(method), task, str(sum(r["finished"] for r in reports)), *counts])
    return _table(["", "task", "trials", *(kind.replace("_", " ") for kind in kinds)], rows)


def look_table(results: Results) -> list[str]:
    """Success over the looks that are drawn, and how far they differ; the interval takes looks, not trials, for
    independent."""
    rows = []
    for method in results.methods:
        for task in results.tasks:
            for setting in LOOK_SETTINGS:
                if rate := results.by_variant(task, setting, method):
                    every = [str(sum(s == n for s, n in rate.groups)), str(sum(s == 0 for s, _ in rate.groups))]
                    each = ", ".join(_by_name(rate, setting))
                    rows.append([name_of(method), task, setting.replace("_", " "), str(rate), *every, each])
    return _table(["", "task", "setting", "success", "looks with all", "looks with none", "each look"], rows)


def _by_name(rate: GroupedRate, setting: str) -> list[str]:
    """Successes of each variant behind what it is called."""
    pairs = zip(rate.names, rate.groups, strict=True)
    return [f"{variant_name(setting, variant)}: {successes}/{trials}" for variant, (successes, trials) in pairs]


def variant_table(results: Results) -> list[str]:
    """Success by place and look in the paper's settings that have some: fifty trials are three looks."""
    rows = []
    for method in results.methods:
        for task in results.tasks:
            for setting in SETTINGS[1:]:
                if rate := results.by_variant(task, setting, method):
                    rows.append([name_of(method), task, setting, *_by_name(rate, setting)])
    return _table(["", "task", "setting", *(["each place and look"] * 3)], rows)


def located_table(results: Results) -> list[str]:
    """Where the target was located from the scene camera, and tilted ones; what was told beside it."""
    rows = []
    order = [(t, s) for t in results.tasks for s in ALL_SETTINGS]
    for report in sorted(results.located, key=lambda r: (order.index((r["task"], r["setting"])), r.get("start", TOLD))):
        failures = ", ".join(f"{kind} {n}" for kind, n in sorted(report["failures"].items())) or "none"
        start = "told" if report.get("start", TOLD) == TOLD else "located"
        seeds = f"{report['seed']} to {report['seed'] + report['trials'] - 1}"
        rate = str(Rate(report["successes"], report["finished"]))
        setting = report["setting"].replace("_", " ")
        rows.append([report["task"], setting, name_of(report["policy"]["method"]), start, rate, failures, seeds])
    return _table(["task", "setting", "method", "target", "successes", "failures", "seeds"], rows)


def perturbation_table(results: Results, method: str) -> list[str]:
    """One row for each thing that was otherwise, one column a task: successes, and how many of the same trials succeed
    so alone and as usual alone."""
    tasks = [t for t in results.tasks if any((t, name, method) in results.perturbed for name in PERTURBATIONS)]
    rows = [["as trained", *(str(results.rate(task, SETTINGS[0], method) or "not measured") for task in tasks)]]
    for name, perturbation in PERTURBATIONS.items():
        cells = []
        for task in tasks:
            report = results.perturbed.get((task, name, method))
            pair = results.against_usual(report) if report else None
            told = f"; {pair.only_a} : {pair.only_b}" if pair else ""
            cells.append(f"{Rate(report['successes'], report['finished'])}{told}" if report else "not measured")
        if any(cell != "not measured" for cell in cells):
            rows.append([perturbation.about, *cells])
    return _table([name_of(method), *tasks], rows)


def pair_table(results: Results) -> list[str]:
    """Methods on the same start states."""
    rows = []
    for pair in sorted(results.pairs(), key=lambda p: (results.tasks.index(p.task), ALL_SETTINGS.index(p.setting))):
        c = pair.comparison
        low, high = c.interval
        rows.append([
            pair.task, pair.setting.replace("_", " "), f"{name_of(pair.a)} against {name_of(pair.b)}",
            f"{c.only_a} : {c.only_b}", f"{100 * c.difference:+.0f} ({100 * low:+.0f} to {100 * high:+.0f})",
            f"{c.p_value:.2g}",
        ])  # fmt: skip
    return _table(["task", "setting", "methods", "only one succeeds", "difference, points (95 %)", "p (McNemar)"], rows)


def cell_table(results: Results) -> list[str]:
    """What was run."""
    rows = []
    for method in results.methods:
        for task in results.tasks:
            for setting in ALL_SETTINGS:
                report = results.report(task, setting, method)
                if report:
                    about = report["policy"]
                    weights = f"`{about['sha256'][:12]}`, {about.get('steps', '?')} iterations"
                    rows.append([name_of(method), task, weights, f"`{report['command']}`"])
    return _table(["", "task", "weights", "command"], rows)


def markdown(results: Results) -> str:
    """The whole report."""
    lines = [
        "# Results",
        "",
        "Successes of trials in simulation with Wilson's 95 % intervals; the paper's, on a robot, behind them.",
        "Methods that met the same seeds in a task and setting are compared in pairs (McNemar's exact test, Newcombe's",
        "interval); cells beside each other may be of other seeds. Made by `ros2 run vital_sim report`.",
        "",
    ]
    for setting in results.settings:
        lines += [f"## {TITLES[setting]}", "", *setting_table(results, setting)]
    if any(results.by_variant(t, s, m) for t in results.tasks for s in LOOK_SETTINGS for m in results.methods):
        lines += ["## Looks that are drawn", "", *look_table(results)]
    if any(results.by_variant(t, s, m) for t in results.tasks for s in SETTINGS[1:] for m in results.methods):
        lines += ["## By place and look", "", *variant_table(results)]
    if results.located:
        lines += ["## Where the target is located first, and tilted targets", "", *located_table(results)]
    if results.perturbed:
        lines += ["## One thing otherwise than where it was trained", ""]
        lines += [
            "In domain; behind the successes: of the same trials those that succeed only so, and only as usual.",
            "",
        ]
        for method in dict.fromkeys(method for _, _, method in results.perturbed):
            lines += perturbation_table(results, method)
    lines += ["## How trials fail", "", *failure_table(results)]
    if any(True for _ in results.pairs()):
        lines += ["## Methods on the same start states", "", *pair_table(results)]
    lines += ["## What was run", "", *cell_table(results)]
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    """Entry point."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(
        prog="report", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, nargs="?", default=Path("docs/results"))
    options = parser.parse_args(arguments)
    try:
        results = Results.read(options.folder)
    except VitalError as error:
        log.error("%s", error)
        sys.exit(EXIT_REFUSED)
    for name, text in (("report.md", markdown(results)), ("report.html", page(results))):
        safe_file.write_bytes(options.folder / name, text.encode())
        log.info("wrote %s", options.folder / name)


if __name__ == "__main__":
    main()
