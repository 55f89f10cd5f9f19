"""What holds for every sequence of keys, events, samples and messages: bounded speed, no command without a hand."""

import os
import pty
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vital_core import pose as pose_of
from vital_core.errors import ErrorCode, VitalError
from vital_interfaces.msg import OperatorInput
from vital_teleop import key_motion
from vital_teleop.device import Button, DeviceSample
from vital_teleop.devices import gamepad as gamepad_module
from vital_teleop.devices.gamepad import DEAD_ZONE, EVENT_AXIS, EVENT_BUTTON, EVENT_INIT, FULL, STICKS, Gamepad
from vital_teleop.devices.keyboard import Keyboard
from vital_teleop.following import FRAMES, Box, FollowConfig, Follower
from vital_teleop.operation import LONGEST_PERIOD_S, LOST_AFTER_S, Mode, Operation
from vital_teleop.teleop_messages import FASTEST, WIDEST_GRIPPER, hand_of

ARM = pose_of.point_down([0.45, 0.0, 0.2], 0.3)
BOX = Box((0.28, -0.25, 0.02), (0.64, 0.25, 0.45))


def speeds(twist: np.ndarray) -> tuple[float, float]:
    """Largest of the translations, m/s, and of the rotations, rad/s."""
    return float(np.abs(twist[:3]).max()), float(np.abs(twist[3:]).max())


# Devices.


class Stream:
    """A gamepad and the end that its events are written to."""

    def __init__(self) -> None:
        self.ours, self.driver = os.pipe()
        self.gamepad = Gamepad(fd=self.ours)
        self.gamepad.open()

    def send(self, kind: int, number: int, value: int) -> None:
        os.write(self.driver, struct.pack("<IhBB", 0, value, kind, number))

    def close(self) -> None:
        os.close(self.ours)
        os.close(self.driver)


@pytest.fixture(scope="module")
def stick():
    stream = Stream()
    yield stream
    stream.close()


kinds = st.sampled_from([EVENT_AXIS, EVENT_BUTTON, EVENT_AXIS | EVENT_INIT, EVENT_BUTTON | EVENT_INIT, 0x7F, 0])


@given(st.lists(st.tuples(kinds, st.integers(0, 255), st.integers(-32767, 32767)), max_size=60))
def test_no_sequence_of_events_moves_faster_than_the_gamepad_may(stick, events):
    for event in events:
        stick.send(*event)
    sample = stick.gamepad.poll()
    metres, radians = speeds(sample.twist)
    assert metres <= gamepad_module.SPEED_M_S + 1e-9 and radians <= gamepad_module.SPEED_RAD_S + 1e-9
    assert sample.gripper in (0.0, 1.0) and set(sample.buttons) <= set(Button)


@given(st.sampled_from(sorted(STICKS)), st.integers(-32767, 32767), st.integers(0, 2000))
def test_stick_is_even_on_both_sides_still_in_its_dead_zone_and_without_a_leap_at_its_edge(stick, axis, value, more):
    def moved(at: int) -> np.ndarray:
        for number in range(8):
            stick.send(EVENT_AXIS, number, -32767 if number in (2, 5) else 0)
        for button in range(11):
            stick.send(EVENT_BUTTON, button, 0)
        stick.send(EVENT_AXIS, axis, at)
        return stick.gamepad.poll().twist

    twist = moved(value)
    np.testing.assert_allclose(moved(-value), -twist, atol=1e-12)
    assert np.count_nonzero(twist) == (abs(value) > DEAD_ZONE * FULL)
    further = moved(min(32767, abs(value) + more))
    assert np.abs(further).max() >= np.abs(twist).max()
    most = gamepad_module.SPEED_RAD_S * more / FULL / (1 - DEAD_ZONE)
    assert np.abs(further).max() - np.abs(twist).max() <= most + 1e-12


