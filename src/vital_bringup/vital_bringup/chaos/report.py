"""Writes what campaigns have found into docs/reliability.md, between two markers: no figure there is typed by hand."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from vital_bringup.chaos import ledger
from vital_bringup.chaos.faults.kind import AnyKind
from vital_bringup.chaos.ledger import END_OF_STACK, NOT_USABLE, Entry
from vital_bringup.chaos.peers import PEERS, SOURCES
from vital_core.errors import ErrorCode, VitalError
from vital_core.files import safe_file

BEGIN = "<!-- written by ./vital chaos report: begin -->"
END = "<!-- written by ./vital chaos report: end -->"
MOST_OUTCOMES = 3
LEDGER, SOAK, BRING_UPS = "ledger.jsonl", "soak.json", "bringups.json"


def _files(paths: Iterable[Path]) -> list[Path]:
    found = []
    for path in paths:
        found += (
            [p for name in (LEDGER, SOAK, BRING_UPS) for p in sorted(path.rglob(name))] if path.is_dir() else [path]
        )
    missing = [path for path in found if not path.is_file()]
    if missing or not found:
        names = ", ".join(map(str, missing or paths))
        raise VitalError(ErrorCode.BAD_PARAMETER, f"nothing to tell of at {names}: run a campaign first")
    return found


def _outcomes(entries: Sequence[Entry]) -> str:
    counted = Counter(entry.outcome for entry in entries).most_common()
    words = [f"{n} {outcome}" for outcome, n in counted[:MOST_OUTCOMES]]
    rest = sum(n for _, n in counted[MOST_OUTCOMES:])
    return ", ".join([*words, *([f"{rest} other"] if rest else [])])


def _violated(entries: Sequence[Entry]) -> str:
    counted = Counter(name for entry in entries for name in dict.fromkeys(v.split(":")[0] for v in entry.violations))
    return ", ".join(f"{n} {name}" for name, n in counted.most_common()) or "none"


def _row(cells: Sequence[object]) -> str:
    return "| " + " | ".join(str(cell).replace("|", "/").replace("\n", " ") for cell in cells) + " |"


def faults_table(entries: Sequence[Entry], kinds: Sequence[AnyKind]) -> list[str]:
    """One row a kind: count, how many were held by, outcomes, what did not hold."""
    lines = [_row(["fault", "kind", "count", "all held", "outcome", "did not hold"]), "|---|---|---|---|---|---|"]
    for kind in kinds:
        mine = [entry for entry in entries if entry.kind == kind.name]
        if mine:
            held = sum(entry.held for entry in mine)
            words = [f"{kind.family}: {kind.words}", f"`{kind.name}`"]
            lines.append(_row([*words, len(mine), held, _outcomes(mine), _violated(mine)]))
    ends = [entry for entry in entries if entry.kind in (END_OF_STACK, NOT_USABLE)]
    if ends:
        held = sum(entry.held for entry in ends)
        lines.append(
            _row(["stacks ended in order between faults", "", len(ends), held, _outcomes(ends), _violated(ends)])
        )
    return lines


def peers_table(entries: Sequence[Entry], kinds: Sequence[AnyKind]) -> list[str]:
    """One row a family of faults that the campaign had."""
    family = {kind.name: kind.family for kind in kinds}
    families = dict.fromkeys(family[e.kind] for e in entries if e.kind in family)
    lines = [_row(["fault", "ros2_control, JTC", "Nav2", "LeRobot"]), "|---|---|---|---|"]
    lines += [_row([f, PEERS[f].ros2_control, PEERS[f].nav2, PEERS[f].lerobot]) for f in PEERS if f in families]
    read = "; ".join(f"{name}: {where}" for name, where in SOURCES)
    return [*lines, "", f"Read in: {read}."]


def _campaign(path: Path) -> tuple[list[Entry], str]:
    plan, entries = ledger.read(path)
    about = ledger.about(path)
    faults = [entry for entry in entries if entry.number >= 0]
    unsafe = sum(entry.invariants.get("safe") is False for entry in entries)
    text = (
        f"Seed {plan.seed}, {len(faults)} of {plan.faults} faults, task {plan.task}, commit {about.get('commit')}, "
        f"{about.get('machine')}, {about.get('date')}: {sum(e.held for e in faults)} with every invariant held, "
        f"{unsafe} with an unsafe command."
    )
    return entries, text


def _soak(summary: dict[str, Any]) -> list[str]:
    ran, about = summary["soak"], summary["about"]
    lines = [
        f"Soak of {ran['seconds'] / 60:.0f} min: {ran['trials']} trials, {ran['in_order']} in order ({ran['ends']}), "
        f"{len(summary['unsafe'])} unsafe commands; left: {summary['left'] or 'nothing'}; commit {about['commit']}, "
        f"{about['machine']}, {about['date']}.",
        "",
        _row(["process", "after warming up, MB", "at the end, MB", "slope, MB/h", "files first, last"]),
        "|---|---|---|---|---|",
    ]
    for name, row in summary["nodes"].items():
        files = f"{row['files_first']:.0f}, {row['files_last']:.0f}"
        figures = [f"{row['warm_mb']:.0f}", f"{row['last_mb']:.0f}", f"{row['slope_mb_per_h']:+.1f}", files]
        lines.append(_row([f"`{name}`", *figures]))
    return lines


def _bring_ups(summary: dict[str, Any]) -> list[str]:
    rows, about = summary["rows"], summary["about"]
    clean = sum(row["code"] == 0 and row["left"] is None for row in rows)
    up, end = (sorted(row[key] for row in rows) for key in ("up_s", "end_s"))
    left = Counter((row["left"] or "nothing").split(":")[0] for row in rows)
    return [
        f"{summary['bringups']} bring-ups and endings: {clean} with exit code 0 and nothing left ({dict(left)}); up "
        f"after {up[len(up) // 2]:.1f} s (median; longest {up[-1]:.1f}), ended after {end[len(end) // 2]:.1f} s "
        f"(longest {end[-1]:.1f}); names in /dev/shm grown by {summary['shared_memory_names_more']}; "
        f"commit {about['commit']}, {about['machine']}, {about['date']}."
    ]


def body(paths: Sequence[Path], kinds: Sequence[AnyKind]) -> str:
    """What stands between the markers."""
    entries: list[Entry] = []
    texts: list[str] = []
    endurance: list[str] = []
    for path in _files(paths):
        if path.suffix == ".jsonl":
            more, text = _campaign(path)
            entries += more
            texts.append(text)
            continue
        summary = json.loads(path.read_text())
        endurance += ["", *(_soak(summary) if "soak" in summary else _bring_ups(summary))]
    lines = [
        "\n\n".join(texts),
        "",
        *faults_table(entries, kinds),
        "",
        "## The same case elsewhere",
        "",
        *peers_table(entries, kinds),
    ]
    return "\n".join([*(lines if entries else []), *(["", "## Endurance", *endurance] if endurance else [])])


def write(page: Path, paths: Sequence[Path], kinds: Sequence[AnyKind]) -> None:
    """Put the tables into ``page``, a row for each of ``kinds`` that was met.

    Raises VitalError when the markers are not there, or there is nothing to tell.
    """
    text = page.read_text() if page.is_file() else ""
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise VitalError(
            ErrorCode.BAD_PARAMETER, f"{page} needs the lines '{BEGIN}' and '{END}' once each, in this order"
        )
    before, after = text[: text.index(BEGIN)], text[text.index(END) :]
    safe_file.write_bytes(page, f"{before}{BEGIN}\n\n{body(paths, kinds)}\n\n{after}".encode())
