"""The campaign's ledger: one JSON object a line, appended and synced, so that a campaign that was cut off goes on."""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from vital_core.errors import ErrorCode, VitalError

# Kinds of entries that are no faults.
END_OF_STACK = "stack_ended"
NOT_USABLE = "stack_not_usable"


@dataclass(frozen=True)
class Plan:
    """What a campaign was asked to do: its faults follow from this alone."""

    seed: int
    faults: int
    kinds: tuple[str, ...]
    task: str


@dataclass(frozen=True)
class Entry:
    """A fault and what came of it. number: in the plan; -1 for the end of a stack that had done its work. invariants:
    by name whether each held, None where it does not apply; violations: what did not hold, in words."""

    number: int
    kind: str
    parameters: dict[str, Any]
    outcome: str
    invariants: dict[str, bool | None]
    violations: tuple[str, ...]
    seconds: float
    moved: bool = True  # whether a task had the arm when it came
    figures: dict[str, float] = field(default_factory=dict)

    @property
    def held(self) -> bool:
        """Whether all invariants held."""
        return not self.violations


class Ledger:
    """A folder's ledger."""

    def __init__(self, path: Path, plan: Plan, about: dict[str, str], *, resume: bool) -> None:
        self.path = path
        self.entries: list[Entry] = []
        if path.exists():
            self._go_on(plan, resume)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._write({"plan": asdict(plan), "about": about})

    def _go_on(self, plan: Plan, resume: bool) -> None:
        if not resume:
            raise VitalError(
                ErrorCode.BAD_PARAMETER, f"{self.path} exists: go on with --resume, or name another folder with --out"
            )
        there, self.entries, whole_bytes = _read(self.path)
        if there != plan:
            raise VitalError(
                ErrorCode.BAD_PARAMETER,
                f"{self.path} was begun with {there}, asked for is {plan}: the same is expected",
            )
        # A line that was cut off is taken away, so that the next one is a line of its own.
        os.truncate(self.path, whole_bytes)

    def append(self, entry: Entry) -> None:
        """Note what came of a fault; on disk when this returns."""
        self.entries.append(entry)
        self._write(asdict(entry))

    def _write(self, values: dict[str, Any]) -> None:
        with self.path.open("a") as file:
            file.write(json.dumps(values) + "\n")
            file.flush()
            os.fsync(file.fileno())

    @property
    def done(self) -> set[int]:
        """Numbers of the faults that have been."""
        return {entry.number for entry in self.entries if entry.number >= 0}


def _lines(data: bytes) -> Iterator[tuple[dict[str, Any], int]]:
    """Each whole line, and where it ends."""
    end = 0
    for line in data.splitlines(keepends=True):
        try:
            values = json.loads(line)
        except ValueError:
            return
        if not line.endswith(b"\n"):
            return
        end += len(line)
        yield values, end


def _read(path: Path) -> tuple[Plan, list[Entry], int]:
    rows = list(_lines(path.read_bytes()))
    if not rows or "plan" not in rows[0][0]:
        raise VitalError(ErrorCode.BAD_PARAMETER, f"{path} has no plan in its first line: it is no ledger")
    plan = rows[0][0]["plan"]
    entries = [Entry(**{**row, "violations": tuple(row["violations"])}) for row, _ in rows[1:]]
    return Plan(**{**plan, "kinds": tuple(plan["kinds"])}), entries, rows[-1][1]


def read(path: Path) -> tuple[Plan, list[Entry]]:
    """A ledger's plan and entries. Raises VitalError for a file that is none."""
    plan, entries, _ = _read(path)
    return plan, entries


def about(path: Path) -> dict[str, str]:
    """Where and with what a ledger was made."""
    first = next(_lines(path.read_bytes()))[0]
    values: dict[str, str] = first.get("about", {})
    return values
