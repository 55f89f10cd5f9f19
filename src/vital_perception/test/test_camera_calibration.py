"""Hand-eye calibration on synthetic poses and images."""

import json
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest

from vital_core import pose as pose_of
from vital_core.arm import kinematics
from vital_core.arm.xarm7 import HOME_RAD
from vital_core.errors import ErrorCode, VitalError
from vital_core.files.calibration_file import read_calibration
from vital_core.files.camera_mounting import read_mountings
from vital_core.files.date_text import now
from vital_perception.calibration.board import Board, Lens
from vital_perception.calibration.calibrate_scene_camera import FRAMES, run
from vital_perception.calibration.calibration_session import CalibrationFolder
from vital_perception.calibration.hand_eye import solve
from vital_perception.calibration.stillness import Stillness

X = pose_of.from_vector((1.05, 0.1, 0.55), (-1.9, 1.9, -0.7))
Y = pose_of.from_vector((0.02, -0.01, 0.08), (0.2, 0.1, 0.4))


def poses(count: int, noise_m: float, seed: int, tilt_rad: float = 0.4) -> tuple[list, list]:
    """a and b of ``a @ Y = X @ b``; b with noise in place and, at half a metre, in turn."""
    rng = np.random.default_rng(seed)
    a, b = [], []
    for _ in range(count):
        pose = pose_of.from_vector(rng.uniform([0.3, -0.2, 0.2], [0.6, 0.2, 0.5]), rng.normal(0, tilt_rad, 3))
        jitter = pose_of.from_vector(rng.normal(0, noise_m, 3), rng.normal(0, noise_m / 0.5, 3))
        a.append(pose)
        b.append(pose_of.inverse(X) @ pose @ Y @ jitter)
    return a, b


@pytest.mark.parametrize("seed", range(5))
def test_without_noise_the_answer_is_exact(seed):
    found = solve(*poses(10, 0.0, seed))
    distance_m, turn_rad = pose_of.distance(found.x, X)
    assert distance_m < 1e-6 and turn_rad < 1e-6 and found.rms_m < 1e-6


@pytest.mark.parametrize("seed", range(10))
def test_with_a_millimetre_of_noise_the_camera_is_found_to_within_its_stated_uncertainty(seed):
    found = solve(*poses(20, 0.001, seed))
    distance_m, turn_rad = pose_of.distance(found.x, X)
    assert 0.0003 < found.uncertainty_m < 0.003
    assert distance_m < 4 * found.uncertainty_m and turn_rad < 0.006
    # Six independent errors a pose: sqrt(6) mm, less what the twelve unknowns take up.
    assert found.rms_m == pytest.approx(0.001 * np.sqrt(6 - 12 / 20), rel=0.25)


def test_one_pose_gone_wrong_is_named_and_hardly_counts():
    a, b = poses(16, 0.0005, 3)
    b[5] = b[5] @ pose_of.from_vector((0.012, 0, 0), (0, 0, 0))
    found = solve(a, b)
    assert found.outliers() == [5]
    assert pose_of.distance(found.x, X)[0] < 0.003


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        (*poses(7, 0.0, 0), "at least 8"),
        (*poses(20, 0.0, 0, tilt_rad=0.01), "turned by at most"),
        (*poses(20, 0.02, 0), "contradict each other"),
    ],
)
def test_bad_geometry_is_refused_with_what_to_do(a, b, words):
    with pytest.raises(VitalError, match=words) as refusal:
        solve(a, b)
    assert refusal.value.code is ErrorCode.NO_CALIBRATION


def test_turning_about_one_axis_only_is_refused():
    rng = np.random.default_rng(0)
    a = [pose_of.from_vector(rng.uniform(-0.2, 0.2, 3), (0, 0, angle)) for angle in np.linspace(-1, 1, 12)]
    with pytest.raises(VitalError, match="about a second axis"):
        solve(a, [pose_of.inverse(X) @ p @ Y for p in a])


# Images.

LENSES = {
    "plumb_bob": Lens(np.array([[610.0, 0, 320], [0, 610.0, 240], [0, 0, 1]]), "plumb_bob", np.zeros(5)),
    "equidistant": Lens(np.array([[300.0, 0, 320], [0, 300.0, 240], [0, 0, 1]]), "equidistant", np.zeros(4)),
}
BOARD = Board(5, 4, 0.04, 0.03)


@cache
def _rays(model: str) -> np.ndarray:
    lens = LENSES[model]
    u, v = np.meshgrid(np.arange(640.0), np.arange(480.0))
    pixels = np.stack([u, v], axis=-1).reshape(-1, 1, 2)
    straighten = cv2.fisheye.undistortPoints if model == "equidistant" else cv2.undistortPoints
    return np.column_stack([straighten(pixels, lens.matrix, lens.distortion).reshape(-1, 2), np.ones(len(pixels))])


