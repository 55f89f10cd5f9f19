"""Planned trajectories through the gate: what is carried out, what is refused and how they end."""

import numpy as np
import pytest

from vital_control.gate.verdict import Judgement, Mode, Verdict
from vital_core.arm import kinematics
from vital_core.arm.xarm7 import HOME_RAD, JOINT_NAMES
from vital_core.errors import ErrorCode

AHEAD_RAD = kinematics.solve(kinematics.forward(HOME_RAD) @ np.diag([1.0, 1, 1, 1]), HOME_RAD) + np.array(
    [0.2, 0.05, 0.0, 0.1, 0.0, 0.05, 0.1]
)


def judged(rig, **changes) -> Judgement:
    rig.own("reach")
    return rig.judge(rig.request(AHEAD_RAD, **changes))


def refused(rig, verdict: Verdict, **changes) -> str:
    judgement = judged(rig, **changes)
    assert judgement.verdict is verdict, judgement
    assert rig.issued == [] and not rig.gate.executing
    return judgement.text


def test_good_trajectory_is_carried_out_to_its_goal(rig):
    assert judged(rig).accepted
    assert rig.gate.mode is Mode.MOVING and rig.gate.executing
    rig.wait(1.0)
    assert 0.45 < rig.gate.execution.progress < 0.55
    rig.wait(1.1)
    np.testing.assert_allclose(rig.set_point(), AHEAD_RAD, atol=1e-9)
    assert rig.gate.execution.code is ErrorCode.OK and "arrived" in rig.gate.execution.text
    assert rig.gate.mode is Mode.HOLDING and rig.gate.tally.holds == 0


def test_long_trajectory_is_not_taken_for_a_missing_command(rig):
    assert judged(rig, duration_s=6.0).accepted
    rig.wait(5.0)
    assert rig.gate.mode is Mode.MOVING and rig.gate.tally.holds == 0


def test_positions_alone_in_any_joint_order_and_without_a_point_at_zero_will_do(rig):
    rig.own("reach")
    full = rig.request(AHEAD_RAD)
    order = [6, 5, 4, 3, 2, 1, 0]
    request = rig.request(
        AHEAD_RAD,
        joint_names=[JOINT_NAMES[i] for i in order],
        times_s=full.times_s[1:],
        positions_rad=full.positions_rad[1:, order],
        velocities_rad_s=None,
    )
    judgement = rig.judge(request)
    assert judgement.accepted, judgement
    rig.wait(2.1)
    np.testing.assert_allclose(rig.set_point(), AHEAD_RAD, atol=1e-9)


def test_trajectory_of_one_who_does_not_own_the_arm_is_refused(rig):
    judgement = rig.judge(rig.request(AHEAD_RAD))
    assert judgement.verdict is Verdict.NOT_OWNER and judgement.error_code is ErrorCode.NOT_OWNER


def test_trajectory_while_stopped_is_refused(rig):
    rig.own("reach")
    rig.gate.latch(ErrorCode.STOPPED, "operator", rig.now_s)
    assert rig.judge(rig.request(AHEAD_RAD)).verdict is Verdict.STOPPED


def test_start_elsewhere_is_refused_with_the_joint(rig):
    elsewhere = rig.request(AHEAD_RAD).positions_rad.copy()
    elsewhere[:, 1] += 0.05
    assert "joint2" in refused(rig, Verdict.START_MISMATCH, positions_rad=elsewhere)


def test_start_while_moving_is_refused(rig):
    rig.own("reach")
    rig.send_expecting(Verdict.ACCEPTED)
    rig.wait(0.05)
    assert rig.judge(rig.request(AHEAD_RAD)).verdict is Verdict.START_MISMATCH


def test_other_joints_are_refused(rig):
    assert "a, b" in refused(rig, Verdict.WRONG_FRAME, joint_names=["a", "b"])
    refused(rig, Verdict.WRONG_FRAME, joint_names=[*JOINT_NAMES[:6], "joint6"])


@pytest.mark.parametrize("field", ["times_s", "positions_rad", "velocities_rad_s"])
def test_trajectory_that_is_not_finite_is_refused(rig, field):
    values = getattr(rig.request(AHEAD_RAD), field).copy()
    values[7] = np.nan
    refused(rig, Verdict.NOT_FINITE, **{field: values})


def test_rows_of_uneven_length_and_an_empty_trajectory_are_refused(rig):
    refused(rig, Verdict.BAD_DURATION, positions_rad=None)
    refused(rig, Verdict.BAD_DURATION, times_s=np.empty(0), positions_rad=np.empty((0, 7)), velocities_rad_s=None)


def test_times_must_grow_and_stay_within_the_longest(rig):
    times = rig.request(AHEAD_RAD).times_s
    for wrong in (times[::-1].copy(), np.zeros_like(times), times - 1.0, times * 100):
        refused(rig, Verdict.BAD_DURATION, times_s=wrong)


def test_too_fast_or_too_abrupt_a_trajectory_is_refused(rig):
    times = rig.request(AHEAD_RAD).times_s
    velocities = rig.request(AHEAD_RAD).velocities_rad_s
    text = refused(rig, Verdict.TOO_FAST, times_s=times / 20, velocities_rad_s=velocities * 20)
    assert "at most 2.14" in text
    text = refused(rig, Verdict.TOO_FAST, times_s=times / 8, velocities_rad_s=velocities * 8)
    assert "rad/s^2, limit 12.0" in text


