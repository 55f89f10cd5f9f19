"""A target comes through its message as it was, and nonsense does not come through at all."""

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from hypothesis import given
from hypothesis import strategies as st

from vital_core.errors import ErrorCode, VitalError
from vital_core.target import SYMMETRIES, Target, TargetYaw
from vital_ros.target_message import target_message, target_of

NOW = Time(sec=5)
numbers = st.tuples(*[st.floats(-5.0, 5.0)] * 3)
yaws = st.none() | st.builds(TargetYaw, st.floats(-3.2, 3.2), st.floats(0.0, 1.0), st.sampled_from(SYMMETRIES))


@given(numbers, st.lists(st.floats(-0.1, 0.1), min_size=9, max_size=9), yaws, st.floats(-1.5, 1.5))
def test_a_target_survives_its_message(point, spread, yaw, tilt):
    normal = np.array([np.sin(tilt), 0.0, np.cos(tilt)])
    target = Target(np.array(point), np.reshape(spread, (3, 3)), yaw, normal, 0.02)
    message = target_message(target, NOW)
    assert (message.header.frame_id, message.header.stamp) == ("link_base", NOW)
    again = target_of(message)
    np.testing.assert_array_equal(again.point_m, target.point_m)
    np.testing.assert_array_equal(again.covariance_m2, target.covariance_m2)
    np.testing.assert_array_equal(again.normal, normal)
    assert (again.yaw, again.normal_std_rad) == (yaw, 0.02)


def damaged(**fields):
    message = target_message(Target(np.zeros(3), yaw=TargetYaw(0.1, 0.02)), NOW)
    for name, value in fields.items():
        setattr(message, name, value)
    return message


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"yaw_rad": float("nan")}, "expected finite numbers"),
        ({"yaw_std_rad": -1.0}, "expected finite numbers"),
        ({"symmetry": 3}, "symmetry of 1, 2, 4"),
        ({"covariance": [float("inf")] * 9}, "covariance"),
        ({"covariance": [4.0] * 9}, "at most 1 in size"),
    ],
)
def test_nonsense_is_refused_by_code(fields, told):
    with pytest.raises(VitalError, match=told) as refusal:
        target_of(damaged(**fields))
    assert refusal.value.code is ErrorCode.BAD_PARAMETER


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1e9])
def test_a_place_that_is_none_is_refused(value):
    message = damaged()
    message.position.y = value
    with pytest.raises(VitalError, match="expected finite values"):
        target_of(message)


def test_another_frame_and_a_normal_that_is_none_are_refused():
    message = damaged()
    message.header.frame_id = "camera"
    with pytest.raises(VitalError, match="in 'camera', expected 'link_base'"):
        target_of(message)
    message = damaged()
    message.normal.z = 0.5
    with pytest.raises(VitalError, match=r"normal of length 0\.5"):
        target_of(message)
    message.normal.z = 0.0
    assert np.isnan(target_of(message).normal_std_rad)
