"""Whatever is sent in whatever order: the arm stays in its box and its limits, and never lurches."""

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vital_control.verdict import Verdict
from vital_core import kinematics
from vital_core import pose as pose_of
from vital_core.errors import ErrorCode
from vital_core.xarm7 import HOME_RAD, LOWER_RAD, UPPER_RAD

MAX_SPEED_RAD_S = 2.14
MAX_SPEED_CHANGE_RAD_S = 0.6  # in 10 ms, of any joint

fractions = st.floats(-1.0, 1.0)
starts = st.sampled_from(
    [(0.40, 0.0, 0.35), (0.285, 0.0, 0.30), (0.45, 0.245, 0.20), (0.45, 0.0, 0.023), (0.45, -0.2, 0.448)]
)
commands = st.tuples(
    st.just("command"),
    st.tuples(*[st.floats(-0.02, 0.02)] * 3),
    st.tuples(*[st.floats(-0.08, 0.08)] * 3),
    st.sampled_from([1 / 30, 0.1, 1 / 6, 0.5]),
    st.sampled_from([0.01, 0.03, 0.1, 1 / 6, 0.6]),
)
others = st.tuples(st.sampled_from(["stop", "touch", "owner", "take over", "pause", "blind", "bad"]))
events = st.lists(st.one_of(commands, commands, commands, commands, others), min_size=1, max_size=25)


def at(position_m: tuple[float, ...]) -> np.ndarray:
    """(7,) joints with the TCP at a position, pointing down."""
    joints = kinematics.solve(pose_of.point_down(position_m), HOME_RAD)
    assert joints is not None
    return joints


def play(rig, event: tuple) -> None:
    """Let one event happen to the gate and a little time pass."""
    kind, *details = event
    if kind == "command":
        translation, rotation, duration_s, wait_s = details
        rig.send(translation_m=np.array(translation), rotation_rad=np.array(rotation), duration_s=duration_s)
        rig.wait(wait_s)
    elif kind == "bad":
        assert not rig.send(translation_m=np.array([np.nan, 0.0, 0.0])).accepted
        assert not rig.send(translation_m=np.array([0.0, 0.0, 0.5])).accepted
    elif kind == "owner":
        rig.gate.release(rig.gate.owner, rig.now_s)
        rig.own("teleop")
    elif kind == "take over":
        answer = rig.gate.acquire("teleop", None, rig.now_s, take_over=True)
        assert answer.granted or rig.gate.owner == "reset", answer.text
    elif kind == "pause":
        rig.wait(1.0)
    elif kind == "blind":
        rig.joint_states = False
        rig.wait(0.4)
        rig.joint_states = True
        rig.wait(0.02)
    else:
        code = ErrorCode.STOPPED if kind == "stop" else ErrorCode.FORCE_LIMIT
        rig.gate.latch(code, kind, rig.now_s)
        rig.wait(0.05)
        assert rig.send().verdict is Verdict.STOPPED
        rig.gate.clear("Ada", rig.now_s)
        rig.own("policy")


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(start=starts, story=events)
def test_commanded_arm_stays_in_box_and_limits_and_never_lurches(make_rig, task, start, story):
    rig = make_rig(at(start))
    rig.own("policy")
    for event in story:
        play(rig, event)
    rig.wait(0.6)
    track = rig.track()[:, 1:]
    assert np.isfinite(track).all()
    assert (track >= LOWER_RAD - 1e-6).all() and (track <= UPPER_RAD + 1e-6).all()
    points = kinematics.tcp_positions(track)
    assert (points >= np.array(task.workspace_lower_m) - 1e-4).all()
    assert (points <= np.array(task.workspace_upper_m) + 1e-4).all()
    speed = np.diff(track, axis=0) / 0.01
    assert np.abs(speed).max() <= MAX_SPEED_RAD_S * 1.01
    assert np.abs(np.diff(speed, axis=0)).max() <= MAX_SPEED_CHANGE_RAD_S
    assert np.abs(speed[-1]).max() == 0.0


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    translation=st.tuples(*[st.floats(allow_nan=True, allow_infinity=True)] * 3),
    rotation=st.tuples(*[st.floats(allow_nan=True, allow_infinity=True)] * 3),
    duration_s=st.floats(),
    gripper=st.floats(),
)
def test_any_numbers_get_a_verdict_and_nothing_moves_beyond_the_step(
    make_rig, task, translation, rotation, duration_s, gripper
):
    rig = make_rig()
    rig.own("policy")
    judgement = rig.send(
        translation_m=np.array(translation), rotation_rad=np.array(rotation), duration_s=duration_s, gripper=gripper
    )
    assert judgement.text
    rig.wait(1.0)
    moved_m, turned_rad = pose_of.distance(kinematics.forward(HOME_RAD), kinematics.forward(rig.set_point()))
    assert moved_m <= task.max_step_m + 1e-3 and turned_rad <= task.max_step_rad + 1e-3
    assert judgement.accepted or moved_m < 1e-9
