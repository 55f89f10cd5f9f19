"""Every verdict of the table in `vital_control`, by the thing that earns it."""

from dataclasses import replace

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Vector3

from vital_control.gate.limits import Limits, gate_parameters
from vital_control.gate.verdict import Judgement, Mode, Verdict
from vital_control.gate_messages import state_message
from vital_core.arm import kinematics
from vital_core.arm.xarm7 import HOME_RAD
from vital_core.command_rules import BOX_MARGIN_M
from vital_core.errors import ErrorCode, VitalError
from vital_core.task import Task, load_task
from vital_interfaces.msg import GateState

NAN, INF = float("nan"), float("inf")


def test_verdicts_and_modes_are_those_of_the_message():
    for enum in (Verdict, Mode):
        assert {v.name: int(v) for v in enum} == {v.name: getattr(GateState, v.name) for v in enum}
    constants = {n for n in dir(GateState) if n.isupper() and not n.startswith("_") and n != "SLOT_TYPES"}
    assert constants == {v.name for v in Verdict} | {m.name for m in Mode}


def test_accepted_command_moves_the_tcp_by_its_delta_and_stays_there(rig):
    rig.own()
    start = kinematics.forward(rig.set_point())
    command = rig.command(translation_m=np.array([0.01, -0.006, 0.004]), rotation_rad=np.array([0.02, 0.0, 0.05]))
    assert rig.gate.judge(command, rig.now_s, rig.ros_now_s).accepted
    rig.wait(1.0)
    np.testing.assert_allclose(kinematics.forward(rig.set_point()), start @ command.action.delta_tcp, atol=2e-4)


def test_command_without_an_owner_or_of_another_one_is_refused(rig):
    assert "nobody owns" in rig.send_expecting(Verdict.NOT_OWNER, owner="policy")
    rig.own("teleop")
    assert "'teleop' owns" in rig.send_expecting(Verdict.NOT_OWNER, owner="policy")


@pytest.mark.parametrize("bad", [NAN, INF, -INF])
def test_numbers_that_are_not_finite_are_refused(rig, bad):
    rig.own()
    for change in (
        {"translation_m": np.array([0.0, bad, 0.0])},
        {"rotation_rad": np.array([0.0, 0.0, bad])},
        {"gripper": bad},
        {"duration_s": bad},
        {"valid_until_s": bad},
    ):
        assert next(iter(change)) in rig.send_expecting(Verdict.NOT_FINITE, **change)


def test_stale_commands_are_refused_by_ros_time(rig):
    rig.own()
    assert "40 ms after" in rig.send_expecting(Verdict.STALE, valid_until_s=rig.ros_now_s - 0.04)
    assert "500 ms old, at most 350" in rig.send_expecting(Verdict.STALE, stamp_s=rig.ros_now_s - 0.5)
    assert "clocks" in rig.send_expecting(Verdict.STALE, stamp_s=rig.ros_now_s + 1.0)
    rig.send_expecting(Verdict.ACCEPTED)


def over_the_floor(task, height_m: float) -> np.ndarray:
    """Joints of a TCP so high over the box's floor, pointing down."""
    start = kinematics.forward(HOME_RAD)
    start[2, 3] = task.workspace_lower_m[2] + height_m
    return kinematics.solve(start, HOME_RAD)


def test_target_below_the_box_is_brought_onto_its_floor_and_counted(make_rig, task):
    rig = make_rig(over_the_floor(task, 0.004))
    rig.own()
    judgement = rig.send(translation_m=np.array([0.0, 0.0, 0.01]))
    assert judgement.accepted and judgement.projected and "6.5 mm beyond" in judgement.text
    np.testing.assert_allclose(judgement.executed.translation_m, [0.0, 0.0, 0.004 - BOX_MARGIN_M], atol=2e-5)
    rig.wait(1.0)
    assert kinematics.forward(rig.set_point())[2, 3] == pytest.approx(
        task.workspace_lower_m[2] + BOX_MARGIN_M, abs=1e-4
    )
    rig.send_expecting(Verdict.ACCEPTED, translation_m=np.array([0.0, 0.0, -0.005]))
    report = rig.gate.report(rig.now_s)
    assert (report.accepted, report.rejected, report.projected) == (2, 0, 1)
    assert report.counts["projected onto the box"] == 1


