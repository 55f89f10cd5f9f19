"""The invariants, and which of them held after a fault."""

import re
from dataclasses import dataclass, field
from typing import Any

Parameters = dict[str, Any]

INVARIANTS = {
    "safe": "no commanded step beyond the limits",
    "rest": "at rest within 1 s",
    "went on": "the run goes on in order",
    "answered": "the answers were right",
    "kept": "nothing acknowledged is lost",
    "named": "a line names the fault",
    "quiet": "no traceback",
    "task ended": "the task ends with a code",
    "ended": "ends in time with the right code",
    "clean": "no process, file or shared memory left",
}


@dataclass
class Judgement:
    """Invariants by name, and what did not hold in words."""

    invariants: dict[str, bool | None] = field(default_factory=lambda: dict.fromkeys(INVARIANTS))
    violations: list[str] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)

    def note(self, name: str, problem: str | None) -> None:
        """An invariant held unless there is a ``problem``."""
        held = self.invariants[name] is not False and problem is None
        self.invariants[name] = held
        if problem is not None:
            self.violations.append(f"{name}: {problem}")


@dataclass(frozen=True)
class Found:
    """What came of a fault at a station, which needs no stack."""

    parameters: Parameters
    outcome: str
    judgement: Judgement


def traceback_in(log: str) -> str | None:
    """The error that a traceback in a log ends with; None without one."""
    if "Traceback" not in log:
        return None
    after = log[log.index("Traceback") :].splitlines()
    errors = [line for line in after if re.search(r"\b[A-Z]\w*(Error|Exception|Exit|Interrupt)\b", line)]
    return (errors or after)[0].strip()[:200]