@pytest.fixture(scope="module")
def terminal():
    person, ours = pty.openpty()
    keyboard = Keyboard(ours)
    keyboard.open()
    yield person, keyboard
    keyboard.close()
    os.close(person)
    os.close(ours)


@given(st.text(st.characters(exclude_characters="\x00\x03\x04\x11\x13\x1a\x1c"), max_size=30), st.booleans())
def test_whatever_is_typed_moves_one_axis_at_most_and_every_stop_among_it_counts(terminal, text, stop):
    person, keyboard = terminal
    typed = text.replace("x", "").replace("\x1b", "") + ("x" if stop else "")
    os.write(person, typed.encode(errors="ignore"))
    sample = keyboard.poll()
    metres, radians = speeds(sample.twist)
    assert np.count_nonzero(sample.twist) <= 1
    assert metres <= key_motion.SPEED_M_S and radians <= key_motion.SPEED_RAD_S
    assert sample.buttons.count(Button.STOP) == stop


# Following.

numbers = st.floats(-1.0, 1.0)
vectors = st.tuples(numbers, numbers, numbers)
poses = st.builds(lambda p, r: pose_of.from_vector(np.array(p), np.array(r)), vectors, vectors)


@settings(max_examples=20)
@given(poses, vectors, st.floats(0.0, 0.01), st.sampled_from(FRAMES))
def test_hand_that_turns_all_the_way_round_turns_the_target_without_a_leap(hand, axis, extra_rad, frame):
    """Past half a turn a rotation's shortest vector changes its sign: the target must not notice."""
    axis = np.add(axis, (0.0, 0.0, 2.0))
    axis /= np.linalg.norm(axis)
    step_rad = 2 * np.pi / 63 + extra_rad
    follower = Follower(FollowConfig(frame=frame), ARM)
    before = ARM
    for i in range(64):
        follower.follow_pose(hand @ pose_of.from_vector((0, 0, 0), i * step_rad * axis))
        target = follower.t_base_target
        assert pose_of.distance(before, target)[1] <= step_rad + 1e-6
        np.testing.assert_allclose(target[:3, :3] @ target[:3, :3].T, np.eye(3), atol=1e-9)
        before = target


@given(poses, poses, vectors)
def test_in_the_tcps_frame_only_the_hands_own_motion_counts(hand, elsewhere, shift):
    motion = pose_of.from_vector(0.01 * np.array(shift), 0.1 * np.array(shift))
    targets = []
    for start in (hand, elsewhere @ hand):
        follower = Follower(FollowConfig(frame="tcp"), ARM)
        follower.follow_pose(start)
        follower.follow_pose(start @ motion)
        targets.append(follower.t_base_target)
    np.testing.assert_allclose(targets[0], targets[1], atol=1e-9)
    np.testing.assert_allclose(targets[0], ARM @ motion, atol=1e-9)


@given(vectors, st.floats(0.0, 0.05))
def test_what_is_brought_into_the_box_is_inside_by_the_margin_and_what_is_inside_stays(position, margin_m):
    pose = pose_of.point_down(position)
    inside, changed = BOX.clamped(pose, margin_m)
    assert (inside[:3, 3] >= np.array(BOX.lower_m) + margin_m - 1e-12).all()
    assert (inside[:3, 3] <= np.array(BOX.upper_m) - margin_m + 1e-12).all()
    np.testing.assert_array_equal(inside[:3, :3], pose[:3, :3])
    again, moved = BOX.clamped(inside, margin_m)
    np.testing.assert_array_equal(again, inside)
    assert not moved and changed == bool((inside != pose).any())


# Operation: any life of clutch, ownership, signs of life and measured arm.

lives = st.lists(
    st.tuples(
        st.booleans(),  # clutch
        st.booleans(),  # owner
        st.sampled_from([0.0, 0.1, LOST_AFTER_S + 0.01]),  # age of the sign of life
        st.booleans(),  # the arm is measured
        st.sampled_from([0.01, 1 / 30, 5.0]),  # since the last step
        st.booleans(),  # the gate takes the arm away
    ),
    max_size=40,
)


