"""Where the arm is and where it was sent: what does not fit is never followed, it stops the arm and moves nothing."""

import numpy as np
import pytest

from vital_control.gate.gate import Gate
from vital_control.gate.limits import Limits
from vital_control.gate.verdict import Mode, Verdict
from vital_core.arm.xarm7 import HOME_RAD
from vital_core.errors import ErrorCode

PERIOD_S = 1 / 6
ELSEWHERE_RAD = HOME_RAD + np.array([0.1, 0.05, 0.0, 0.1, 0.0, 0.05, 0.1])


def latched_where_it_was(rig, before: int) -> str:
    assert rig.gate.mode is Mode.LATCHED and rig.gate.stop.code is ErrorCode.ARM_DISPLACED
    assert len(rig.issued) == before
    return rig.gate.stop.reason


def test_controller_that_is_heard_before_the_first_joint_state_is_no_reason_to_fail(task):
    gate = Gate(Limits(task), lambda _: None, lambda _: None)
    for now_s in (1.0, 1.02):
        gate.observe_reference(HOME_RAD, now_s)
        gate.tick(now_s)
    assert gate.acquire("policy", None, 1.02).code is ErrorCode.SENSOR_FAULT
    gate.latch(ErrorCode.STOPPED, "operator", 1.03)
    assert not gate.clear("Ada", 1.03).granted


@pytest.mark.parametrize("simulated", [True, False])
def test_joint_states_that_read_zero_for_a_moment_move_nothing(make_rig, simulated):
    rig = make_rig(simulated=simulated)
    rig.moved_by_hand = -rig.set_point()
    rig.wait(0.25)
    assert "rad apart" in latched_where_it_was(rig, 0)
    rig.moved_by_hand = np.zeros(7)
    rig.wait(0.5)
    np.testing.assert_array_equal(rig.set_point(), HOME_RAD)
    assert rig.gate.clear("Ada", rig.now_s).granted and rig.issued == []


def test_one_stray_joint_reading_moves_nothing_and_stops_nothing(rig):
    rig.own()
    rig.send_expecting(Verdict.ACCEPTED)
    rig.wait(1.0)
    before = len(rig.issued)
    rig.moved_by_hand = np.full(7, 1.0)
    rig.wait(0.01)
    rig.moved_by_hand = np.zeros(7)
    rig.wait(0.5)
    assert len(rig.issued) == before and rig.gate.mode is Mode.HOLDING
    rig.send_expecting(Verdict.ACCEPTED)


def test_one_stray_joint_reading_followed_by_silence_moves_nothing(rig):
    rig.moved_by_hand = np.full(7, 1.0)
    rig.wait(0.01)
    rig.joint_states = False
    rig.wait(0.5)
    assert rig.issued == [] and rig.gate.mode is Mode.IDLE
    assert rig.gate.acquire("policy", None, rig.now_s).code is ErrorCode.SENSOR_FAULT


def test_command_on_a_stray_reading_is_refused(rig):
    rig.own()
    rig.moved_by_hand = np.full(7, 0.2)
    rig.wait(0.01)
    assert "apart" in rig.send_expecting(Verdict.START_MISMATCH)


def test_arm_moved_slowly_while_nobody_owned_it_stops_the_gate_and_is_not_pulled_back(rig):
    for _ in range(100):
        rig.moved_by_hand = rig.moved_by_hand + np.array([0.002, 0, 0, 0, 0, 0, 0])
        rig.wait(0.01)
    assert "joint1 is measured" in latched_where_it_was(rig, 0)


def test_stop_of_an_arm_moved_by_hand_is_cleared_once_its_controller_holds_it_there(rig):
    """The safe order: deactivate, move, activate again, which makes the controller hold the measured joints."""
    for _ in range(100):
        rig.moved_by_hand = rig.moved_by_hand + 0.002
        rig.wait(0.01)
    answer = rig.gate.clear("Ada", rig.now_s)
    assert not answer.granted and answer.code is ErrorCode.ARM_DISPLACED
    assert "deactivate" in answer.text and "activate the controller again" in answer.text
    rig.put_elsewhere(rig.set_point() + rig.moved_by_hand)
    rig.moved_by_hand = np.zeros(7)
    rig.wait(0.05)
    assert rig.gate.clear("Ada", rig.now_s).granted and rig.issued == []
    rig.own()
    rig.send_expecting(Verdict.ACCEPTED)


