"""A late arm is waited for, a prompt one never, whatever it touches."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vital_core import pose as pose_of
from vital_core.arm.arm_pace import LEAST_M, MOST_TICKS, ArmPace
from vital_core.arm.kinematics import forward
from vital_core.arm.xarm7 import HOME_RAD
from vital_core.observation import Action
from vital_core.pose import Pose

HOME = forward(HOME_RAD)
STILL = Action.still()


class LateArm:
    """Carries out each action ``late`` periods after it came: the most of it at once, the rest a period later.

    floor_m: below it, in `link_base`, the hand does not come.
    """

    def __init__(self, late: int, at_once: float = 0.7, floor_m: float = -1.0) -> None:
        self.pose, self.waiting, self._rest = HOME.copy(), [STILL] * late, np.zeros(6)
        self._at_once, self._floor_m = at_once, floor_m

    def period(self, action: Action) -> None:
        self.waiting.append(action)
        asked = self.waiting.pop(0)
        motion = np.append(asked.translation_m, asked.rotation_rad)
        now = self._at_once * motion + self._rest
        self._rest = (1.0 - self._at_once) * motion
        self.pose = self.pose @ pose_of.from_vector(now[:3], now[3:])
        self.pose[2, 3] = max(self.pose[2, 3], self._floor_m)


def acted_at(arm: LateArm, pace: ArmPace, action: Action, ticks: int, seen: bool = True) -> list[int]:
    """The ticks at which the same action was sent again."""
    found = []
    for tick in range(ticks):
        if pace.ready(arm.pose if seen else None):
            found.append(tick)
            pace.sent(action)
            arm.period(action)
        else:
            arm.period(STILL)
    return found


DOWN = Action(np.array([0.0, 0.0, 0.005]), np.zeros(3))
TURN = Action(np.zeros(3), np.array([0.0, 0.0, 0.06]))
TINY = Action(np.array([0.0, 0.0, 0.0005]), np.zeros(3))


@pytest.mark.parametrize("action", [DOWN, TURN, TINY])
@pytest.mark.parametrize("at_once", [0.55, 0.7, 1.0])
def test_a_prompt_arm_is_never_waited_for(action, at_once):
    pace = ArmPace()
    assert acted_at(LateArm(0, at_once), pace, action, 12) == list(range(12))
    assert pace.late_ticks == 0


@pytest.mark.parametrize("action", [DOWN, TURN])
@pytest.mark.parametrize("late", [1, 2, 4])
def test_an_arm_late_by_whole_periods_is_waited_for_so_long(action, late):
    pace = ArmPace()
    assert acted_at(LateArm(late), pace, action, 15) == list(range(0, 15, late + 1))
    assert pace.late_ticks == late


@pytest.mark.parametrize("late", [0, 1, 2])
def test_what_stands_in_the_way_makes_no_arm_later_than_it_is(late):
    """The hand comes down for two actions, then stands on something and presses."""
    pace = ArmPace()
    arm = LateArm(late, floor_m=float(HOME[2, 3]) - 0.009)
    assert acted_at(arm, pace, DOWN, 21) == list(range(0, 21, late + 1))
    assert pace.late_ticks == late


def test_an_arm_that_has_not_moved_yet_is_waited_for_longest():
    pace, arm = ArmPace(), LateArm(0, floor_m=float(HOME[2, 3]))
    assert acted_at(arm, pace, DOWN, 15) == [0, MOST_TICKS + 1, 2 * (MOST_TICKS + 1)]
    assert pace.late_ticks == MOST_TICKS


def test_where_nobody_says_where_the_arm_is_it_is_taken_for_prompt():
    assert acted_at(LateArm(2), ArmPace(), DOWN, 5, seen=False) == list(range(5))


def test_a_motion_whose_beginning_nobody_saw_tells_nothing():
    pace, arm = ArmPace(), LateArm(2)
    assert pace.ready(None)
    pace.sent(DOWN)
    arm.period(DOWN)
    assert pace.ready(arm.pose) and pace.late_ticks == 0
    pace.sent(DOWN)
    arm.period(DOWN)
    assert not pace.ready(arm.pose)
    pace.interrupted()
    assert pace.ready(arm.pose), "a person had the arm meanwhile"


def test_one_late_motion_among_prompt_ones_does_not_stay():
    """A machine that was busy for a moment."""
    pace, arm = ArmPace(), LateArm(1)
    acted_at(arm, pace, DOWN, 3)
    assert pace.late_ticks == 1
    arm.waiting.clear()
    assert len(acted_at(arm, pace, DOWN, 20)) >= 17
    assert pace.late_ticks == 0


def towards(t_base_tcp: Pose, goal: Pose) -> Action:
    """One and a half times the way: swings to and fro around the goal, ever closer, where each answer is to what the
    last one came to, and ever farther where it is not."""
    way = pose_of.to_vector(pose_of.inverse(t_base_tcp) @ goal)
    step = np.clip(1.5 * way, -0.02, 0.02)
    return Action(step[:3], np.zeros(3))


@given(st.integers(1, 3), st.lists(st.floats(-0.03, 0.03), min_size=3, max_size=3))
def test_a_late_arm_meets_the_same_as_a_prompt_one(late, offset_m):
    goal = HOME @ pose_of.from_vector(np.array(offset_m), np.zeros(3))
    poses = {}
    for ticks in (0, late):
        arm, pace, poses[ticks] = LateArm(ticks, at_once=1.0), ArmPace(), []
        for _ in range(40 * (ticks + 1)):
            if pace.ready(arm.pose):
                poses[ticks].append(arm.pose)
                action = towards(arm.pose, goal)
                pace.sent(action)
                arm.period(action)
            else:
                arm.period(STILL)
    ends = [np.linalg.norm(of[-1][:3, 3] - goal[:3, 3]) for of in poses.values()]
    assert max(ends) < 2 * LEAST_M, "both come to rest at the goal"
    if np.linalg.norm(offset_m) > 10 * LEAST_M:
        for prompt, waited in zip(poses[0], poses[late], strict=False):
            np.testing.assert_allclose(waited, prompt, atol=1e-9)
