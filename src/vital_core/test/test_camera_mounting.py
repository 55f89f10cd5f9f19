"""A calibration from before its camera was mounted is refused, and so is one of which nobody can tell."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from vital_core.errors import ErrorCode, VitalError
from vital_core.files.calibration_file import CameraCalibration
from vital_core.files.camera_mounting import check_calibration, check_calibrations, read_mountings, write_mounting
from vital_core.files.date_text import told_age

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def measured(at: datetime | None) -> CameraCalibration:
    return CameraCalibration("link_base", "camera", np.eye(4), 0.5, 0.4, at)


@pytest.mark.parametrize(
    ("measured_at", "mounted_at"),
    [(NOW - DAY, NOW - 2 * DAY), (NOW - DAY, NOW - DAY), (NOW - DAY, None), (None, None), (NOW + DAY / 48, NOW)],
)
def test_a_calibration_since_the_mounting_is_taken(measured_at, mounted_at):
    check_calibration(measured(measured_at), mounted_at, NOW)


@pytest.mark.parametrize(
    ("measured_at", "mounted_at", "words"),
    [
        (NOW - 2 * DAY, NOW - DAY, "its calibration is older, of .*: calibrate it again"),
        (None, NOW - DAY, "does not say when it was measured"),
        (NOW + DAY, NOW - DAY, "the calibration of camera is of .* set the clock, or the date in the file"),
        (NOW + DAY, None, "the calibration of camera is of"),
        (NOW - DAY, NOW + DAY, "the mounting of camera is of"),
    ],
    ids=[
        "older than the mounting",
        "of unknown age",
        "of tomorrow",
        "of tomorrow, mounting unknown",
        "mounted tomorrow",
    ],
)
def test_one_that_may_be_of_before_the_mounting_is_refused(measured_at, mounted_at, words):
    with pytest.raises(VitalError, match=words) as refusal:
        check_calibration(measured(measured_at), mounted_at, NOW)
    assert refusal.value.code is ErrorCode.NO_CALIBRATION


def test_each_camera_is_held_against_its_own_mounting(tmp_path):
    path = tmp_path / "mountings.yaml"
    write_mounting(path, "another", NOW)
    check_calibrations([measured(NOW - DAY)], path, NOW)
    write_mounting(path, "camera", NOW - DAY / 2)
    assert read_mountings(path) == {"another": NOW, "camera": NOW - DAY / 2}
    with pytest.raises(VitalError, match="its calibration is older"):
        check_calibrations([measured(NOW - DAY)], path, NOW)
    check_calibrations([measured(NOW - DAY)], None, NOW)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "cannot be read"),
        ("", "expected entries"),
        ("- camera", "expected entries"),
        ("camera: {}", "lacks mounted_at"),
        ("camera: {mounted_at: 5}", "mounted_at is 5"),
        ("camera: {mounted_at: on monday}", "'on monday' is no date"),
        ("camera: {mounted_at: 2026-11-20, by: Ada}", "'by' is unknown"),
        ("camera: {mounted_at: 2026-13-45}", "mounted_at|cannot be read"),
    ],
)
def test_a_broken_mounting_file_is_refused(tmp_path, text, words):
    path = tmp_path / "mountings.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(VitalError, match=words) as refusal:
        read_mountings(path)
    assert refusal.value.code is ErrorCode.NO_CALIBRATION


def test_nothing_is_written_over_a_file_that_is_no_mounting(tmp_path):
    path = tmp_path / "mountings.yaml"
    path.write_text("camera: {mounted_at: on monday}\n")
    with pytest.raises(VitalError, match="is no date"):
        write_mounting(path, "another", NOW)
    assert path.read_text() == "camera: {mounted_at: on monday}\n"


@pytest.mark.parametrize(
    ("age_s", "words"), [(-5.0, "0 s"), (90.0, "90 s"), (600.0, "10 minutes"), (7300.0, "2 hours"), (2e6, "23 days")]
)
def test_an_age_is_told_in_the_unit_that_suits_it(age_s, words):
    assert told_age(age_s) == words
