"""The command gate and the Gymnasium environment give the same verdict on the same command in the same state."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from vital_control.gate.command_check import Command
from vital_control.gate.gate import Gate
from vital_control.gate.limits import Limits
from vital_control.gate.verdict import Judgement, Verdict
from vital_core import pose as pose_of
from vital_core.arm import kinematics
from vital_core.arm.xarm7 import HOME_RAD, TCP_FRAME
from vital_core.command_rules import STEP_ROUNDING, CommandRules, Refusal
from vital_core.observation import Action
from vital_core.owner import Owner
from vital_core.task import Task, load_task
from vital_sim.gym.env import VitalEnv

TASK = load_task("usb_insertion")
OF_THE_WAY = (Verdict.UNREACHABLE, Verdict.JOINT_LIMIT, Verdict.TOO_FAST, Verdict.OUT_OF_BOX)
OUT_OF_REACH = "target is out of the arm's reach"


@pytest.fixture(scope="module")
def env() -> Iterator[VitalEnv]:
    made = VitalEnv(TASK.name)
    made.reset(seed=0)
    yield made
    made.close()


def verdict_of_gate(task: Task, joints_rad: np.ndarray, action: Action) -> Judgement:
    """Of a gate whose arm rests at ``joints_rad``."""
    gate = Gate(Limits(task), lambda _: None, lambda _: None, touch_required=False)
    now_s = 100.0
    for _ in range(3):
        gate.observe_joints(joints_rad, now_s)
        gate.observe_reference(joints_rad, now_s)
    answer = gate.acquire(Owner.POLICY, task, now_s)
    assert answer.granted, answer.text
    command = Command(
        owner=Owner.POLICY,
        token=answer.token,
        seq=1,
        frame_id=TCP_FRAME,
        stamp_s=now_s,
        valid_until_s=now_s + 1.0,
        duration_s=task.period_s,
        translation_m=action.translation_m,
        rotation_rad=action.rotation_rad,
        gripper=action.gripper,
    )
    return gate.judge(command, now_s, now_s)


def joints_at(tcp_m: np.ndarray) -> np.ndarray:
    """Joints of a TCP there, pointing down."""
    solution = kinematics.solve(pose_of.point_down(tcp_m), HOME_RAD, posture_rad=HOME_RAD)
    assume(solution is not None)
    return solution


def place(fractions: tuple[float, ...]) -> np.ndarray:
    """A point in the box (0 to 1 of its extent along each axis), or as far beyond it."""
    lower, upper = np.array(TASK.workspace_lower_m), np.array(TASK.workspace_upper_m)
    return lower + np.array(fractions) * (upper - lower)


def made(direction: tuple[float, ...], share: float, turn: tuple[float, ...], gripper: float) -> Action:
    """A step of so large a share of the longest."""
    along, about = np.array(direction), np.array(turn)
    along = along / (np.linalg.norm(along) or 1.0)
    return Action(share * TASK.max_step_m * along, about * TASK.max_step_rad, gripper)


UNIT = st.floats(-1.0, 1.0)
ACTIONS = st.builds(
    made,
    st.tuples(UNIT, UNIT, UNIT),
    st.one_of(st.floats(0.0, 1.3), st.sampled_from([1.0, 1.0 + 0.5 * STEP_ROUNDING, float("nan"), float("inf")])),
    st.tuples(UNIT, UNIT, UNIT),
    st.one_of(st.floats(-0.2, 1.2), st.just(float("nan"))),
)
PLACES = st.tuples(*[st.floats(-0.1, 1.1)] * 3)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(PLACES, ACTIONS)
@example((0.5, 0.5, 0.5), made((1, 0, 0), 1.0 + 0.5 * STEP_ROUNDING / TASK.max_step_m, (0, 0, 0), 1.0))
@example((0.5, 0.5, 1.02), made((0, 0, 1), 0.9, (0, 0, 0), 1.0))  # outside, comes back (z of the tool is down)
@example((0.5, 0.5, 1.02), made((0, 0, -1), 0.9, (0, 0, 0), 1.0))  # outside, further out
@example((0.5, 0.5, 0.01), made((1, 0, 1), 1.0, (0, 0, 0.2), 1.0))  # down through the floor of the box
@example((0.5, 0.0, 0.0), made((0, 1, 1), 1.0, (0, 0, 0), 1.0))  # in an edge of it
@example((0.5, 0.5, 0.5), made((0, 0, 0), 0.0, (0, 0, 0), 1.2))
@example((0.5, 0.5, 0.5), made((0, 0, 0), 0.0, (0, 0, 0), 1.04))
def test_same_verdict(env: VitalEnv, fractions: tuple[float, ...], action: Action) -> None:
    joints = joints_at(place(fractions))
    env.world.place_arm(joints)
    rules, measured = CommandRules(TASK), env.world.t_base_tcp()
    expected = rules.refuse_action(action) or rules.admit_motion(measured, measured @ action.delta_tcp, TASK.period_s)
    judgement, carried = verdict_of_gate(TASK, env.world.joints_rad, action), env.carry_out(action)
    refused = carried.refused
    if isinstance(expected, Refusal):
        assert judgement.text == refused == expected.text
        return
    assert refused in ("", OUT_OF_REACH)
    # The gate looks at the joints' whole way too.
    assert judgement.accepted or judgement.verdict in OF_THE_WAY
    if judgement.accepted and not refused:
        assert judgement.projected == (carried.projected_m > 0.0) == (expected.projected_m > 0.0)
        executed = expected.executed(action, measured).to_array()
        np.testing.assert_allclose(judgement.executed.to_array(), executed, atol=1e-12)
        np.testing.assert_allclose(carried.action.to_array(), executed, atol=1e-12)
    if all(0.2 < f < 0.8 for f in fractions) and np.linalg.norm(action.rotation_rad) < 0.5 * TASK.max_step_rad:
        assert judgement.accepted and refused == ""


def test_refused_command_leaves_the_gripper_where_it_is() -> None:
    env = VitalEnv("pick_block")
    try:
        env.reset(seed=0)
        far = Action(np.array([1.0, 0.0, 0.0]), np.zeros(3), 1.0)
        assert env.carry_out(far).refused and env.world.gripper_closed == pytest.approx(0.0, abs=1e-3)
        assert env.carry_out(Action(np.zeros(3), np.zeros(3), 1.0)).refused == "" and env.world.gripper_closed > 0.1
    finally:
        env.close()