def test_state_tells_what_was_carried_out_of_a_projected_command_and_of_that_alone(make_rig, task):
    rig = make_rig(over_the_floor(task, 0.004))
    rig.own()
    judgement = rig.send(translation_m=np.array([0.003, 0.0, 0.01]))
    state = state_message(rig.gate.report(rig.now_s), Time())
    assert state.projected_last and state.projected == 1
    executed = state.executed_translation_m
    np.testing.assert_allclose([executed.x, executed.y, executed.z], judgement.executed.translation_m)
    rig.wait(1 / 6)
    rig.send_expecting(Verdict.ACCEPTED, translation_m=np.array([0.0, 0.0, -0.003]))
    state = state_message(rig.gate.report(rig.now_s), Time())
    assert not state.projected_last and state.projected == 1 and state.executed_translation_m == Vector3()


def test_commands_into_the_floor_slide_along_it(make_rig, task):
    rig = make_rig(over_the_floor(task, 0.06))
    rig.own()
    start = kinematics.forward(rig.set_point())
    judgements = []
    for _ in range(18):
        judgements.append(rig.send(translation_m=np.array([0.004, 0.006, 0.02])))
        rig.wait(1 / 6)
    rig.wait(1.0)
    refused = [j.text for j in judgements if not j.accepted]
    assert len(refused) <= 1, refused
    moved = kinematics.forward(rig.set_point())[:3, 3] - start[:3, 3]
    assert np.hypot(*moved[:2]) > 0.9 * (18 - len(refused)) * np.hypot(0.004, 0.006)
    assert moved[2] == pytest.approx(BOX_MARGIN_M - 0.06, abs=1e-3)
    track = kinematics.tcp_positions(rig.track()[:, 1:])
    assert track[:, 2].min() >= task.workspace_lower_m[2] - 1e-5


def test_arm_outside_the_box_may_only_go_back_in(make_rig):
    start = kinematics.forward(HOME_RAD)
    start[1, 3] = 0.27
    rig = make_rig(kinematics.solve(start, HOME_RAD))
    rig.own()
    rig.send_expecting(Verdict.OUT_OF_BOX, translation_m=np.array([0.0, -0.01, 0.0]))
    for _ in range(4):
        rig.send_expecting(Verdict.ACCEPTED, translation_m=np.array([0.0, 0.01, 0.0]))
        rig.wait(1 / 6)
    rig.wait(0.3)
    assert kinematics.forward(rig.set_point())[1, 3] < 0.25


def test_too_large_a_step_is_refused_and_the_largest_is_not(rig):
    rig.own()
    assert "31.0 mm, at most 30.0" in rig.send_expecting(Verdict.STEP_TOO_LARGE, translation_m=np.array([0, 0, 0.031]))
    rig.send_expecting(Verdict.STEP_TOO_LARGE, rotation_rad=np.array([0.12, 0.12, 0.0]))
    rig.send_expecting(Verdict.ACCEPTED, translation_m=np.array([0.0, 0.0, 0.03]))


def test_gripper_out_of_its_stroke_is_a_joint_limit(rig):
    rig.own()
    assert "1.300" in rig.send_expecting(Verdict.JOINT_LIMIT, gripper=1.3)


def test_turning_on_and_on_ends_at_a_joint_limit_that_is_named(rig):
    rig.own(task=everywhere())
    still, turn = np.zeros(3), np.array([0.0, 0.0, 0.149])
    refusal = drive_until_refused(rig, still, turn)
    assert refusal.verdict is Verdict.JOINT_LIMIT and "joint7" in refusal.text and "3.110" in refusal.text
    rig.wait(0.5)
    rig.send_expecting(Verdict.ACCEPTED, translation_m=still, rotation_rad=-turn)


def test_stretching_out_ends_unreachable(rig):
    rig.own(task=everywhere())
    refusal = drive_until_refused(rig, np.array([0.029, 0.0, 0.0]), np.zeros(3))
    assert refusal.verdict is Verdict.UNREACHABLE


def drive_until_refused(rig, translation_m: np.ndarray, rotation_rad: np.ndarray) -> Judgement:
    """Repeat one command at 6 Hz until the gate refuses it."""
    for _ in range(60):
        judgement = rig.send(translation_m=translation_m, rotation_rad=rotation_rad)
        if not judgement.accepted:
            return judgement
        rig.wait(1 / 6)
    raise AssertionError("never refused")


def everywhere() -> Task:
    """A task whose box holds the whole arm."""
    return replace(load_task("usb_insertion"), workspace_lower_m=(-2.0, -2.0, -2.0), workspace_upper_m=(2.0, 2.0, 2.0))