@settings(max_examples=80)
@given(lives, st.tuples(vectors, vectors))
def test_no_command_without_clutch_arm_and_a_living_hand_and_none_beyond_leash_or_speed(life, twist):
    config = FollowConfig()
    operation, now_s, opened = Operation(config, BOX), 10.0, True
    fastest = 0.1 * np.concatenate(twist)
    for clutch, owner, age_s, measured, seconds, taken in life:
        now_s += seconds
        if taken:
            operation.forfeit()
        lost = age_s > LOST_AFTER_S
        opened = (opened and not taken and not lost) or (not clutch and not lost)
        before = operation.t_base_target
        sample = DeviceSample(now_s - age_s, clutch, None, fastest)
        step = operation.step(sample, now_s, ARM if measured else None, owner=owner)
        assert (step.delta is not None) == (clutch and owner and measured and opened and not lost)
        assert step.wants_arm == (clutch and opened and not lost) and step.mode is operation.mode
        assert (step.mode is Mode.LOST) == lost and (step.mode is Mode.ENGAGED) == (step.delta is not None)
        if step.delta is None:
            continue
        assert np.linalg.norm(step.delta[:3]) <= config.leash_m + 1e-9
        assert np.linalg.norm(step.delta[3:]) <= config.leash_rad + 1e-6
        moved = pose_of.distance(ARM if before is None else before, operation.t_base_target)[0]
        most_m = 0.0 if before is None else LONGEST_PERIOD_S * np.linalg.norm(fastest[:3])
        assert moved <= most_m + 1e-9, "the first step moves nothing, a late one no more than its time"


@given(vectors, st.floats(0.001, 60.0))
def test_a_late_sample_is_no_leap(direction, pause_s):
    operation, velocity_m_s = Operation(FollowConfig(), BOX), 0.1 * np.array(direction)
    for now_s in (10.0, 10.0 + pause_s):
        twist = np.concatenate([velocity_m_s, np.zeros(3)])
        step = operation.step(DeviceSample(now_s, True, None, twist), now_s, ARM, owner=True)
    expected_m = min(pause_s, LONGEST_PERIOD_S) * np.linalg.norm(velocity_m_s)
    assert np.linalg.norm(step.delta[:3]) == pytest.approx(expected_m, abs=1e-9)


# Messages.


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("kind", 7, "kind is 7"),
        ("twist.linear.x", float("nan"), "twist"),
        ("twist.angular.z", -1.01 * FASTEST, "of at most 20 in size"),
        ("gripper", WIDEST_GRIPPER + 0.01, "gripper"),
        ("gripper", float("inf"), "gripper"),
        ("pose.orientation.w", 0.0, "the hand"),
        ("pose.position.y", float("nan"), "the hand"),
        ("pose.position.y", 1e6, "the hand"),
    ],
)
def test_hand_that_cannot_be_is_refused_by_what_is_wrong_with_it(field, value, words):
    message = OperatorInput(kind=OperatorInput.POSE if "pose" in field else OperatorInput.TWIST, gripper=1.0)
    message.pose.orientation.w = 1.0
    *path, name = field.split(".")
    part = message
    for step in path:
        part = getattr(part, step)
    setattr(part, name, value)
    with pytest.raises(VitalError, match=words) as refusal:
        hand_of(message)
    assert refusal.value.code is ErrorCode.BAD_MESSAGE


def test_what_a_message_does_not_speak_of_is_not_read():
    silent = OperatorInput(kind=OperatorInput.NONE, gripper=0.5, clutch=True, event=Button.START)
    silent.twist.linear.x = silent.pose.position.x = float("nan")
    assert hand_of(silent) == {"clutch": True, "pose": None, "twist": None, "gripper": 0.5, "button": Button.START}
