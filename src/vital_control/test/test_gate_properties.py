"""Whatever is sent in whatever order: the arm stays in its box and its limits, and never lurches."""

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from vital_control.gate.trajectory_check import problem
from vital_control.gate.verdict import Mode, Verdict
from vital_core import pose as pose_of
from vital_core.arm import kinematics
from vital_core.arm.xarm7 import HOME_RAD, LOWER_RAD, UPPER_RAD
from vital_core.errors import ErrorCode

MAX_SPEED_RAD_S = 2.14
MAX_SPEED_CHANGE_RAD_S = 0.6  # in 10 ms, of any joint
MAX_ACCELERATION_RAD_S2 = 70.0  # start, end and a path's own curvature, and a stop on it

# A story takes a while to play: one that fails is not made shorter.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
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
trajectories = st.tuples(
    st.just("trajectory"), st.tuples(*[st.floats(-0.3, 0.3)] * 7), st.floats(0.3, 3.0), st.floats(0.05, 2.0)
)
lies = st.tuples(st.just("lie"), st.tuples(*[st.floats(-2.0, 2.0)] * 7), st.sampled_from([0.01, 0.05, 0.12, 0.3, 1.2]))
freezes = st.tuples(st.just("freeze"), st.sampled_from([0.1, 0.4, 0.9, 3.0]))
resets = st.tuples(st.just("reset"), st.booleans(), st.booleans())
others = st.tuples(st.sampled_from(["stop", "touch", "owner", "take over", "pause", "blind", "numb", "bad", "layout"]))
events = st.lists(
    st.one_of(commands, commands, commands, trajectories, lies, freezes, resets, others), min_size=1, max_size=25
)


def at(position_m: tuple[float, ...]) -> np.ndarray:
    """(7,) joints with the TCP at a position, pointing down."""
    joints = kinematics.solve(pose_of.point_down(position_m), HOME_RAD)
    assert joints is not None
    return joints


def play(rig, event: tuple) -> None:
    """Let one event happen to the gate and a little time pass; a stopped gate is looked at, cleared and owned again."""
    kind, *details = event
    PLAYS[kind](rig, *details)
    if rig.gate.mode is Mode.LATCHED:
        assert rig.send().verdict is Verdict.STOPPED
        rig.wait(1.0)
        answer = rig.gate.clear("Ada", rig.now_s)
        assert answer.granted, answer.text
        rig.wait(0.05)
    if rig.gate.owner == "":
        rig.own("reach")


def play_command(rig, translation, rotation, duration_s: float, wait_s: float) -> None:
    rig.send(translation_m=np.array(translation), rotation_rad=np.array(rotation), duration_s=duration_s)
    rig.wait(wait_s)


def play_trajectory(rig, way, duration_s: float, wait_s: float) -> None:
    rig.judge(rig.request(rig.set_point() + np.array(way), duration_s, owner=rig.gate.owner))
    rig.wait(wait_s)


def play_lie(rig, offset, duration_s: float) -> None:
    rig.moved_by_hand = np.array(offset)
    rig.wait(0.5 * duration_s)
    rig.send()
    rig.wait(0.5 * duration_s)
    rig.moved_by_hand = np.zeros(7)
    rig.wait(0.02)


def play_freeze(rig, duration_s: float) -> None:
    rig.ticking = False
    rig.wait(duration_s)
    rig.ticking = True
    rig.wait(0.02)


def play_reset(rig, announced: bool, owned: bool) -> None:
    """The simulator puts the arm home, which breaks off the track: what follows is another story."""
    if not owned:
        rig.release()
        rig.wait(0.6)
    if announced:
        rig.gate.announce_reset(HOME_RAD, rig.now_s)
    rig.put_elsewhere(HOME_RAD)
    rig.history.clear()
    rig.wait(0.7)


def play_owner(rig) -> None:
    rig.release()
    rig.own("teleop")


def play_take_over(rig) -> None:
    answer = rig.gate.acquire("teleop", None, rig.now_s, token=rig.token, take_over=True)
    rig.token = answer.token if answer.granted else rig.token


def play_silence(rig, sensor: str, duration_s: float = 0.4) -> None:
    setattr(rig, sensor, False)
    rig.wait(duration_s)
    setattr(rig, sensor, True)
    rig.wait(0.02)


def play_touch(rig) -> None:
    rig.field_ut = np.full((5, 3), 2000.0)
    rig.wait(0.05)
    rig.field_ut = np.zeros((5, 3))


def play_layout(rig) -> None:
    rig.gate.observe_tactile(np.zeros((4, 3)), np.ones(4, bool), rig.now_s)
    rig.wait(1.1)


def play_bad(rig) -> None:
    assert not rig.send(translation_m=np.array([np.nan, 0.0, 0.0])).accepted
    assert not rig.send(translation_m=np.array([0.0, 0.0, 0.5])).accepted


PLAYS = {
    "command": play_command,
    "trajectory": play_trajectory,
    "lie": play_lie,
    "freeze": play_freeze,
    "reset": play_reset,
    "owner": play_owner,
    "take over": play_take_over,
    "blind": lambda rig: play_silence(rig, "joint_states"),
    "numb": lambda rig: play_silence(rig, "tactile"),
    "touch": play_touch,
    "layout": play_layout,
    "bad": play_bad,
    "pause": lambda rig: rig.wait(1.0),
    "stop": lambda rig: rig.gate.latch(ErrorCode.STOPPED, "stop", rig.now_s),
}


def assert_each_motion_passes_the_gates_own_check(rig) -> None:
    """Of everything that was sent, whatever for: box, joint limits, speed, acceleration, rest at the end."""
    limits = rig.gate.limits
    for motion in rig.issued:
        refusal = problem(motion, limits, MAX_ACCELERATION_RAD_S2)
        assert refusal is None, refusal
        np.testing.assert_allclose(motion.velocities_rad_s[-1], 0.0, atol=1e-12)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), phases=PHASES)
@given(start=starts, story=events)
def test_commanded_arm_stays_in_box_and_limits_and_never_lurches(make_rig, task, start, story):
    rig = make_rig(at(start), simulated=True)
    rig.own("policy")
    for event in story:
        play(rig, event)
    rig.wait(3.5)
    assert_each_motion_passes_the_gates_own_check(rig)
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
