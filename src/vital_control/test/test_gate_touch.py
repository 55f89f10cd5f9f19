"""The touch guard: force stops the arm, and so does a guard that cannot tell how hard the arm presses."""

import numpy as np
import pytest

from vital_control.gate.verdict import Mode, Verdict
from vital_core.arm.xarm7 import HOME_RAD
from vital_core.errors import ErrorCode

ALL_VALID = np.ones(5, bool)


def feel(rig, field_ut, valid=ALL_VALID, **baseline):
    """One reading, and a moment for it."""
    rig.gate.observe_tactile(np.asarray(field_ut, float), np.asarray(valid), rig.now_s, **baseline)
    rig.wait(0.01)


def quiet(rig):
    """The rig's own pad is silent from now on; the test says what is felt."""
    rig.tactile = False


def assert_latched(rig, code: ErrorCode, *words: str) -> None:
    assert rig.gate.mode is Mode.LATCHED and rig.gate.stop.code is code, rig.gate.stop.reason
    assert all(word in rig.gate.stop.reason for word in words), rig.gate.stop.reason


def test_touch_beyond_the_limit_stops_and_latches_with_its_code(rig):
    rig.own()
    rig.send_expecting(Verdict.ACCEPTED)
    rig.wait(0.05)
    rig.field_ut = np.zeros((5, 3))
    rig.field_ut[3] = (0.0, 1200.0, -1200.0)
    rig.wait(0.01)
    assert_latched(rig, ErrorCode.FORCE_LIMIT, "1697 µT, limit 1500 µT")


def test_touch_is_measured_from_when_the_owner_took_the_arm(rig):
    rig.field_ut = np.full((5, 3), 500.0)
    rig.wait(0.05)
    assert rig.gate.mode is Mode.IDLE
    rig.own()
    rig.field_ut = np.full((5, 3), 800.0)
    rig.wait(0.05)
    assert rig.gate.mode is Mode.HOLDING
    np.testing.assert_allclose(rig.gate.touch.peak_ut, 300 * np.sqrt(3))


def test_second_publisher_with_another_layout_stops_an_owned_arm(rig):
    """Interleaved with the pad's own readings it must not reset what the change is measured from."""
    rig.own()
    quiet(rig)
    feel(rig, np.zeros((4, 3)), np.ones(4, bool))
    assert_latched(rig, ErrorCode.SENSOR_FAULT, "4 magnetometers, the pad has 5")


def test_second_publisher_keeps_the_arm_from_being_taken(rig):
    quiet(rig)
    for load_ut in np.linspace(0, 5000, 20):
        feel(rig, np.full((5, 3), load_ut))
        feel(rig, np.zeros((4, 3)), np.ones(4, bool))
    answer = rig.gate.acquire("policy", None, rig.now_s)
    assert not answer.granted and answer.code is ErrorCode.SENSOR_FAULT and "two layouts" in answer.text


@pytest.mark.parametrize("said_valid", [True, False])
def test_magnetometer_that_saturates_between_two_samples_stops_the_arm(rig, said_valid):
    rig.own()
    quiet(rig)
    valid = ALL_VALID.copy()
    valid[2] = said_valid
    field = np.zeros((5, 3))
    field[2, 1] = -12_000.0
    feel(rig, field, valid)
    assert_latched(rig, ErrorCode.FORCE_LIMIT, "magnetometer 2 is saturated")


@pytest.mark.parametrize("between", [True, False])
def test_magnetometer_that_is_missing_again_and_again_stops_an_owned_arm(rig, between):
    """For good, or between readings of another publisher in which it is there."""
    rig.own("teleop")
    rig.send_expecting(Verdict.ACCEPTED)
    quiet(rig)
    for _ in range(5):
        assert rig.gate.mode is Mode.MOVING
        feel(rig, np.zeros((5, 3)), [True, True, True, False, True])
        if between:
            feel(rig, np.zeros((5, 3)))
    assert_latched(rig, ErrorCode.SENSOR_FAULT, "magnetometer 3 is saturated or not read")


def test_magnetometer_that_is_missing_once_stops_nothing(rig):
    rig.own("teleop")
    rig.send_expecting(Verdict.ACCEPTED)
    feel(rig, np.zeros((5, 3)), [True, True, True, False, True])
    rig.wait(0.1)
    assert rig.gate.mode is Mode.MOVING


@pytest.mark.parametrize("owner", ["policy", "teleop", "reach", "reset"])
def test_nobody_moves_an_arm_whose_pad_never_answered(make_rig, owner):
    rig = make_rig(touch_required=True)
    rig.gate.touch = type(rig.gate.touch)(rig.gate.limits)
    quiet(rig)
    answer = rig.gate.acquire(owner, None, rig.now_s)
    assert not answer.granted and answer.code is ErrorCode.SENSOR_FAULT and "tactile:=none" in answer.text


