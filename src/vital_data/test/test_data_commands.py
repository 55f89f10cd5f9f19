"""`vital_data plot` and `convert`, as an operator calls them."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from vital_core.files.video import read_video
from vital_core.pose import point_down
from vital_data import cli
from vital_data.convert.lerobot_reader import LeRobotReader
from vital_data.convert.session_writer import SessionWriter
from vital_data.dataset import synthetic
from vital_data.dataset.actions import ActionSource
from vital_data.dataset.dataset import load_demonstrations
from vital_data.dataset.feature_map import load_feature_map
from vital_data.inspect.traces import force_proxy, speed_trace, step_trace, tactile_trace

safetensors = pytest.importorskip("safetensors.numpy")
TASK = "usb_insertion"


@pytest.fixture(scope="module")
def session(tmp_path_factory) -> Path:
    writer = SessionWriter(tmp_path_factory.mktemp("commands") / "session", TASK, {})
    for number in range(3):
        writer.add(synthetic.streams(40, number), {"faults": ["camera dark"]} if number == 2 else {})
    return writer.folder


def vital_data(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.main([str(argument) for argument in arguments])
    return int(ended.value.code or 0)


def test_session_to_lerobot_and_back_is_exact(session, tmp_path):
    assert vital_data("convert", "--to", "lerobot", session, tmp_path / "a") == 0
    assert vital_data("convert", "--from", "lerobot", tmp_path / "a", tmp_path / "back") == 0
    assert vital_data("convert", "--to", "lerobot", tmp_path / "back", tmp_path / "b") == 0
    first, second = (list(LeRobotReader(tmp_path / name, load_feature_map())) for name in "ab")
    assert len(first) == 2  # the faulty one stays behind
    for before, after in zip(first, second, strict=True):
        np.testing.assert_array_equal(after.frames.stamps_ns, before.frames.stamps_ns)
        for name, values in before.frames.columns.items():
            np.testing.assert_array_equal(after.frames.columns[name], values)
    assert load_demonstrations(tmp_path / "back", TASK).episodes == 2


def test_all_converts_faulty_episodes_too_and_they_stay_marked(session, tmp_path):
    assert vital_data("convert", "--all", "--to", "lerobot", session, tmp_path / "a") == 0
    assert vital_data("convert", "--from", "lerobot", tmp_path / "a", tmp_path / "back") == 0
    demos = load_demonstrations(tmp_path / "back", TASK)
    assert demos.episodes == 2 and demos.excluded == {"back/episode_0002": "camera dark"}


def test_existing_folder_is_refused_with_exit_code_2(session, tmp_path, capsys):
    (tmp_path / "a").mkdir()
    assert vital_data("convert", "--to", "lerobot", session, tmp_path / "a") == 2
    assert "is there already" in capsys.readouterr().err


def test_scripted_demonstrations_become_a_session_with_what_was_demonstrated_and_intended(tmp_path):
    frames = 30
    poses = np.stack([point_down((0.45, 0.0, 0.2 - 0.001 * k), 0.002 * k) for k in range(frames + 10)])
    rng = np.random.default_rng(0)
    arrays = {
        "image": rng.integers(0, 256, (frames, 128, 128, 3), dtype=np.uint8),
        "tactile_ut": rng.normal(0, 20, (frames, 15)).astype(np.float32),
        "t_base_tcp": poses[:frames],
        "t_base_tcp_target": poses[1 : frames + 1],
        "t_base_tcp_intended": poses[6 : frames + 6],
        "t_base_tcp_demonstrated": poses[7 : frames + 7],
        "gripper": np.ones(frames, np.float32),
    }
    header = {
        "format": "vital_demo/1",
        "task": TASK,
        "frame": "link_tcp",
        "rate_hz": "30",
        "seed": "4",
        "success": "true",
    }
    (tmp_path / "demos").mkdir()
    safetensors.save_file(arrays, tmp_path / "demos/episode_0000.safetensors", header)
    assert vital_data("convert", "--from", "scripted", tmp_path / "demos", tmp_path / "session") == 0
    demos = load_demonstrations(tmp_path / "session", TASK)
    assert len(demos) == frames - 4
    np.testing.assert_array_equal(demos.image, arrays["image"][:-4])
    np.testing.assert_array_equal(demos.tactile_ut, arrays["tactile_ut"][:-4])
    intended = load_demonstrations(tmp_path / "session", TASK, action_source=ActionSource.INTENDED)
    for found, ahead in ((demos, 7), (intended, 6)):
        np.testing.assert_allclose(found.actions[:, 0, 2], 0.001 * ahead, atol=1e-12)
        np.testing.assert_allclose(found.actions[:, 0, 5], ahead * 0.002 * -1, atol=1e-9)


def test_page_sheet_and_film_are_drawn(session, tmp_path):
    assert vital_data("plot", session, "--episode", 1, "--out", tmp_path) == 0
    page = cv2.imread(str(tmp_path / "episode_0001.png"))
    assert page.shape[1] > 1000 and page.std() > 10
    assert vital_data("plot", session, "--sheet", "--out", tmp_path) == 0
    assert cv2.imread(str(tmp_path / "contact_sheet.png")).shape == (3 * (128 + 18 + 4), 8 * 128, 3)
    assert vital_data("plot", session, "--episode", 0, "--mp4", "--out", tmp_path) == 0
    assert read_video(tmp_path / "episode_0000.mp4").shape == (40, 384, 960, 3)
    assert not (tmp_path / "episode_0002.png").exists()


def test_episode_that_is_not_there_is_refused(session, tmp_path, capsys):
    assert vital_data("plot", session, "--episode", 9, "--out", tmp_path) == 2
    assert "has no episode 9, expected 0 to 2" in capsys.readouterr().err


def test_traces_are_in_the_units_they_name():
    streams = synthetic.streams(60, jitter_s=0.0)
    np.testing.assert_allclose(speed_trace(streams).values[10:], 1000 * synthetic.SPEED_M_S, rtol=1e-3)
    field = tactile_trace(streams)
    assert field.values.shape[1] == 15 and abs(field.values.mean()) < 1.0
    largest = np.linalg.norm(field.values.reshape(-1, 5, 3), axis=2).max(1)
    np.testing.assert_allclose(force_proxy(streams).values[:, 0], largest)
    steps = step_trace(streams)
    np.testing.assert_allclose(steps.values[:, :3], 1000 * streams["/vital/command"].values["translation_m"])
    assert steps.seconds[0] == pytest.approx(0.005)


def test_traces_of_an_episode_without_the_topics_are_empty():
    streams = {k: v for k, v in synthetic.streams(40).items() if k == "/wrist_camera/image_raw"}
    for trace in (tactile_trace(streams), force_proxy(streams), step_trace(streams), speed_trace(streams)):
        assert len(trace.seconds) == 0
