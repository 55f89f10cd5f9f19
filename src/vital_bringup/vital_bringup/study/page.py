"""The page of a study: what was reported, what was chosen by, what was trained, and every cell with its hashes.

A cell that was not run says so, and so does a result of a changed tree.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from vital_bringup.study.cells import Cell, Stage
from vital_bringup.study.description import Measured, Study
from vital_bringup.study.record import Record, Records, State
from vital_core.files import safe_file
from vital_sim.evaluation.evaluation import read_report
from vital_sim.evaluation.results import CrossedRate, Rate, name_of, paper_rate
from vital_sim.world.variation import LOOK_SETTINGS

NOT_RUN = "not run"
LOG_BYTES = 50_000_000
Row = Sequence[str]


def page(study: Study, name: str, cells: Sequence[Cell], records: Records, failed: Mapping[str, str]) -> str:
    """All of it, Markdown. failed: cells that this run could not do, and why."""
    told = {cell.name: records.read(cell) for cell in cells}
    done = [record for record in told.values() if record is not None and record.state is State.DONE]
    lines = [f"# {study.title}", ""]
    lines += [f"Made by `ros2 run vital_bringup study {name}`: {len(done)} of {len(cells)} cells are done."]
    lines += [*_source(done), ""]
    lines += _measured(study, study.reporting, Stage.REPORTING, cells, records, _looked(records))
    lines += _measured(study, study.choosing, Stage.CHOOSING, cells, records, "settings may have been chosen by them")
    lines += ["## What was trained", "", *_trained(cells, records, told), "## Every cell", ""]
    lines += _cell_table(cells, told, failed)
    return "\n".join(lines) + "\n"


def _source(done: Sequence[Record]) -> list[str]:
    commits = sorted({commit for record in done for commit in record.commits})
    if not commits:
        return []
    said = [f"Source: {', '.join(f'`{commit}`' for commit in commits)}."]
    if changed := sum(any(commit.endswith("-dirty") for commit in record.commits) for record in done):
        said.append(f"**{changed} cells are of a changed tree**, which nobody can check out.")
    return said


def _looked(records: Records) -> str:
    looks = records.looks()
    again = len(looks) - len({look.cell for look in looks})
    if not looks:
        return "nobody has looked at them yet"
    return f"**looked at again {again} times**" if again else "each looked at once"


def _measured(
    study: Study, measured: Measured, stage: Stage, cells: Sequence[Cell], records: Records, about: str
) -> list[str]:
    title = "Reported" if stage is Stage.REPORTING else "Chosen by"
    seeds = f"Seeds {measured.seeds[0]} to {measured.seeds[-1]}; {about}."
    pooled = "Intervals are of 95 %; over several training seeds, of which each is told, they are for another one."
    lines = [f"## {title}", "", seeds, pooled, ""]
    for setting in measured.settings:
        rows = [
            [name_of(method), *(_rate(cells, records, stage, task, method, setting) for task in study.tasks)]
            for method in study.methods
        ]
        lines += [f"### {setting.replace('_', ' ')}", "", *_table(["", *study.tasks], rows)]
    return lines


def _rate(cells: Sequence[Cell], records: Records, stage: Stage, task: str, method: str, setting: str) -> str:
    """A table's cell: successes of all training seeds together, each behind them, the paper's behind all."""
    here = [c for c in cells if (c.stage, c.task, c.method, c.setting) == (stage, task, method, setting)]
    if not here:
        return "no such setting"
    reports = {c.training_seed: read_report(records.folder / c.product) for c in here if records.knows(c)}
    theirs = paper_rate(task, setting, method)
    paper = f"; paper {theirs.successes}/{theirs.trials}" if theirs else ""
    missing = (
        "" if len(reports) == len(here) else f"; {len(here) - len(reports)} of {len(here)} training seeds {NOT_RUN}"
    )
    return f"{_pooled(reports, setting)}{missing}{paper}" if reports else f"{NOT_RUN}{paper}"


def _pooled(reports: Mapping[int, Mapping[str, Any]], setting: str) -> str:
    """Successes of trials with their interval; each training seed's own where there are several."""
    rate: Rate = CrossedRate.of(reports.values())
    if len(reports) == 1:
        return str(rate if setting in LOOK_SETTINGS else Rate(rate.successes, rate.trials))
    return f"{rate}, each {', '.join(str(report['successes']) for report in reports.values())}"


def _trained(cells: Sequence[Cell], records: Records, told: Mapping[str, Record | None]) -> list[str]:
    rows = []
    for cell in cells:
        record = told[cell.name]
        if cell.stage in (Stage.CLONED, Stage.LEARNED) and record is not None and record.state is State.DONE:
            seed, minutes = str(cell.training_seed), f"{record.seconds / 60:.1f}"
            last = _held_out(cell, records) if cell.stage is Stage.CLONED else ""
            rows.append([cell.task, name_of(cell.method), cell.stage, seed, minutes, last, f"`{record.command}`"])
    return _table(
        ["task", "method", "", "training seed", "minutes", "R2 of the first action, held out", "command"], rows
    )


def _held_out(cell: Cell, records: Records) -> str:
    """R2 by dimension as the training's log tells it last, empty where nothing was held out."""
    path = records.folder / cell.product.parent / f"{cell.task}.log.jsonl"
    if not path.is_file():
        return ""
    told = [json.loads(line).get("r_squared") for line in safe_file.read_bytes(path, LOG_BYTES).splitlines()]
    last: Mapping[str, Any] = next((scores for scores in reversed(told) if scores), {"all": {}})
    return " ".join(f"{name} {value:.2f}" for name, value in last["all"].items() if value is not None)


def _cell_table(cells: Sequence[Cell], told: Mapping[str, Record | None], failed: Mapping[str, str]) -> list[str]:
    rows = []
    for cell in cells:
        record = told[cell.name]
        if record is None:
            rows.append([cell.name, failed.get(cell.name, NOT_RUN), "", "", "", ""])
            continue
        state = f"{record.state}: {record.reason}" if record.reason else failed.get(cell.name, record.state)
        hashes = [_short(record.product_sha256), f"[{_short(record.log_sha256) or 'log'}]({record.log})"]
        source = " ".join(f"`{commit}`" for commit in record.commits)
        rows.append([cell.name, state, source, f"{record.seconds / 60:.1f}", *hashes])
    return _table(["cell", "state", "source", "minutes", "product", "log"], rows)


def _short(sha256: str | None) -> str:
    return f"`{sha256[:12]}`" if sha256 else ""


def _table(head: Row, rows: Iterable[Row]) -> list[str]:
    lines = [
        head,
        ["---"] * len(head),
        *([text.replace("|", "\\|").replace("\n", " ") for text in row] for row in rows),
    ]
    return [f"| {' | '.join(line)} |" for line in lines] + [""]