def photograph(t_camera_board: np.ndarray, lens: Lens, board: Board = BOARD) -> np.ndarray:
    """(480, 640) of the board on grey, as the lens sees it."""
    printed = board.image(32)
    rays = _rays(lens.model)
    # Where each ray meets the board's plane, in the board's axes.
    r, t = t_camera_board[:3, :3], t_camera_board[:3, 3]
    depth = (r[:, 2] @ t) / (rays @ r[:, 2])
    on_board = (rays * depth[:, None] - t) @ r
    px = (on_board[:, :2] / board.square_m * 32 - 0.5).astype(np.float32).reshape(480, 640, 2)
    image = cv2.remap(printed, px[..., 0], px[..., 1], cv2.INTER_LINEAR, borderValue=128)
    return cv2.GaussianBlur(image, (3, 3), 0)


@pytest.mark.parametrize("model", LENSES)
def test_board_is_found_to_within_a_millimetre(model):
    t_camera_board = pose_of.from_vector((-0.08, -0.06, 0.3), (0.25, -0.3, 0.1))
    found = BOARD.find(photograph(t_camera_board, LENSES[model]), LENSES[model])
    assert found is not None
    distance_m, turn_rad = pose_of.distance(found, t_camera_board)
    assert distance_m < 0.002 and turn_rad < 0.01


def test_image_without_the_board_gives_none():
    assert BOARD.find(np.full((480, 640), 128, np.uint8), LENSES["plumb_bob"]) is None


def record(folder: Path, mount: str, count: int = 12) -> np.ndarray:
    """A recorded session of a camera whose place is returned."""
    rng = np.random.default_rng(4)
    lens = LENSES["plumb_bob"]
    session = CalibrationFolder(folder)
    session.begin(lens, "camera_color_optical_frame" if mount == "scene" else "wrist_camera_optical_frame")
    home = kinematics.forward(HOME_RAD)
    seen = pose_of.from_vector((-0.1, -0.08, 0.5), (0.0, 0.0, 0.0))
    t_tcp_board = pose_of.from_vector((0.0, 0.05, 0.06), (0.3, 0.0, 0.0))
    t_tcp_camera = pose_of.from_vector((0.06, 0.0, -0.06), (0.1, 0.0, -1.57))
    x = home @ t_tcp_board @ pose_of.inverse(seen) if mount == "scene" else t_tcp_camera
    t_base_board = home @ t_tcp_camera @ seen
    kept = 0
    while kept < count:
        joints = HOME_RAD + rng.normal(0, 0.10, 7) * [0.3, 0.3, 0.5, 0.3, 2.0, 2.0, 2.0]
        tcp = kinematics.forward(joints)
        scene = pose_of.inverse(x) @ tcp @ t_tcp_board
        board = scene if mount == "scene" else pose_of.inverse(tcp @ x) @ t_base_board
        image = photograph(board, lens)
        if BOARD.find(image, lens) is not None:
            session.add(np.repeat(image[..., None], 3, axis=2), joints)
            kept += 1
    return x


@pytest.mark.parametrize("mount", ["scene", "wrist"])
def test_command_finds_the_camera_and_writes_the_file(tmp_path, capsys, mount):
    x = record(tmp_path / "images", mount)
    file = tmp_path / "calibration.yaml"
    file.write_text("other: {parent: link_base, xyz: [0, 0, 1], quaternion: [0, 0, 0, 1]}\n")
    board = ["--columns", "5", "--rows", "4", "--square", "0.04", "--marker", "0.03"]
    assert run(["solve", str(tmp_path / "images"), str(file), "--mount", mount, *board]) == 0
    assert "residual" in capsys.readouterr().out
    other, found = read_calibration(file)
    assert other.child == "other" and found.parent == ("link_base" if mount == "scene" else "link_tcp")
    assert found.child == FRAMES[mount]
    distance_m, turn_rad = pose_of.distance(found.t_parent_child, x)
    assert distance_m < 0.005 and turn_rad < 0.01
    assert 0.0 < found.residual_mm < 5.0 and 0.0 < found.uncertainty_mm < 5.0
    assert 0.0 <= found.age_s(now()) < 600.0


