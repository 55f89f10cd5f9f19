"""Fixed frames: any chain, both directions, and a plain refusal."""

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vital_core import pose as pose_of
from vital_core.errors import ErrorCode, VitalError
from vital_core.files.calibration_file import write_calibration
from vital_core.files.camera_mounting import write_mounting
from vital_core.files.date_text import now
from vital_vlm_reach.localisation.calibrated_frames import CalibratedFrames
from vital_vlm_reach.localisation.frames import FixedFrames

NEAR = pose_of.from_vector((1.05, 0.1, 0.55), (-1.9, 1.9, -0.7))
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


def stated(folder, **notes) -> CalibratedFrames:
    file = folder / "calibration.yaml"
    write_calibration(file, "camera", "link_base", NEAR, notes)
    frames = CalibratedFrames(str(file), str(folder / "mountings.yaml"))
    frames.add("link_base", "camera", NEAR)
    return frames


def test_a_camera_is_asked_for_its_calibration_when_it_is_looked_through(tmp_path):
    write_mounting(tmp_path / "mountings.yaml", "camera", now() - timedelta(days=3))
    frames = stated(tmp_path, residual_mm=0.5, measured_at=(now() - timedelta(days=2)).isoformat())
    assert frames.told() == "" and np.isnan(frames.figures()).all()
    np.testing.assert_allclose(frames.pose("link_base", "camera"), NEAR)
    assert frames.told() == "calibration of camera 2 days old, residual 0.50 mm"
    assert frames.figures() == (pytest.approx(2 * 86400, abs=60), pytest.approx(0.0005))
    write_mounting(tmp_path / "mountings.yaml", "camera", now())
    for refused in (frames.check, lambda: frames.pose("link_base", "camera")):
        with pytest.raises(VitalError, match="its calibration is older") as refusal:
            refused()
        assert refusal.value.code is ErrorCode.NO_CALIBRATION


def test_a_camera_that_tf_static_puts_elsewhere_than_the_file_is_refused(tmp_path):
    write_mounting(tmp_path / "mountings.yaml", "another", now())
    frames = stated(tmp_path)
    frames.add("link_base", "camera", NEAR @ pose_of.from_vector((0.0, 0.003, 0.0), (0.0, 0.0, 0.0)))
    with pytest.raises(VitalError, match=r"3\.0 mm and 0\.0 mrad from where .*calibration.yaml does"):
        frames.pose("link_base", "camera")


@pytest.mark.parametrize("broken", ["calibration.yaml", "mountings.yaml"])
def test_files_that_break_later_refuse_every_look(tmp_path, broken):
    write_mounting(tmp_path / "mountings.yaml", "camera", now() - timedelta(days=3))
    frames = stated(tmp_path, measured_at=now().isoformat())
    frames.pose("link_base", "camera")
    (tmp_path / broken).write_text("- nonsense")
    with pytest.raises(VitalError, match=broken):
        frames.pose("link_base", "camera")
    assert broken == "mountings.yaml" or frames.told() == ""


def test_a_node_does_not_begin_with_a_calibration_of_before_the_mounting(tmp_path):
    write_mounting(tmp_path / "mountings.yaml", "camera", now())
    with pytest.raises(VitalError, match="does not say when it was measured"):
        stated(tmp_path)