def test_stop_can_be_cleared_while_the_arm_is_still_coming_to_rest(rig):
    rig.own()
    rig.send_expecting(Verdict.ACCEPTED, duration_s=0.5, translation_m=np.array([0.03, 0.0, 0.0]))
    rig.wait(0.2)
    rig.gate.latch(ErrorCode.STOPPED, "operator", rig.now_s)
    assert rig.gate.arm.moving(rig.now_s)
    assert rig.gate.clear("Ada", rig.now_s).granted
    rig.own()
    rig.wait(0.5)
    rig.send_expecting(Verdict.ACCEPTED)
    assert np.abs(np.diff(rig.track()[:, 1:], axis=0)).max() < 0.01


def test_stop_is_not_cleared_while_the_controller_says_nothing(rig):
    rig.reference = False
    rig.wait(1.1)
    rig.gate.latch(ErrorCode.STOPPED, "operator", rig.now_s)
    answer = rig.gate.clear("Ada", rig.now_s)
    assert not answer.granted and answer.code is ErrorCode.SENSOR_FAULT and "controller" in answer.text


def test_controller_that_holds_the_arm_elsewhere_stops_the_gate(rig):
    """Another publisher has sent the arm somewhere: measured and reference agree, and are not what the gate sent."""
    rig.own()
    rig.put_elsewhere(ELSEWHERE_RAD)
    rig.wait(0.2)
    latched_where_it_was(rig, 0)


def test_reset_that_the_simulator_announces_is_followed_without_sending_anything(make_rig):
    rig = make_rig(ELSEWHERE_RAD, simulated=True)
    rig.gate.announce_reset(HOME_RAD, rig.now_s)
    rig.put_elsewhere(HOME_RAD)
    rig.wait(0.5)
    assert rig.issued == [] and rig.gate.mode is Mode.IDLE and rig.gate.resets.followed == 1
    assert rig.gate.arm.stray_readings == 0, "what was announced is told to nobody as a fault"
    rig.own()
    rig.send_expecting(Verdict.ACCEPTED)


def test_announced_reset_makes_the_new_grasp_the_rest(make_rig):
    rig = make_rig(simulated=True)
    rig.gate.announce_reset(HOME_RAD, rig.now_s)
    rig.field_ut = np.full((5, 3), 3000.0)
    rig.wait(0.1)
    rig.own()


@pytest.mark.parametrize(
    ("simulated", "owned", "announced"),
    [(False, False, ELSEWHERE_RAD), (True, True, ELSEWHERE_RAD), (True, False, ELSEWHERE_RAD + 0.05)],
)
def test_reset_that_may_not_be_followed_stops_the_gate(make_rig, simulated, owned, announced):
    """On a robot, of an owned arm, or to other joints than are measured."""
    rig = make_rig(simulated=simulated)
    if owned:
        rig.own()
    rig.gate.announce_reset(announced, rig.now_s)
    rig.put_elsewhere(ELSEWHERE_RAD)
    rig.wait(1.5)
    latched_where_it_was(rig, 0)


def test_announced_reset_that_does_not_come_lets_nothing_through_later(make_rig):
    rig = make_rig(simulated=True)
    rig.gate.announce_reset(ELSEWHERE_RAD, rig.now_s)
    rig.wait(1.1)
    rig.put_elsewhere(ELSEWHERE_RAD)
    rig.wait(0.3)
    latched_where_it_was(rig, 0)


def test_arm_put_elsewhere_while_it_moves_stops_on_its_own_path(rig):
    rig.own()
    rig.send_expecting(Verdict.ACCEPTED, duration_s=1.0, translation_m=np.array([0.0, 0.0, 0.02]))
    rig.wait(0.3)
    place = rig.set_point()
    rig.moved_by_hand = np.full(7, 0.2)
    rig.wait(0.02)
    assert rig.send().verdict is Verdict.START_MISMATCH
    rig.wait(0.3)
    assert rig.gate.mode is Mode.LATCHED and rig.gate.stop.code is ErrorCode.ARM_DISPLACED
    np.testing.assert_allclose(rig.set_point(), place, atol=0.02)