def test_repeated_and_older_seq_are_refused_and_a_new_owner_starts_afresh(rig):
    rig.own()
    rig.send_expecting(Verdict.ACCEPTED, seq=7)
    rig.wait(0.1)
    assert "seq 7 after 7" in rig.send_expecting(Verdict.OUT_OF_ORDER, seq=7)
    rig.send_expecting(Verdict.OUT_OF_ORDER, seq=6)
    rig.send_expecting(Verdict.ACCEPTED, seq=9)
    rig.own()
    rig.send_expecting(Verdict.ACCEPTED, seq=0)


def test_wrong_frame_is_refused(rig):
    rig.own()
    assert "'link_base', expected 'link_tcp'" in rig.send_expecting(Verdict.WRONG_FRAME, frame_id="link_base")


def test_senseless_durations_are_refused(rig):
    rig.own()
    for duration_s in (-1.0, 0.0, 0.001, 60.0):
        rig.send_expecting(Verdict.BAD_DURATION, duration_s=duration_s)


def test_too_fast_a_motion_is_refused(rig):
    rig.own()
    assert "m/s" in rig.send_expecting(Verdict.TOO_FAST, duration_s=0.02, translation_m=np.array([0.025, 0, 0]))
    assert "rad/s" in rig.send_expecting(Verdict.TOO_FAST, duration_s=0.02, rotation_rad=np.array([0, 0, 0.14]))


def test_joint_speed_is_limited_where_the_tcp_is_slow(make_rig):
    rig = make_rig(max_joint_speed_rad_s=0.1)
    rig.own()
    assert "rad/s, at most 0.10" in rig.send_expecting(Verdict.TOO_FAST, translation_m=np.array([0.02, 0, 0]))


def test_reading_without_a_valid_magnetometer_counts_as_none(rig):
    rig.tactile = False
    for _ in range(40):
        rig.gate.observe_tactile(np.zeros((5, 3)), np.zeros(5, bool), rig.now_s)
        rig.wait(0.01)
    answer = rig.gate.acquire("policy", None, rig.now_s)
    assert not answer.granted and "tactile reading is 4" in answer.text
    assert rig.gate.touch.unusable_readings == 40


def test_old_joint_states_refuse_commands_and_hold_the_arm(rig):
    rig.own()
    rig.send_expecting(Verdict.ACCEPTED, duration_s=1.0, translation_m=np.array([0.03, 0.0, 0.0]))
    rig.wait(0.1)
    rig.joint_states = False
    rig.wait(0.5)
    assert rig.gate.mode is Mode.HOLDING and rig.gate.tally.holds == 1
    assert not rig.gate.arm.moving(rig.now_s)
    rig.send_expecting(Verdict.NO_JOINT_STATE)
    assert not rig.gate.acquire("policy", None, rig.now_s).granted


def test_joint_state_that_is_not_finite_or_not_whole_is_counted_and_not_used(rig):
    rig.joint_states = False
    for reading in (np.full(7, NAN), np.zeros(6), None):
        rig.gate.observe_joints(reading, rig.now_s)
    rig.wait(0.3)
    assert rig.gate.arm.unusable_readings == 3 and not rig.gate.arm.seen(rig.now_s)


def test_every_verdict_is_counted(rig):
    rig.own()
    rig.send(frame_id="")
    rig.send(owner="reach")
    rig.send()
    assert (rig.gate.tally.accepted, rig.gate.tally.rejected) == (1, 2)
    assert rig.gate.tally.verdicts == {Verdict.WRONG_FRAME: 1, Verdict.NOT_OWNER: 1, Verdict.ACCEPTED: 1}


def test_gripper_is_moved_only_when_it_changes(rig):
    rig.own()
    for gripper in (1.0, 1.0, 1.0005, 0.4, 0.4):
        rig.send_expecting(Verdict.ACCEPTED, gripper=gripper)
        rig.wait(0.1)
    assert rig.gripped == [1.0, 0.4]


def test_limits_refuse_a_parameter_out_of_range():
    with pytest.raises(VitalError, match=r"max_joint_speed_rad_s is 9\.0, expected 0\.05 to 3\.14") as caught:
        Limits(load_task("usb_insertion"), max_joint_speed_rad_s=9.0)
    assert caught.value.code is ErrorCode.BAD_PARAMETER
    with pytest.raises(VitalError):
        Limits(load_task("usb_insertion"), settle_s=NAN)


def test_every_limit_has_a_range_that_holds_its_default():
    for parameter in gate_parameters():
        lower, upper = parameter.metadata["range"]
        assert lower <= parameter.default <= upper and parameter.metadata["description"]
