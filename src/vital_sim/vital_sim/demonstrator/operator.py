"""A scripted operator: stands where a person with a teleoperation device stands, and sees the simulator's truth.

It moves an imagined hand; what the arm makes of the hand's motion is up to the teleoperation node and the gate.
"""

from dataclasses import dataclass
from enum import Enum

import numpy as np

from vital_core import pose as pose_of
from vital_core.pose import Pose
from vital_core.task import Task
from vital_sim.demonstrator.expert import ScriptedExpert
from vital_sim.demonstrator.rollout import PERIOD_S, RATE_HZ
from vital_sim.world.fixtures import fixture_for
from vital_sim.world.truth import Truth

SUCCESS_HELD_S = 0.5
LIMIT_S = 20.0
# A hand closes the clutch and waits this long for the arm before the button.
SETTLE_S = 0.4


class Button(Enum):
    """What the operator presses."""

    NONE = "none"
    START = "start"
    SUCCESS = "success"
    FAILURE = "failure"


@dataclass(frozen=True)
class Gesture:
    """One 30 Hz sample of the operator's hand."""

    t_base_hand: Pose
    """Where it is."""
    clutch: bool
    """Whether the arm is to follow it."""
    button: Button = Button.NONE
    """What it presses."""
    intended: Pose | None = None
    """Where the demonstrator would want the TCP one policy period later if it misjudged nothing; None while it shows
    nothing."""
    gripper: float = 1.0
    """0 open, 1 closed."""


class TruthView:
    """The expert's view of the task when all it has is the latest truth message."""

    def __init__(self, task: Task, truth: Truth) -> None:
        self.task = task
        self.fixture = fixture_for(task.held_object)
        self.latest = truth

    def truth(self) -> Truth:
        """The latest truth."""
        return self.latest

    def t_base_tcp(self) -> Pose:
        """True pose of the TCP; the encoders' differs by the arm's repeatability."""
        return self.latest.t_base_tcp

    def t_tcp_tip_at_rest(self) -> Pose:
        """Pose of the tip in the TCP frame, with what little the grasp gives under contact."""
        return pose_of.inverse(self.latest.t_base_tcp) @ self.latest.t_base_tip


class ScriptedOperator:
    """Shows one episode: closes the clutch, presses START, inserts like a person, says how it went."""

    def __init__(self, task: Task, truth: Truth, seed: int) -> None:
        self._view = TruthView(task, truth)
        self._expert = ScriptedExpert(self._view, np.random.default_rng([seed, 1]), human_like=True)
        self._hand = truth.t_base_tcp
        self._waited_s = self._shown_s = self._held_s = 0.0
        self._over = False
        self._gripper = 1.0 if task.starts_closed else 0.0

    def gesture(self, truth: Truth, *, recording: bool) -> Gesture:
        """The next sample, `PERIOD_S` after the one before; ``recording``: the session says that it records."""
        self._view.latest = truth
        if self._over:
            return Gesture(self._hand, clutch=False, gripper=self._gripper)
        if not recording:
            return self._wait()
        command = self._expert.command()
        self._hand, self._gripper = command.target, command.gripper
        self._shown_s += PERIOD_S
        self._held_s = self._held_s + PERIOD_S if truth.success else 0.0
        return Gesture(self._hand, True, self._verdict(), command.intended, self._gripper)

    def _wait(self) -> Gesture:
        """Clutch closed, hand still; the START button is pressed again each second until it is heard."""
        before, self._waited_s = self._waited_s, self._waited_s + PERIOD_S
        due = int(self._waited_s + 1.0 - SETTLE_S) > int(before + 1.0 - SETTLE_S)
        return Gesture(self._hand, True, Button.START if due else Button.NONE, gripper=self._gripper)

    def _verdict(self) -> Button:
        if self._held_s >= SUCCESS_HELD_S - 0.5 / RATE_HZ:
            self._over = True
            return Button.SUCCESS
        if self._shown_s >= LIMIT_S:
            self._over = True
            return Button.FAILURE
        return Button.NONE
