"""A controller without sight or touch: it knows the target's true pose, not how the object lies in the hand."""

import numpy as np

from vital_core import pose as pose_of
from vital_sim.demonstrator.rollout import PERIOD_S, Command, View
from vital_sim.world.fixtures import Block, CardReader

APPROACH_M_S = 0.06
TURN_RAD_S = 0.5
WAIT_S = 0.5
# A point of the nominal tip in the target's frame (m), the gripper there, and how long it waits (s).
Waypoint = tuple[tuple[float, float, float], float, float]


def _way(view: View) -> list[Waypoint]:
    """Above (or in front of) the target, then straight through what the task asks for."""
    task, fixture = view.task, view.fixture
    if isinstance(fixture, Block):
        grasp = -fixture.size_m[2] / 2
        up = grasp + task.success_travel_m + 0.010
        return [
            ((0, 0, 0.02), 0.0, 0.0),
            ((0, 0, grasp), 0.0, 0.0),
            ((0, 0, grasp), 1.0, 1.0),
            ((0, 0, up), 1.0, WAIT_S),
        ]
    if isinstance(fixture, CardReader):
        low, entry = -task.success_depth_m - 0.003, fixture.entry_m
        end = entry + task.success_travel_m + 0.003
        return [((entry - 0.03, 0.0, low), 1.0, 0.0), ((end, 0.0, low), 1.0, WAIT_S)]
    return [((0, 0, 0.02), 1.0, 0.0), ((0, 0, -task.success_depth_m - 0.0015), 1.0, WAIT_S)]


class BlindController:
    """Goes along its way, the first part fast and what follows at ``speed_m_s``, whatever it meets."""

    def __init__(self, view: View, *, speed_m_s: float = 0.02) -> None:
        self._target = view.truth().t_base_target
        self._tip = np.array([view.task.tip_forward_m, 0.0, -view.task.tip_offset_m])
        self._way = _way(view)
        self._speeds_m_s = [APPROACH_M_S, *[speed_m_s] * (len(self._way) - 1)]
        self._at = 0
        self._waited_s = 0.0
        self._tcp = view.t_base_tcp()

    @property
    def done(self) -> bool:
        """Whether it has gone as far as it goes."""
        return self._at >= len(self._way)

    def command(self) -> Command:
        """The next 30 Hz command."""
        (x, y, z), gripper, wait_s = self._way[min(self._at, len(self._way) - 1)]
        goal = self._target @ pose_of.point_down(np.array([x, y, z]) - self._tip)
        step, angle = pose_of.distance(self._tcp, goal)
        speed = self._speeds_m_s[min(self._at, len(self._way) - 1)]
        fraction = min(1.0, speed * PERIOD_S / max(step, 1e-9), TURN_RAD_S * PERIOD_S / max(angle, 1e-9))
        self._tcp = pose_of.interpolate(self._tcp, goal, float(fraction))
        if fraction >= 1.0:
            self._waited_s += PERIOD_S
            if self._waited_s > wait_s:
                self._at, self._waited_s = self._at + 1, 0.0
        return Command(self._tcp, self._tcp, self._tcp, gripper)
