"""The gate's state machine: owners, holds, latched stops, and where it goes on from."""

import numpy as np

from vital_control.gate.verdict import Mode, Verdict
from vital_core.errors import ErrorCode
from vital_core.task import load_task

PERIOD_S = 1 / 6


def largest_step_rad(track: np.ndarray) -> float:
    return float(np.abs(np.diff(track[:, 1:], axis=0)).max())


def test_gate_starts_idle_and_without_owner(rig):
    assert rig.gate.mode is Mode.IDLE and rig.gate.owner == "" and rig.issued == []


def test_one_owner_at_a_time(rig):
    rig.own("policy")
    answer = rig.gate.acquire("reach", None, rig.now_s)
    assert not answer.granted and answer.code is ErrorCode.NOT_OWNER and "'policy' owns" in answer.text
    assert not rig.gate.release("reach", rig.token, rig.now_s).granted
    assert not rig.gate.release("policy", rig.token + 1, rig.now_s).granted
    assert rig.gate.release("policy", rig.token, rig.now_s).granted and rig.gate.mode is Mode.IDLE
    assert rig.gate.acquire("reach", None, rig.now_s).granted


def test_person_takes_the_arm_from_a_machine_and_not_the_other_way_round(rig):
    rig.own("policy")
    rig.send_expecting(Verdict.ACCEPTED)
    rig.wait(0.5 * PERIOD_S)
    assert not rig.gate.acquire("teleop", None, rig.now_s).granted
    answer = rig.gate.acquire("teleop", None, rig.now_s, take_over=True)
    assert answer.granted
    rig.send_expecting(Verdict.NOT_OWNER, owner="policy")
    rig.token = answer.token
    assert rig.gate.owner == "teleop" and rig.gate.mode is Mode.HOLDING
    rig.send_expecting(Verdict.NOT_OWNER, owner="policy")
    for owner in ("policy", "reach", "reset"):
        assert not rig.gate.acquire(owner, None, rig.now_s, take_over=True).granted
    rig.wait(0.3)
    assert largest_step_rad(rig.track()) < 0.01


def test_taking_over_does_not_lift_a_stop(rig):
    rig.own("policy")
    rig.gate.latch(ErrorCode.FORCE_LIMIT, "too hard", rig.now_s)
    answer = rig.gate.acquire("teleop", None, rig.now_s, take_over=True)
    assert not answer.granted and answer.code is ErrorCode.STOPPED


def test_unknown_owner_is_refused_by_name(rig):
    answer = rig.gate.acquire("somebody", None, rig.now_s)
    assert not answer.granted and answer.code is ErrorCode.BAD_PARAMETER and "policy, reach" in answer.text


def test_acquire_brings_the_tasks_limits_into_force(rig):
    plug = load_task("plug_in_socket")
    assert rig.gate.acquire("policy", plug, rig.now_s).granted
    assert rig.gate.limits.task is plug
    rig.gate.acquire("teleop", None, rig.now_s, take_over=True)
    assert rig.gate.limits.task is plug


def test_silent_owner_can_be_replaced_after_its_time_and_not_before(rig):
    rig.own("policy")
    rig.wait(5.0)
    assert not rig.gate.acquire("reach", None, rig.now_s).granted
    rig.wait(5.1)
    assert rig.gate.acquire("reach", None, rig.now_s).granted


def test_gate_holds_after_two_and_a_half_missed_periods(rig):
    rig.own()
    for _ in range(6):
        rig.send_expecting(Verdict.ACCEPTED)
        rig.wait(PERIOD_S)
    rig.wait(1.4 * PERIOD_S)
    assert rig.gate.mode is Mode.MOVING
    rig.wait(0.2 * PERIOD_S)
    assert rig.gate.mode is Mode.HOLDING and rig.gate.owner == "policy"
    assert (rig.gate.tally.holds, rig.gate.hold_reason) == (1, "commands stopped coming")
    assert not rig.gate.arm.moving(rig.now_s)
    held = rig.set_point()
    rig.wait(1.0)
    np.testing.assert_array_equal(rig.set_point(), held)
    assert rig.gate.tally.holds == 1


def test_refused_commands_do_not_put_off_the_hold(rig):
    rig.own()
    rig.send_expecting(Verdict.ACCEPTED)
    for _ in range(4):
        rig.wait(PERIOD_S)
        rig.send(frame_id="")
    assert rig.gate.mode is Mode.HOLDING


def test_hold_follows_the_period_of_the_commands(rig):
    rig.own("teleop")
    rig.send_expecting(Verdict.ACCEPTED, duration_s=1 / 30, translation_m=np.array([0.001, 0.0, 0.0]))
    rig.wait(0.1)
    assert rig.gate.mode is Mode.HOLDING