def test_trajectory_that_does_not_end_at_rest_is_refused(rig):
    velocities = rig.request(AHEAD_RAD).velocities_rad_s.copy()
    velocities[-1, 0] = 0.1
    assert "rest at both ends" in refused(rig, Verdict.TOO_FAST, velocities_rad_s=velocities)


def test_goal_beyond_a_joint_limit_is_refused(rig):
    rig.own("reach")
    beyond = HOME_RAD.copy()
    beyond[3] = -0.2
    judgement = rig.judge(rig.request(beyond, duration_s=4.0))
    assert judgement.verdict is Verdict.JOINT_LIMIT and "joint4" in judgement.text


def test_way_that_leaves_the_box_between_two_good_ends_is_refused(rig):
    """The base joint swings the TCP to y = 0.3 m and back: both ends are home."""
    rig.own("reach")
    t = np.linspace(0.0, 4.0, 81)
    swing, rate = np.zeros((81, 7)), np.zeros((81, 7))
    swing[:, 0] = 0.45 * (1 - np.cos(np.pi * t / 2))
    rate[:, 0] = 0.45 * np.pi / 2 * np.sin(np.pi * t / 2)
    request = rig.request(HOME_RAD, times_s=t, positions_rad=HOME_RAD + swing, velocities_rad_s=rate)
    judgement = rig.judge(request)
    assert judgement.verdict is Verdict.OUT_OF_BOX, judgement


def test_way_that_leaves_the_box_between_two_points_is_refused(rig):
    """Two points at home, with velocities that swing out between them."""
    rig.own("reach")
    rate = np.zeros((3, 7))
    rate[1, 0] = 2.0
    positions = np.tile(HOME_RAD, (3, 1))
    positions[1:, 0] += 0.55
    request = rig.request(HOME_RAD, times_s=np.array([0.0, 1.5, 3.0]), positions_rad=positions, velocities_rad_s=rate)
    points = kinematics.tcp_positions(positions)
    assert points[:, 1].max() < 0.25
    assert rig.judge(request).verdict is Verdict.OUT_OF_BOX


def test_nothing_else_moves_the_arm_while_a_trajectory_runs(rig):
    assert judged(rig).accepted
    rig.wait(0.5)
    rig.send_expecting(Verdict.OUT_OF_ORDER)
    assert rig.judge(rig.request(AHEAD_RAD)).verdict is Verdict.OUT_OF_ORDER


def test_stop_and_cancel_end_a_trajectory_with_their_codes(make_rig):
    for act, code, mode in (
        (lambda g, t: g.latch(ErrorCode.STOPPED, "operator", t), ErrorCode.STOPPED, Mode.LATCHED),
        (lambda g, t: g.cancel_execution(t), ErrorCode.CANCELLED, Mode.HOLDING),
    ):
        rig = make_rig()
        assert judged(rig).accepted
        rig.wait(1.0)
        act(rig.gate, rig.now_s)
        assert rig.gate.execution.code is code and rig.gate.mode is mode
        rig.wait(0.3)
        assert not rig.gate.arm.moving(rig.now_s)
        assert np.abs(rig.set_point() - AHEAD_RAD).max() > 0.02


def test_arm_that_does_not_arrive_is_reported_with_its_distance(rig):
    assert judged(rig).accepted
    rig.wait(1.9)
    rig.moved_by_hand = np.array([0.02, 0, 0, 0, 0, 0, 0])
    rig.wait(1.3)
    assert rig.gate.execution.code is ErrorCode.REACH_TIMEOUT
    assert "20.0 mrad" in rig.gate.execution.text and rig.gate.mode is Mode.HOLDING


def test_arm_that_falls_behind_ends_the_trajectory(rig):
    assert judged(rig).accepted
    rig.wait(0.5)
    rig.moved_by_hand = np.array([-0.4, 0, 0, 0, 0, 0, 0])
    rig.wait(0.2)
    assert rig.gate.execution.code is ErrorCode.ARM_DISPLACED and rig.gate.mode is Mode.LATCHED


def test_small_difference_between_plan_and_arm_makes_no_lurch(rig):
    rig.own("reach")
    plan = rig.request(AHEAD_RAD)
    request = rig.request(AHEAD_RAD, positions_rad=plan.positions_rad + np.linspace(0.02, 0.0, 41)[:, None])
    assert rig.judge(request).accepted
    rig.wait(2.2)
    assert np.abs(np.diff(rig.track()[:, 1:], axis=0)).max() < 0.01


def test_arm_that_is_near_its_goal_but_still_moving_has_not_arrived(rig):
    assert judged(rig).accepted
    rig.wait(1.95)
    for step in range(10):
        rig.moved_by_hand = np.full(7, 0.009 * (-1) ** step)
        rig.wait(0.02)
        assert rig.gate.executing
    rig.moved_by_hand = np.zeros(7)
    rig.wait(0.15)
    assert rig.gate.execution.code is ErrorCode.OK
