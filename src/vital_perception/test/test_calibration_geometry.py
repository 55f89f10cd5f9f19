"""What the calibration promises whatever the geometry: an answer that moves with its frames, lenses, rest, folders."""

import json

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vital_core import pose as pose_of
from vital_core.arm import kinematics
from vital_core.arm.xarm7 import HOME_RAD
from vital_core.errors import ErrorCode, VitalError
from vital_perception.calibration.board import Board, Lens
from vital_perception.calibration.calibrate_scene_camera import report, run
from vital_perception.calibration.calibration_session import CalibrationFolder, Found
from vital_perception.calibration.hand_eye import HandEye, solve
from vital_perception.calibration.stillness import ANOTHER_POSE_RAD, STILL_RAD, STILL_S, Stillness

MATRIX = np.array([[610.0, 0, 320], [0, 605.0, 240], [0, 0, 1]])
numbers = st.floats(-1.0, 1.0)
poses = st.builds(pose_of.from_vector, st.tuples(numbers, numbers, numbers), st.tuples(numbers, numbers, numbers))


def recorded(x: np.ndarray, y: np.ndarray, count: int = 10, seed: int = 0) -> tuple[list, list]:
    """a and b of ``a @ y = x @ b``, without noise."""
    rng = np.random.default_rng(seed)
    a = [pose_of.from_vector(rng.uniform(-0.2, 0.2, 3), rng.normal(0, 0.5, 3)) for _ in range(count)]
    return a, [pose_of.inverse(x) @ p @ y for p in a]


@settings(max_examples=6)
@given(poses, poses, poses)
def test_camera_moves_with_the_base_and_the_board_with_its_own_frame(x, y, moved):
    a, b = recorded(x, y)
    found = solve([moved @ p for p in a], b)
    assert max(pose_of.distance(found.x, moved @ x)) < 1e-5 and max(pose_of.distance(found.y, y)) < 1e-5
    found = solve(a, [q @ moved for q in b])
    assert max(pose_of.distance(found.x, x)) < 1e-5 and max(pose_of.distance(found.y, y @ moved)) < 1e-5


def test_order_of_the_poses_changes_nothing_but_the_residuals_places():
    order = np.random.default_rng(2).permutation(10)
    x, y = pose_of.from_vector((1.0, 0.1, 0.5), (-1.9, 1.9, -0.7)), pose_of.from_vector((0, 0, 0.08), (0.2, 0.1, 0.4))
    a, b = recorded(x, y)
    b[4] = b[4] @ pose_of.from_vector((0.001, 0, 0), (0, 0, 0))
    straight, shuffled = solve(a, b), solve([a[i] for i in order], [b[i] for i in order])
    assert max(pose_of.distance(straight.x, shuffled.x)) < 1e-6
    np.testing.assert_allclose(shuffled.residuals_m, straight.residuals_m[order], atol=1e-7)


def test_poses_that_do_not_pair_or_are_not_finite_are_refused():
    a, b = recorded(np.eye(4), np.eye(4))
    with pytest.raises(VitalError, match="10 poses of the arm and 9 of the board"):
        solve(a, b[:-1])
    b[3] = np.full((4, 4), np.nan)
    with pytest.raises(VitalError, match="not finite: record again") as refusal:
        solve(a, b)
    assert refusal.value.code is ErrorCode.NO_CALIBRATION


# Lenses.


@given(st.tuples(numbers, numbers), st.floats(-0.1, 0.1), st.floats(-0.05, 0.05))
def test_straightened_pixels_are_a_pinhole_cameras(direction, k1, k2):
    point = np.array([[[0.4 * direction[0], 0.3 * direction[1], 1.0]]])
    pinhole = (MATRIX @ point.ravel())[:2]
    still = np.zeros(3)
    bent, _ = cv2.projectPoints(point, still, still, MATRIX, np.array([k1, k2, 0, 0, 0.0]))
    lens = Lens(MATRIX, "plumb_bob", np.array([k1, k2, 0, 0, 0.0]))
    np.testing.assert_allclose(lens.straighten(bent.reshape(-1, 1, 2)).ravel(), pinhole, atol=0.05)
    bent, _ = cv2.fisheye.projectPoints(point, still, still, MATRIX, np.array([k1, k2, 0, 0.0]))
    fisheye = Lens(MATRIX, "equidistant", np.array([k1, k2, 0, 0.0]))
    np.testing.assert_allclose(fisheye.straighten(bent.reshape(-1, 1, 2)).ravel(), pinhole, atol=0.05)


@pytest.mark.parametrize(
    ("matrix", "model", "words"),
    [
        (np.zeros((3, 3)), "plumb_bob", "not calibrated"),
        (np.full((3, 3), np.nan), "plumb_bob", "not calibrated"),
        (np.eye(4), "plumb_bob", "not calibrated"),
        (MATRIX, "pinhole", "expected plumb_bob"),
    ],
)
def test_lens_that_is_not_calibrated_is_refused_before_anything_is_measured_with_it(matrix, model, words):
    with pytest.raises(VitalError, match=words) as refusal:
        Lens(matrix, model, np.zeros(5))
    assert refusal.value.code is ErrorCode.NO_CALIBRATION


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"columns": 2}, "3 squares"),
        ({"marker_m": 0.03, "square_m": 0.03}, "smaller than squares"),
        ({"square_m": 30.0, "marker_m": 22.0}, "in metres"),
        ({"dictionary": "CharucoBoard"}, "DICT_5X5_100"),
        ({"dictionary": "DICT_9X9_9"}, "DICT_5X5_100"),
    ],
)
def test_board_that_cannot_be_is_refused(options, words):
    with pytest.raises(VitalError, match=words) as refusal:
        Board(**options)
    assert refusal.value.code is ErrorCode.BAD_PARAMETER


