"""Closing the clutch moves nothing, wherever the hand is; the target stays on its leash and in its box."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vital_core import pose as pose_of
from vital_teleop.device import DeviceSample
from vital_teleop.following import FRAMES, Box, FollowConfig, Follower
from vital_teleop.operation import LOST_AFTER_S, Mode, Operation

BOX = Box((0.28, -0.25, 0.02), (0.64, 0.25, 0.45))
ARM = pose_of.point_down([0.45, 0.0, 0.2], 0.3)
numbers = st.floats(-1.0, 1.0)
vectors = st.tuples(numbers, numbers, numbers)
poses = st.builds(lambda p, r: pose_of.from_vector(np.array(p), np.array(r)), vectors, vectors)
configs = st.builds(
    FollowConfig,
    frame=st.sampled_from(FRAMES),
    scale=st.floats(0.1, 2.0),
    rotation_scale=st.floats(0.1, 2.0),
)


def small(vector, scale):
    return scale * np.array(vector)


@given(configs, poses)
def test_closing_the_clutch_moves_nothing(config, hand):
    follower = Follower(config, ARM)
    follower.follow_pose(hand)
    np.testing.assert_array_equal(follower.t_base_target, ARM)


@given(configs, poses, vectors, vectors)
def test_target_moves_as_far_as_the_hand_times_the_scale(config, hand, shift, turn):
    moved = hand.copy()
    moved[:3, 3] += small(shift, 0.02)
    moved[:3, :3] = pose_of.from_vector(np.zeros(3), small(turn, 0.05))[:3, :3] @ hand[:3, :3]
    follower = Follower(config, ARM)
    follower.follow_pose(hand)
    follower.follow_pose(moved)
    distance, angle = pose_of.distance(ARM, follower.t_base_target)
    assert distance == pytest.approx(config.scale * np.linalg.norm(small(shift, 0.02)), abs=1e-9)
    assert angle == pytest.approx(config.rotation_scale * np.linalg.norm(small(turn, 0.05)), abs=1e-6)


@given(configs, st.lists(vectors, min_size=1, max_size=20))
def test_target_stays_on_its_leash_and_in_its_box(config, shifts):
    follower = Follower(config, ARM)
    hand = np.eye(4)
    for shift in shifts:
        hand = hand.copy()
        hand[:3, 3] += small(shift, 0.3)
        follower.follow_pose(hand)
        follower.hold_to(ARM, BOX)
        distance, angle = pose_of.distance(ARM, follower.t_base_target)
        assert distance <= config.leash_m + 1e-9 and angle <= config.leash_rad + 1e-6
        p = follower.t_base_target[:3, 3]
        assert (p >= BOX.lower_m).all() and (p <= BOX.upper_m).all()


def test_hand_that_ran_ahead_need_not_come_all_the_way_back():
    follower = Follower(FollowConfig(), ARM)
    hand = np.eye(4)
    follower.follow_pose(hand)
    hand = pose_of.from_vector([0.5, 0, 0], [0, 0, 0])
    follower.follow_pose(hand)
    assert follower.hold_to(ARM, BOX)
    hand = pose_of.from_vector([0.49, 0, 0], [0, 0, 0])
    follower.follow_pose(hand)
    assert follower.t_base_target[0, 3] == pytest.approx(ARM[0, 3] + FollowConfig().leash_m - 0.01)


def test_base_motion_is_the_bases_and_tcp_motion_the_tcps():
    for frame, expected in (("base", [0.01, 0.0, 0.0]), ("tcp", ARM[:3, :3] @ [0.01, 0.0, 0.0])):
        follower = Follower(FollowConfig(frame=frame), ARM)
        follower.follow_twist(np.array([0.1, 0, 0, 0, 0, 0]), 0.1)
        np.testing.assert_allclose(follower.t_base_target[:3, 3] - ARM[:3, 3], expected, atol=1e-12)


@pytest.mark.parametrize("wrong", [{"frame": "world"}, {"scale": 0.0}, {"leash_m": -1.0}])
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        FollowConfig(**wrong)


class Hand:
    """Steps an operation, 30 times a second."""

    def __init__(self):
        self.operation, self.now_s = Operation(FollowConfig(), BOX), 10.0

    def step(self, *, clutch, owner=False, alive=True, arm=ARM, pose=None):
        self.now_s += 1 / 30
        alive_s = self.now_s if alive else self.now_s - LOST_AFTER_S - 0.1
        sample = DeviceSample(alive_s, clutch, np.eye(4) if pose is None else pose)
        return self.operation.step(sample, self.now_s, arm, owner=owner)


def test_arm_is_asked_for_waited_for_followed_and_given_back():
    hand = Hand()
    assert hand.step(clutch=False).mode is Mode.IDLE
    waiting = hand.step(clutch=True)
    assert waiting.mode is Mode.WAITING and waiting.wants_arm and waiting.delta is None
    first = hand.step(clutch=True, owner=True)
    assert first.mode is Mode.ENGAGED and np.abs(first.delta).max() < 1e-9
    moved = hand.step(clutch=True, owner=True, pose=pose_of.from_vector([0.005, 0, 0], [0, 0, 0]))
    assert np.linalg.norm(moved.delta[:3]) == pytest.approx(0.005)
    back = hand.step(clutch=False, owner=True)
    assert back.mode is Mode.IDLE and not back.wants_arm and back.delta is None


def test_no_command_without_knowing_where_the_arm_is():
    hand = Hand()
    assert hand.step(clutch=True, owner=True, arm=None).delta is None


def test_still_hand_is_alive_and_a_dead_device_is_lost():
    hand = Hand()
    hand.step(clutch=True)
    for _ in range(100):
        assert hand.step(clutch=True, owner=True).mode is Mode.ENGAGED
    lost = hand.step(clutch=True, owner=True, alive=False)
    assert lost.mode is Mode.LOST and not lost.wants_arm
    assert hand.step(clutch=True, owner=False).mode is Mode.IDLE  # back, with the clutch still closed
    hand.step(clutch=False)
    assert hand.step(clutch=True).mode is Mode.WAITING


def test_arm_taken_away_is_not_asked_for_before_the_clutch_opened():
    hand = Hand()
    hand.step(clutch=True, owner=True)
    hand.operation.forfeit()
    assert not hand.step(clutch=True).wants_arm
    hand.step(clutch=False)
    assert hand.step(clutch=True).wants_arm


def test_engaging_again_elsewhere_starts_where_the_arm_is():
    hand = Hand()
    hand.step(clutch=True, owner=True)
    hand.step(clutch=False)
    elsewhere = pose_of.point_down([0.5, 0.1, 0.3])
    step = hand.step(clutch=True, owner=True, arm=elsewhere, pose=pose_of.from_vector([3, 2, 1], [1, 0, 0]))
    assert np.abs(step.delta).max() < 1e-9
