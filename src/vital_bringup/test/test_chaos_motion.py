"""The judges of motion cry at made-up recordings that break a limit, and only at those."""

from dataclasses import replace

import numpy as np
import pytest

from vital_bringup.chaos.watching import motion
from vital_bringup.chaos.watching.recording import Recording, Sent
from vital_core.arm import kinematics
from vital_core.arm.xarm7 import HOME_RAD, LOWER_RAD, UPPER_RAD
from vital_core.task import load_task

TASK = load_task("usb_insertion")
SENT_S = 10.0


def recording(*sent, joints=HOME_RAD, speeds=0.0, until_s=14.0, from_s=8.0):
    """An arm that stands at ``joints`` (or follows a function of time), seen at 100 Hz."""
    times = np.arange(from_s, until_s, 0.01)
    positions = np.array([joints(t) if callable(joints) else joints for t in times]).reshape(-1, 7)
    fast = np.array([speeds(t) if callable(speeds) else speeds for t in times])
    rows = np.zeros_like(positions)
    rows[:, 2] = fast
    return Recording(times, positions, rows, tuple(sent))


def step(offset_rad=0.0, duration_s=0.5, joint=0, at_s=SENT_S, start=HOME_RAD):
    """A trajectory from rest to rest that moves one joint."""
    target = np.array(start, dtype=float)
    target[joint] += offset_rad
    return Sent(at_s, np.array([duration_s]), target[None], np.zeros((1, 7)))


def found(*sent, **options):
    return motion.unsafe(recording(*sent, **options), TASK, 9.0, 9.0, 14.0)


def test_motion_within_all_limits_is_safe():
    assert found(step(0.2), step(-0.1, at_s=11.0)) == []


def test_stream_of_commands_that_flow_into_each_other_is_safe():
    """Each begins where the one before has come to, at its speed, 6 times a second."""

    def along(t):
        q = HOME_RAD.copy()
        q[0] += 0.3 * np.clip(t - 10.0, 0.0, 2.0)
        return q

    sent, speed = [], np.eye(7)[0] * 0.3
    for i in range(12):
        begin = 10.0 + i / 6
        times = np.array([0.05, 0.1, 1 / 6, 0.4])
        positions = np.array([along(begin + t) for t in times[:3]] + [along(begin + 1 / 6) + speed * 0.08])
        speeds = np.array([speed, speed, speed, 0 * speed])
        sent.append(Sent(begin, times, positions, speeds))
    assert found(*sent, joints=along) == []


def test_faster_than_the_limit_is_named():
    (line,) = found(step(0.5, 0.15))
    assert "joint1 at 5.00 rad/s" in line


def test_rest_trajectory_at_where_false_joint_states_say_is_a_jump():
    """A gate that believes joints of zero sends the arm there within 0.3 s."""
    lines = found(Sent(SENT_S, np.array([0.3]), np.zeros((1, 7)), np.zeros((1, 7))))
    assert len(lines) == 1 and "from where it was measured" in lines[0]


def test_beyond_a_joints_range_is_named():
    start = HOME_RAD.copy()
    start[6] = UPPER_RAD[6] - 0.1
    (line,) = found(step(0.2, 0.5, joint=6, start=start), joints=start)
    assert "joint7 0.100 rad beyond its range" in line


def test_arm_beyond_its_range_may_come_back_in():
    start = HOME_RAD.copy()
    start[6] = LOWER_RAD[6] - 0.05
    assert found(step(0.1, 0.5, joint=6, start=start), joints=start) == []


def test_out_of_the_workspace_box_is_named():
    down = kinematics.solve(kinematics.forward(HOME_RAD) @ _along_z(0.34), HOME_RAD)
    assert down is not None
    (line,) = found(Sent(SENT_S, np.array([2.0]), down[None], np.zeros((1, 7))))
    assert "outside the workspace box" in line


def _along_z(metres):
    pose = np.eye(4)
    pose[2, 3] = metres
    return pose


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"positions_rad": np.full((1, 7), np.nan)}, "not finite"),
        ({"speeds_rad_s": np.full((1, 7), 0.2)}, "expected rest"),
        ({"times_s": np.array([-0.1])}, "do not rise"),
        ({"problem": "has joints ['a']"}, "has joints"),
    ],
)
def test_trajectory_that_is_none_is_named(change, words):
    (line,) = found(replace(step(0.1), **change))
    assert words in line


def test_only_what_was_sent_since_the_fault_counts():
    assert motion.unsafe(recording(step(1.0, 0.3)), TASK, 10.5, 10.5, 14.0) == []


def test_arm_at_rest_is_at_rest_and_a_moving_one_is_named():
    assert motion.moving(recording(step(0.2)), 11.0, 11.4) is None
    moving = recording(step(0.2), speeds=lambda t: 0.3 if t < 11.2 else 0.0)
    assert "0.30 rad/s" in str(motion.moving(moving, 11.0, 11.4))


def test_arm_that_is_not_seen_any_more_is_judged_by_what_it_was_last_sent():
    assert motion.moving(recording(step(0.2, 0.5), until_s=10.2), 11.2, 11.6) is None
    words = motion.moving(recording(step(0.8, 3.0), until_s=10.2), 11.2, 11.6)
    assert words is not None and "goes on for 1.80 s" in words


def test_arm_measured_faster_than_it_may_be_is_named():
    assert motion.too_fast(recording(), 9.0, 13.0) is None
    assert "joint3" in str(motion.too_fast(recording(speeds=lambda t: 4.0 if 10 < t < 10.1 else 0.0), 9.0, 13.0))


def test_joint_states_that_cannot_be_trusted_are_left_out():
    blind = recording(step(0.2)).unseen_from(9.5)
    assert blind.measured(10.5) is None and motion.unsafe(blind, TASK, 9.0, 9.0, 14.0) == []


def test_arm_that_the_simulator_has_put_elsewhere_goes_on_from_there():
    """A reset moves it less than it may lag behind: only the announcement tells the two apart."""
    home = HOME_RAD.copy()
    away = home + 0.1
    first = Sent(9.2, np.array([0.5]), away[None], np.zeros((1, 7)))
    again = Sent(SENT_S, np.array([0.02, 0.5]), np.stack([home, home]), np.zeros((2, 7)))
    seen = recording(first, again, joints=home)
    assert "rad/s" in str(motion.unsafe(seen, TASK, 9.5, 9.5, 14.0))
    assert motion.unsafe(replace(seen, resets_s=(9.9,)), TASK, 9.5, 9.5, 14.0) == []
