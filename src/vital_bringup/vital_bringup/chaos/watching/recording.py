"""What the observer wrote, read while it writes."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vital_core.arm.xarm7 import JOINT_NAMES

Array = NDArray[np.float64]
# Kinds of lines.
JOINTS, SENT, RESET = "joints", "sent", "reset"


@dataclass(frozen=True)
class Sent:
    """A trajectory as it was sent at ``at_s``: times_s (n,), positions_rad and speeds_rad_s (n, 7). problem: what is
    wrong with its form, empty when nothing is."""

    at_s: float
    times_s: Array
    positions_rad: Array
    speeds_rad_s: Array
    problem: str = ""


@dataclass(frozen=True)
class Measured:
    """Joints (7,) as they were measured ``age_s`` before the moment that is asked about."""

    joints_rad: Array
    age_s: float


@dataclass(frozen=True)
class Recording:
    """Joint states (times_s (n,), positions_rad (n, 7), speeds_rad_s (n, 7)) and the trajectories that were sent.
    resets_s: when the simulator put the arm elsewhere. Times are steady time, s."""

    times_s: Array
    positions_rad: Array
    speeds_rad_s: Array
    sent: tuple[Sent, ...]
    resets_s: tuple[float, ...] = ()

    @classmethod
    def empty(cls) -> "Recording":
        """Nothing was seen."""
        return cls(np.zeros(0), np.zeros((0, 7)), np.zeros((0, 7)), ())

    def unseen_from(self, at_s: float) -> "Recording":
        """Without the joint states since ``at_s``: they cannot be trusted."""
        rows = self.times_s < at_s
        return Recording(
            self.times_s[rows], self.positions_rad[rows], self.speeds_rad_s[rows], self.sent, self.resets_s
        )

    def between(self, from_s: float, to_s: float) -> "Recording":
        """The joint states of a span of time, and all trajectories up to its end."""
        rows = (self.times_s >= from_s) & (self.times_s <= to_s)
        sent = tuple(s for s in self.sent if s.at_s <= to_s)
        return Recording(self.times_s[rows], self.positions_rad[rows], self.speeds_rad_s[rows], sent, self.resets_s)

    def was_reset(self, from_s: float, to_s: float) -> bool:
        """Whether the arm was put elsewhere between two moments."""
        return any(from_s < at_s <= to_s for at_s in self.resets_s)

    def measured(self, at_s: float, max_age_s: float = 0.5) -> Measured | None:
        """Where the arm was last measured before ``at_s``."""
        row = int(np.searchsorted(self.times_s, at_s, side="right")) - 1
        if row < 0 or at_s - self.times_s[row] > max_age_s:
            return None
        return Measured(self.positions_rad[row], float(at_s - self.times_s[row]))


def sent_of(values: dict[str, Any]) -> Sent:
    """A trajectory from the observer's line."""
    times = np.array(values["times_s"], dtype=float)
    rows = [*values["positions"], *values["speeds"]]
    if sorted(values["names"]) != sorted(JOINT_NAMES) or not len(times) or any(len(row) != 7 for row in rows):
        empty = np.zeros((0, 7))
        text = f"has joints {values['names']} and {len(times)} points, expected seven joints' positions and speeds"
        return Sent(values["at_s"], np.zeros(0), empty, empty, text)
    order = [values["names"].index(name) for name in JOINT_NAMES]
    positions, speeds = (np.array(values[key], dtype=float)[:, order] for key in ("positions", "speeds"))
    return Sent(values["at_s"], times, positions, speeds)


class Tail:
    """Follows the observer's file."""

    def __init__(self, path: Path) -> None:
        self._path, self._offset = path, 0
        self._joints: list[tuple[float, list[float], list[float]]] = []
        self._sent: list[Sent] = []
        self._resets_s: list[float] = []

    def read(self) -> Recording:
        """Everything so far."""
        with self._path.open("rb") as file:
            file.seek(self._offset)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self._offset += len(line)
                self._note(json.loads(line))
        times = np.array([t for t, _, _ in self._joints])
        positions, speeds = (np.array([row[i] for row in self._joints], dtype=float).reshape(-1, 7) for i in (1, 2))
        return Recording(times, positions, speeds, tuple(self._sent), tuple(self._resets_s))

    def forget_before(self, at_s: float) -> None:
        """Let go of joint states before ``at_s`` and of trajectories but the last before it."""
        self._joints = [row for row in self._joints if row[0] >= at_s]
        old = [s for s in self._sent if s.at_s < at_s]
        self._sent = [*old[-1:], *(s for s in self._sent if s.at_s >= at_s)]

    def _note(self, values: dict[str, Any]) -> None:
        if values["kind"] == JOINTS:
            self._joints.append((values["at_s"], values["positions"], values["speeds"]))
        elif values["kind"] == SENT:
            self._sent.append(sent_of(values))
        elif values["kind"] == RESET:
            self._resets_s.append(values["at_s"])