def test_arm_that_does_not_follow_is_stopped(rig):
    rig.own()
    rig.send_expecting(Verdict.ACCEPTED)
    for _ in range(20):
        rig.moved_by_hand = rig.moved_by_hand + 0.05
        rig.wait(0.01)
    assert rig.gate.mode is Mode.LATCHED and "in the way" in rig.gate.stop.reason


def test_trajectory_of_a_gate_that_dies_ends_at_rest_within_a_second(rig):
    """Nothing that the controller was given runs on to the end of a long trajectory."""
    rig.own("reach")
    assert rig.judge(rig.request(ELSEWHERE_RAD, 6.0)).accepted
    rig.wait(2.0)
    rig.ticking = False
    rig.wait(0.9)
    place = rig.set_point()
    rig.wait(1.0)
    np.testing.assert_array_equal(rig.set_point(), place)
    assert np.abs(place - ELSEWHERE_RAD).max() > 0.02


def test_gate_that_stood_still_for_a_moment_goes_on_by_itself(rig):
    rig.own("reach")
    assert rig.judge(rig.request(ELSEWHERE_RAD, 3.0)).accepted
    rig.wait(1.0)
    rig.ticking = False
    rig.wait(0.8)
    rig.ticking = True
    rig.wait(3.0)
    assert rig.gate.execution.code is ErrorCode.OK
    np.testing.assert_allclose(rig.set_point(), ELSEWHERE_RAD, atol=1e-6)


def test_gate_that_stood_still_for_long_holds_and_says_so(rig):
    rig.own("reach")
    assert rig.judge(rig.request(ELSEWHERE_RAD, 6.0)).accepted
    rig.wait(1.0)
    rig.ticking = False
    rig.wait(10.0)
    late = rig.request(HOME_RAD, valid_until_s=rig.ros_now_s - 8.0)
    assert rig.judge(late).verdict is Verdict.STALE
    assert rig.gate.execution.code is ErrorCode.NODE_LOST and "stood still for 10.0 s" in rig.gate.hold_reason
    assert rig.gate.mode is Mode.HOLDING and (rig.gate.tally.gaps, rig.gate.tally.holds) == (1, 1)


def test_stall_of_the_joint_states_is_a_rest_that_goes_on_by_itself(rig):
    rig.own("reach")
    assert rig.judge(rig.request(ELSEWHERE_RAD, 3.0)).accepted
    rig.wait(1.0)
    rig.joint_states = False
    rig.wait(0.8)
    assert rig.gate.executing and rig.gate.mode is Mode.HOLDING and rig.gate.tally.stalls == 1
    rig.joint_states = True
    rig.wait(3.0)
    assert rig.gate.execution.code is ErrorCode.OK
    np.testing.assert_allclose(rig.set_point(), ELSEWHERE_RAD, atol=1e-6)


def test_joint_states_that_stay_away_end_the_trajectory(rig):
    rig.own("reach")
    assert rig.judge(rig.request(ELSEWHERE_RAD, 3.0)).accepted
    rig.wait(1.0)
    rig.joint_states = False
    rig.wait(1.2)
    assert rig.gate.execution.code is ErrorCode.SENSOR_FAULT
    assert "joint states stopped coming" in rig.gate.hold_reason


def test_long_trajectory_keeps_its_pace_over_its_pieces(rig):
    rig.own("reach")
    request = rig.request(ELSEWHERE_RAD, 4.0)
    assert rig.judge(request).accepted
    rig.wait(4.2)
    assert rig.gate.execution.code is ErrorCode.OK and len(rig.issued) > 10
    speed = np.diff(rig.track()[:, 1:], axis=0) / 0.01
    assert np.abs(np.diff(speed, axis=0)).max() < 0.02


def test_force_does_not_make_the_arm_follow_a_reading_that_lies(rig):
    rig.own()
    rig.send_expecting(Verdict.ACCEPTED)
    rig.wait(0.05)
    rig.moved_by_hand = -rig.set_point()
    rig.field_ut = np.full((5, 3), 2000.0)
    rig.wait(0.5)
    assert rig.gate.mode is Mode.LATCHED
    assert np.abs(rig.set_point() - HOME_RAD).max() < 0.05