def test_images_that_do_not_say_when_they_were_taken_give_a_calibration_without_a_date(tmp_path, capsys):
    record(tmp_path / "images", "scene")
    lens = tmp_path / "images" / "camera.json"
    lens.write_text(json.dumps({k: v for k, v in json.loads(lens.read_text()).items() if k != "recorded_at"}))
    board = ["--columns", "5", "--rows", "4", "--square", "0.04", "--marker", "0.03"]
    assert run(["solve", str(tmp_path / "images"), str(tmp_path / "c.yaml"), *board]) == 0
    assert "do not say when they were taken" in capsys.readouterr().out
    assert read_calibration(tmp_path / "c.yaml")[0].measured_at is None


@pytest.mark.parametrize("mount", ["scene", "wrist"])
def test_command_marks_a_camera_as_mounted_anew(tmp_path, mount):
    file = tmp_path / "mountings.yaml"
    assert run(["mounted", str(file), "--mount", mount, "--at", "2026-01-02T03:04:05+00:00"]) == 0
    assert read_mountings(file)[FRAMES[mount]] == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert run(["mounted", str(file), "--mount", mount]) == 0
    assert 0.0 <= (now() - read_mountings(file)[FRAMES[mount]]).total_seconds() < 600.0


@pytest.mark.parametrize(("at", "words"), [("monday", "is no date"), ("2999-01-01", "has not come yet")])
def test_command_refuses_a_mounting_at_no_moment_of_the_past(tmp_path, capsys, at, words):
    assert run(["mounted", str(tmp_path / "m.yaml"), "--at", at]) == 2
    assert words in capsys.readouterr().err and not (tmp_path / "m.yaml").exists()


def test_command_refuses_a_recording_that_is_too_short(tmp_path, capsys):
    record(tmp_path / "images", "scene", count=3)
    board = ["--columns", "5", "--rows", "4", "--square", "0.04", "--marker", "0.03"]
    assert run(["solve", str(tmp_path / "images"), str(tmp_path / "c.yaml"), *board]) == 2
    assert "NO_CALIBRATION 27" in capsys.readouterr().err and not (tmp_path / "c.yaml").exists()


def test_command_writes_a_board_in_which_the_board_is_found(tmp_path):
    assert run(["board", str(tmp_path / "board.png")]) == 0
    image = cv2.imread(str(tmp_path / "board.png"), cv2.IMREAD_GRAYSCALE)
    image = cv2.copyMakeBorder(image, 60, 60, 60, 60, cv2.BORDER_CONSTANT, value=255)
    lens = Lens(np.array([[900.0, 0, 400], [0, 900.0, 300], [0, 0, 1]]), "plumb_bob", np.zeros(5))
    assert Board().find(image, lens) is not None


@pytest.mark.parametrize("broken", ["", "{", '{"frame": "c"}', '{"matrix": 1, "model": "m", "distortion": 2}'])
def test_broken_recording_is_refused_by_its_name(tmp_path, capsys, broken):
    (tmp_path / "camera.json").write_text(broken)
    assert run(["solve", str(tmp_path), str(tmp_path / "c.yaml")]) == 2
    assert "camera.json" in capsys.readouterr().err


def test_pose_is_kept_once_the_arm_has_rested_somewhere_new():
    still, home = Stillness(), np.asarray(HOME_RAD)
    assert [still.observe(home + 0.01 * i, 0.1 * i) for i in range(10)] == [False] * 10
    there = home + 0.09
    assert not still.observe(there, 1.5) and still.observe(there, 2.0)
    still.keep(there)
    assert not still.observe(there, 9.0)


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("camera.json", '{"frame": "c", "matrix": [[1, 0], [0, 1]], "model": "plumb_bob", "distortion": []}', "matrix"),
        ("camera.json", '{"frame": "c", "matrix": 1, "model": "plumb_bob", "distortion": []}', "matrix is 1"),
        ("camera.json", "[" * 100_000, "cannot be read"),
        ("poses.json", '[{"picture": "../../x.png", "joints_rad": [0, 0, 0, 0, 0, 0, 0]}]', "picture is"),
        ("poses.json", '[{"picture": "x.png", "joints_rad": [0, 0, 0, 0, 0, 0]}]', "joints_rad"),
        ("poses.json", '[{"picture": "x.png", "joints_rad": [0, 0, 0, 0, 0, 0, 1e9]}]', "joints_rad"),
    ],
    ids=range(6),
)
def test_recording_with_nonsense_is_refused_by_name(tmp_path, file, text, words):
    folder = CalibrationFolder(tmp_path)
    folder.begin(LENSES["plumb_bob"], "c")
    (tmp_path / file).write_text(text)
    with pytest.raises(VitalError, match=words) as refusal:
        folder.lens(), folder.poses()
    assert refusal.value.code is ErrorCode.NO_CALIBRATION and file in refusal.value.message