def test_arm_without_a_pad_moves_when_that_is_said(make_rig):
    rig = make_rig(touch_required=False)
    rig.gate.touch = type(rig.gate.touch)(rig.gate.limits, required=False)
    quiet(rig)
    rig.own("teleop")
    rig.send_expecting(Verdict.ACCEPTED)


@pytest.mark.parametrize("owner", ["policy", "teleop", "reach", "reset"])
def test_pad_that_falls_silent_refuses_whoever_commands(rig, owner):
    rig.own(owner)
    quiet(rig)
    rig.wait(0.3)
    assert "at most 250 ms" in rig.send_expecting(Verdict.NO_TACTILE)


def test_load_is_not_made_the_zero_by_acquiring_again_and_again(rig):
    """Five steps of 900 µT, each under the task's limit of 1500, each with a new acquisition."""
    taken = 0
    for step in range(1, 6):
        answer = rig.gate.acquire("policy", None, rig.now_s)
        if not answer.granted:
            break
        taken += 1
        rig.token = answer.token
        rig.field_ut = np.zeros((5, 3))
        rig.field_ut[0, 2] = 900.0 * step
        rig.wait(0.05)
        if rig.gate.mode is Mode.LATCHED:
            break
        rig.release()
    assert taken <= 3 and rig.field_ut.max() <= 2 * 1500.0
    assert rig.gate.mode is Mode.LATCHED or "last rest" in answer.text


def test_load_is_not_made_the_zero_by_baselines_under_load(rig):
    quiet(rig)
    rig.own()
    load = np.zeros((5, 3))
    for baseline_id in range(1, 6):
        load[1, 0] = 900.0 * baseline_id
        feel(rig, load, baseline_ut=load.copy(), baseline_id=baseline_id)
        if rig.gate.mode is Mode.LATCHED:
            break
    assert_latched(rig, ErrorCode.FORCE_LIMIT, "last rest", "under load")
    assert load.max() < 2000.0


def test_baseline_near_rest_becomes_the_reference(rig):
    rig.own()
    quiet(rig)
    drifted = np.full((5, 3), 700.0)
    for baseline_id in (1, 2):
        feel(rig, drifted, baseline_ut=drifted, baseline_id=baseline_id)
    assert rig.gate.touch.peak_ut == 0.0 and rig.gate.mode is Mode.HOLDING


def test_refused_baseline_keeps_the_arm_until_there_is_a_good_one(rig):
    quiet(rig)
    loaded = np.full((5, 3), 1000.0)
    feel(rig, np.zeros((5, 3)), baseline_ut=np.zeros((5, 3)), baseline_id=1)
    feel(rig, loaded, baseline_ut=loaded, baseline_id=2)
    feel(rig, np.zeros((5, 3)), baseline_ut=loaded, baseline_id=2)
    answer = rig.gate.acquire("policy", None, rig.now_s)
    assert not answer.granted and "baseline 2" in answer.text
    feel(rig, np.zeros((5, 3)), baseline_ut=np.zeros((5, 3)), baseline_id=3)
    rig.own()


def test_person_who_looked_makes_another_grasp_the_rest(rig):
    other_grasp = np.full((5, 3), 3000.0)
    rig.field_ut = other_grasp
    rig.wait(0.05)
    assert not rig.gate.acquire("policy", None, rig.now_s).granted
    rig.gate.latch(ErrorCode.STOPPED, "another stick in the hand", rig.now_s)
    rig.wait(0.05)
    assert rig.gate.clear("Ada", rig.now_s).granted
    rig.wait(0.05)
    rig.own()
    rig.send_expecting(Verdict.ACCEPTED)


def test_trajectory_rests_while_the_pad_is_silent_goes_on_and_ends_when_it_lasts(rig):
    rig.own("reach")
    goal = HOME_RAD + np.array([0.2, 0.05, 0.0, 0.1, 0.0, 0.05, 0.1])
    assert rig.judge(rig.request(goal, 3.0)).accepted
    rig.wait(1.0)
    quiet(rig)
    rig.wait(0.6)
    assert rig.gate.executing and not rig.gate.arm.moving(rig.now_s)
    rig.tactile = True
    rig.wait(3.0)
    assert rig.gate.execution.code is ErrorCode.OK
    np.testing.assert_allclose(rig.set_point(), goal, atol=1e-6)
    assert rig.judge(rig.request(HOME_RAD, 3.0)).accepted
    rig.wait(1.0)
    quiet(rig)
    rig.wait(1.3)
    assert rig.gate.execution.code is ErrorCode.SENSOR_FAULT
