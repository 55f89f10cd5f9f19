"""A target's yaw: which of those that look the same, and what is no yaw."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vital_core import pose as pose_of
from vital_core.errors import ErrorCode, VitalError
from vital_core.target import SYMMETRIES, Target, TargetYaw, hand_yaw_rad

angles = st.floats(-20.0, 20.0)


def apart(a: float, b: float, period: float = 2 * np.pi) -> float:
    return abs((a - b + period / 2) % period - period / 2)


@given(angles, angles, st.sampled_from(SYMMETRIES))
def test_the_nearest_of_the_yaws_that_look_the_same_is_taken(yaw, hand, symmetry):
    found = TargetYaw(yaw, 0.01, symmetry).nearest(hand)
    assert apart(found, yaw, 2 * np.pi / symmetry) < 1e-9
    assert apart(found, hand) <= np.pi / symmetry + 1e-9
    assert -np.pi <= found <= np.pi


@given(angles)
def test_over_a_target_of_unknown_turn_the_hand_stays_as_it_is(hand):
    assert apart(Target(np.zeros(3)).yaw_for(hand), hand) < 1e-9


@given(st.floats(-3.1, 3.1), st.floats(-3.1, 3.1))
def test_what_the_hand_was_turned_to_is_the_yaw_from_then_on(yaw, hand):
    target = Target(np.zeros(3), yaw=TargetYaw(yaw, 0.02, 2))
    turned = target.turned(target.yaw_for(hand))
    assert turned.yaw is not None and (turned.yaw.symmetry, turned.yaw.std_rad) == (1, 0.02)
    assert apart(turned.yaw_for(hand + 3.0), target.yaw_for(hand)) < 1e-9


@given(st.floats(-3.1, 3.1))
def test_the_yaw_of_a_hand_that_points_down_is_the_one_it_was_given(yaw):
    assert hand_yaw_rad(pose_of.point_down((0.4, 0.1, 0.2), yaw)) == pytest.approx(yaw)


@pytest.mark.parametrize(
    ("yaw", "std", "symmetry"), [(float("nan"), 0.1, 1), (0.0, -0.1, 1), (0.0, float("nan"), 1), (0.0, 0.1, 3)]
)
def test_what_is_no_yaw_is_refused(yaw, std, symmetry):
    with pytest.raises(VitalError, match="expected finite numbers") as refusal:
        TargetYaw(yaw, std, symmetry)
    assert refusal.value.code is ErrorCode.BAD_PARAMETER
