"""Fixed frames: any chain, both directions, and a plain refusal."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vital_core import pose as pose_of
from vital_core.errors import ErrorCode, VitalError
from vital_vlm_reach.localisation.frames import FixedFrames

numbers = st.tuples(*[st.floats(-2.0, 2.0)] * 3)


@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=5))
@settings(max_examples=40, deadline=None)
def test_a_chain_of_frames_is_the_product_of_its_transforms(steps):
    frames, product = FixedFrames(), np.eye(4)
    for i, (position, turn) in enumerate(steps):
        step = pose_of.from_vector(position, turn)
        frames.add(f"f{i}", f"f{i + 1}", step)
        product = product @ step
    last = f"f{len(steps)}"
    np.testing.assert_allclose(frames.pose("f0", last), product, atol=1e-9)
    np.testing.assert_allclose(frames.pose(last, "f0"), pose_of.inverse(product), atol=1e-9)


def test_a_calibration_straight_to_the_optical_frame_beats_the_cameras_own_tree():
    frames, calibrated = FixedFrames(), pose_of.from_vector((1, 0, 0.5), (0, 0, 0))
    frames.add("camera_link", "optical", pose_of.from_vector((0, 0.015, 0), (0, 0, 0)))
    frames.add("link_base", "optical", calibrated)
    np.testing.assert_allclose(frames.pose("link_base", "optical"), calibrated)


def test_a_newer_transform_takes_the_place_of_an_older():
    frames = FixedFrames()
    frames.add("a", "b", np.eye(4))
    moved = pose_of.from_vector((0.1, 0, 0), (0, 0, 0))
    frames.add("a", "b", moved)
    np.testing.assert_allclose(frames.pose("a", "b"), moved)


def test_frames_that_are_not_connected_are_refused_by_name():
    frames = FixedFrames()
    frames.add("map", "camera", np.eye(4))
    with pytest.raises(VitalError, match=r"'camera' is in 'link_base'.*camera, map") as refusal:
        frames.pose("link_base", "camera")
    assert refusal.value.code is ErrorCode.NO_CALIBRATION