def test_command_after_a_hold_moves_on_without_a_lurch(rig):
    rig.own()
    for _ in range(3):
        rig.send_expecting(Verdict.ACCEPTED)
        rig.wait(PERIOD_S)
    rig.wait(1.0)
    rig.send_expecting(Verdict.ACCEPTED)
    assert rig.gate.mode is Mode.MOVING
    rig.wait(0.5)
    assert largest_step_rad(rig.track()) < 0.004


def test_stop_latches_at_once_and_stays_until_a_named_person_clears_it(rig):
    rig.own()
    rig.send_expecting(Verdict.ACCEPTED, duration_s=0.5, translation_m=np.array([0.03, 0.0, 0.0]))
    rig.wait(0.2)
    rig.gate.latch(ErrorCode.STOPPED, "operator", rig.now_s)
    assert rig.gate.mode is Mode.LATCHED and rig.gate.stop.code is ErrorCode.STOPPED
    rig.wait(0.1)
    stopped = rig.set_point()
    rig.wait(1.0)
    np.testing.assert_array_equal(rig.set_point(), stopped)
    assert "operator" in rig.send_expecting(Verdict.STOPPED)
    assert rig.gate.acquire("policy", None, rig.now_s).code is ErrorCode.STOPPED
    assert not rig.gate.clear("  ", rig.now_s).granted and rig.gate.mode is Mode.LATCHED
    assert rig.gate.clear("Ada", rig.now_s).granted
    assert (rig.gate.mode, rig.gate.owner, rig.gate.stop.code) == (Mode.IDLE, "", ErrorCode.OK)
    rig.send_expecting(Verdict.NOT_OWNER, owner="policy")


def test_second_stop_keeps_the_first_reason(rig):
    rig.gate.latch(ErrorCode.STOPPED, "first", rig.now_s)
    rig.gate.latch(ErrorCode.STOPPED, "second", rig.now_s)
    assert rig.gate.stop.reason == "first"


def test_somebodys_stop_is_not_lost_in_one_of_the_gates_own(rig):
    rig.gate.latch(ErrorCode.FORCE_LIMIT, "touch changed by 964 µT", rig.now_s)
    rig.gate.latch(ErrorCode.STOPPED, "STOP by Anna", rig.now_s)
    assert rig.gate.stop.code is ErrorCode.STOPPED
    assert rig.gate.stop.reason == "STOP by Anna; before that: touch changed by 964 µT"


def test_who_clears_a_stop_clears_none_that_has_come_since(rig):
    rig.gate.latch(ErrorCode.FORCE_LIMIT, "touch changed by 964 µT", rig.now_s)
    seen = rig.gate.report(rig.now_s).stop_number
    rig.gate.latch(ErrorCode.STOPPED, "STOP by Anna", rig.now_s)
    refusal = rig.gate.clear("deploy in simulation", rig.now_s, number=seen)
    assert (refusal.granted, refusal.code) == (False, ErrorCode.STOPPED)
    assert f"stop {seen + 1} has come since stop {seen}" in refusal.text and "Anna" in refusal.text
    assert rig.gate.mode is Mode.LATCHED
    again = rig.gate.report(rig.now_s).stop_number
    rig.gate.latch(ErrorCode.STOPPED, "STOP by Bo", rig.now_s)
    assert not rig.gate.clear("Anna", rig.now_s, number=again).granted
    assert rig.gate.clear("Bo", rig.now_s, number=again + 1).granted
    assert rig.gate.report(rig.now_s).stop_number == 0
    rig.gate.latch(ErrorCode.FORCE_LIMIT, "hard", rig.now_s)
    assert not rig.gate.clear("Bo", rig.now_s, number=again + 1).granted
    assert rig.gate.clear("whoever types it", rig.now_s).granted


def test_release_does_not_lift_a_stop(rig):
    rig.own()
    rig.gate.latch(ErrorCode.STOPPED, "operator", rig.now_s)
    assert rig.gate.release("policy", rig.token, rig.now_s).granted
    assert rig.gate.mode is Mode.LATCHED


def test_arm_that_pressed_too_hard_rests_where_it_is_not_where_it_was_sent(rig):
    rig.own()
    blocked = rig.set_point()
    for _ in range(2):
        rig.send_expecting(Verdict.ACCEPTED, translation_m=np.array([0.0, 0.0, 0.02]))
        for _ in range(16):
            rig.moved_by_hand = np.zeros(7)
            rig.moved_by_hand = blocked - rig.set_point()
            rig.wait(0.01)
    assert np.abs(rig.set_point() - blocked).max() > 0.01
    rig.field_ut = np.full((5, 3), 2000.0)
    rig.wait(0.01)
    rig.moved_by_hand = np.zeros(7)
    rig.wait(0.5)
    np.testing.assert_allclose(rig.set_point(), blocked, atol=2e-3)
    assert largest_step_rad(rig.track()) < 0.01
