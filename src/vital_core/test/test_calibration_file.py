"""The calibration file: what is written is read, and nothing is read that no camera can be."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vital_core import pose as pose_of
from vital_core.errors import ErrorCode, VitalError
from vital_core.files.calibration_file import FARTHEST_M, read_calibration, write_calibration

POSES = st.builds(pose_of.from_vector, st.tuples(*[st.floats(-2.8, 2.8)] * 3), st.tuples(*[st.floats(-1.7, 1.7)] * 3))
NEAR = pose_of.from_vector((1.05, 0.1, 0.55), (-1.9, 1.9, -0.7))
OTHER = pose_of.from_vector((0.02, -0.01, 0.08), (0.2, 0.1, 0.4))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(POSES)
def test_a_pose_comes_back_to_a_hundredth_of_a_millimetre(tmp_path, pose):
    path = tmp_path / "calibration.yaml"
    write_calibration(path, "camera", "link_base", pose, {})
    (found,) = read_calibration(path)
    assert (found.parent, found.child) == ("link_base", "camera")
    apart_m, apart_rad = pose_of.distance(pose, found.t_parent_child)
    assert apart_m < 1e-5 and apart_rad < 1e-6


def test_a_new_entry_takes_the_place_of_the_old_one_and_leaves_the_others(tmp_path):
    path = tmp_path / "calibration.yaml"
    write_calibration(path, "a", "link_base", NEAR, {"residual_mm": 0.5})
    write_calibration(path, "b", "link_tcp", OTHER, {})
    write_calibration(path, "a", "link_base", OTHER, {})
    a, b = read_calibration(path)
    assert (a.child, b.child) == ("a", "b") and a.residual_mm is None
    np.testing.assert_allclose(a.t_parent_child, OTHER, atol=1e-5)
    np.testing.assert_allclose(b.t_parent_child, OTHER, atol=1e-5)


def test_notes_of_a_person_are_kept_and_not_read(tmp_path):
    path = tmp_path / "calibration.yaml"
    write_calibration(path, "camera", "link_base", NEAR, {"by": "Ada", "residual_mm": 0.4, "poses": 14})
    write_calibration(path, "wrist", "link_tcp", OTHER, {})
    assert "by: Ada" in path.read_text() and len(read_calibration(path)) == 2


@pytest.mark.parametrize(
    "written", ["2026-11-26T10:00:00+01:00", "'2026-11-26T10:00:00+01:00'", "2026-11-26 09:00:00Z"]
)
def test_when_it_was_measured_is_read_however_yaml_is_written(tmp_path, written):
    path = tmp_path / "calibration.yaml"
    path.write_text(
        f"c: {{parent: p, xyz: [1, 0, 0], quaternion: [0, 0, 0, 1], residual_mm: 0.8, measured_at: {written}}}"
    )
    (found,) = read_calibration(path)
    assert found.measured_at == datetime(2026, 11, 26, 9, tzinfo=UTC)
    now = datetime(2026, 11, 29, 9, tzinfo=UTC)
    assert found.age_s(now) == 3 * 86400.0
    assert found.told(now) == "calibration of c 3 days old, residual 0.80 mm"


def test_a_calibration_that_says_nothing_of_itself_is_of_unknown_age(tmp_path):
    path = tmp_path / "calibration.yaml"
    write_calibration(path, "camera", "link_base", NEAR, {})
    (found,) = read_calibration(path)
    assert np.isnan(found.age_s(datetime.now(UTC)))
    assert found.told(datetime.now(UTC)) == "calibration of camera of unknown age, residual not known"


def test_nothing_is_written_over_a_file_that_is_no_calibration(tmp_path):
    path = tmp_path / "calibration.yaml"
    path.write_text("- a list\n")
    with pytest.raises(VitalError, match="expected entries"):
        write_calibration(path, "camera", "link_base", NEAR, {})
    assert path.read_text() == "- a list\n"


def test_a_camera_further_away_than_any_is_refused(tmp_path):
    path = tmp_path / "calibration.yaml"
    write_calibration(path, "camera", "link_base", pose_of.from_vector((FARTHEST_M + 0.1, 0, 0), np.zeros(3)), {})
    with pytest.raises(VitalError, match="is it in mm here"):
        read_calibration(path)


def test_a_ring_of_frames_is_refused(tmp_path):
    path = tmp_path / "calibration.yaml"
    for child, parent in (("a", "b"), ("b", "c"), ("c", "a")):
        write_calibration(path, child, parent, NEAR, {})
    with pytest.raises(VitalError, match="hangs on itself"):
        read_calibration(path)


@pytest.mark.parametrize("make", ["missing", "folder"])
def test_a_file_that_cannot_be_read_is_named(tmp_path, make):
    path = tmp_path / "calibration.yaml"
    if make == "folder":
        path.mkdir()
    with pytest.raises(VitalError, match=r"calibration\.yaml: cannot be read") as refusal:
        read_calibration(path)
    assert refusal.value.code is ErrorCode.NO_CALIBRATION


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("c: {parent: p, xyz: [1050, 0, 550], quaternion: [0, 0, 0, 1]}", "in mm"),
        ("c: {parent: p, xyz: [1, 0, .nan], quaternion: [0, 0, 0, 1]}", r"xyz\[2\] is nan"),
        ("c: {parent: p, xyz: [1, 0, 0], quaternion: [0, 0, 0, 2]}", "length"),
        ("c: {parent: p, xyz: [1, 0], quaternion: [0, 0, 0, 1]}", "expected entries"),
        ("c: {xyz: [1, 0, 0], quaternion: [0, 0, 0, 1]}", "expected entries"),
        ("c: {parent: p, xyz: [1, 0, 0], quaternion: [0, 0, 0, '1']}", r"quaternion\[3\] is '1', expected `float`"),
        ("c: {parent: p, xyz: [1, 0, 0], quaternion: [0, 0, 0, 1], residual_mm: .nan}", "residual_mm is nan"),
        ("c: {parent: p, xyz: [1, 0, 0], quaternion: [0, 0, 0, 1], residual_mm: 35}", "residual_mm is 35"),
        ("c: {parent: p, xyz: [1, 0, 0], quaternion: [0, 0, 0, 1], how: [1]}", "got `array`"),
        ("c: {parent: p, xyz: [1, 0, 0], quaternion: [0, 0, 0, 1], measured_at: yesterday}", "'yesterday' is no date"),
        ("c: {parent: p, xyz: [1, 0, 0], quaternion: [0, 0, 0, 1], measured_at: 20261126}", "measured_at is 20261126"),
        ("c: {parent: c, xyz: [1, 0, 0], quaternion: [0, 0, 0, 1]}", "hangs on itself"),
        ("c: {parent: p, parent: q, xyz: [1, 0, 0], quaternion: [0, 0, 0, 1]}", "given twice"),
        ("c: &a {parent: p, xyz: [1, 0, 0], quaternion: [0, 0, 0, 1]}\nd: *a", "alias"),
        ("c: " + "[" * 40, "nested deeper"),
        ("2024-13-45", "cannot be read"),
        ("- 1", "expected entries"),
        ("", "expected entries"),
    ],
)
def test_bad_file_is_refused(tmp_path, text, words):
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(VitalError, match=words) as refusal:
        read_calibration(path)
    assert refusal.value.code is ErrorCode.NO_CALIBRATION