@pytest.mark.parametrize("picture", ["grey", "noise", "a corner of the board"])
def test_board_that_is_not_seen_well_has_no_pose(picture):
    image = np.full((480, 640), 128, np.uint8)
    if picture == "noise":
        image = np.random.default_rng(0).integers(0, 256, (480, 640), dtype=np.uint8)
    if picture == "a corner of the board":
        image[:140, :140] = Board().image(70)[:140, :140]
    assert Board().find(image, Lens(MATRIX, "plumb_bob", np.zeros(5))) is None


# Rest.


@settings(max_examples=30)
@given(st.floats(1.2, 50.0), st.integers(2, 100), st.integers(0, 6))
def test_joint_that_creeps_faster_than_the_bound_never_rests_however_often_it_is_measured(factor, rate_hz, joint):
    still = Stillness()
    speed = factor * STILL_RAD / STILL_S + 1e-3
    for i in range(5 * rate_hz):
        joints = np.array(HOME_RAD)
        joints[joint] += speed * i / rate_hz
        assert not still.observe(joints, i / rate_hz)


@settings(max_examples=30)
@given(st.lists(st.floats(-0.9 * STILL_RAD / 2, 0.9 * STILL_RAD / 2), min_size=7, max_size=7), st.integers(1, 100))
def test_noise_within_the_bound_is_rest_after_its_time_and_one_joint_elsewhere_is_another_pose(noise, rate_hz):
    still, home = Stillness(), np.array(HOME_RAD)
    said = [still.observe(home + (-1) ** i * np.array(noise), i / rate_hz) for i in range(2 * rate_hz + 1)]
    assert said == [i / rate_hz >= STILL_S for i in range(2 * rate_hz + 1)]
    still.keep(home)
    assert not still.observe(home, 10.0) and not still.observe(home, 12.0)
    elsewhere = home + 1.01 * ANOTHER_POSE_RAD * np.eye(7)[6]
    assert not still.observe(elsewhere, 13.0) and still.observe(elsewhere, 13.0 + STILL_S)


# The folder.


@settings(max_examples=20)
@given(st.lists(st.lists(st.floats(-6.0, 6.0), min_size=7, max_size=7), max_size=3), st.floats(0.1, 1e4))
def test_folder_gives_back_what_was_kept_in_order(tmp_path_factory, all_joints, fx):
    folder = CalibrationFolder(tmp_path_factory.mktemp("session"))
    matrix = MATRIX.copy()
    matrix[0, 0] = fx
    folder.begin(Lens(matrix, "plumb_bob", np.arange(5) / 7), "camera_frame")
    image = np.random.default_rng(1).integers(0, 256, (8, 12, 3), dtype=np.uint8)
    names = [folder.add(image, joints) for joints in all_joints]
    lens, frame = folder.lens()
    assert frame == "camera_frame" and lens.model == "plumb_bob"
    np.testing.assert_array_equal(lens.matrix, matrix)
    np.testing.assert_array_equal(lens.distortion, np.arange(5) / 7)
    assert [name for name, _ in folder.poses()] == names and len(set(names)) == len(names)
    for (name, t_base_tcp), joints in zip(folder.poses(), all_joints, strict=True):
        np.testing.assert_array_equal(t_base_tcp, kinematics.forward(np.array(joints)))
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(int)
        assert np.abs(folder.image(name) - grey).max() <= 1


@pytest.mark.parametrize("damage", ["missing", "truncated", "empty", "no image"])
def test_damaged_image_is_refused_by_its_name(tmp_path, damage):
    folder = CalibrationFolder(tmp_path)
    folder.begin(Lens(MATRIX, "plumb_bob", np.zeros(5)), "c")
    file = tmp_path / folder.add(np.zeros((32, 32, 3), np.uint8), HOME_RAD)
    whole = file.read_bytes()
    file.write_bytes({"truncated": whole[:30], "empty": b"", "no image": b"GIF89a" + whole}.get(damage, whole))
    if damage == "missing":
        file.unlink()
    with pytest.raises(VitalError, match=r"pose_000\.png") as refusal:
        folder.image("pose_000.png")
    assert refusal.value.code is ErrorCode.NO_CALIBRATION


def test_recording_is_never_written_over(tmp_path, capsys):
    (tmp_path / "poses.json").write_text(json.dumps([]))
    assert run(["record", str(tmp_path)]) == 2
    assert "holds a recording already: name another folder" in capsys.readouterr().err


def test_report_names_the_images_that_were_left_out_and_those_far_off():
    residuals_m = np.array([0.001, 0.001, 0.012, 0.001])
    hand_eye = HandEye(pose_of.from_vector((0.1, -0.2, 0.3), (0, 0, 0)), np.eye(4), residuals_m, 0.0004)
    images = tuple(f"pose_{i:03d}.png" for i in range(4))
    text = report(Found("link_base", "camera_color_optical_frame", hand_eye, images, ("pose_004.png",)))
    assert "camera_color_optical_frame in link_base: 100.0, -200.0, 300.0 mm" in text
    assert "residual 1.00 mm over 4 poses, place known to 0.40 mm" in text
    assert "left out: pose_004.png" in text and "hardly counted: pose_002.png (12.0 mm)" in text
