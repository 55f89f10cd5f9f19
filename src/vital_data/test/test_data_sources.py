"""Where a training set's episodes come from: what is used, in which order, and why something is not."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from vital_core.errors import ErrorCode, VitalError
from vital_core.pose import point_down
from vital_data.convert.convert_command import from_scripted_demos
from vital_data.convert.session_writer import SessionWriter
from vital_data.dataset import synthetic
from vital_data.dataset.episode_source import episode_sources, why_not_usable
from vital_data.dataset.scripted_demos import read_scripted_demo, scripted_frames
from vital_data.files.session import EpisodeEntry, Session
from vital_data.files.streams import COMMAND_TOPIC, IMAGE_TOPIC, INTENDED_TOPIC, POSE_TOPIC, TARGET_TOPIC

TASK = "usb_insertion"
HEADER = {"format": "vital_demo/1", "task": TASK, "frame": "link_tcp", "rate_hz": "30", "seed": "4", "success": "true"}


def arrays(frames: int = 6, **changed: np.ndarray) -> dict[str, np.ndarray]:
    """What a scripted demonstration's file holds."""
    poses = np.stack([point_down((0.45, 0.0, 0.2 - 0.001 * k), 0.0) for k in range(frames + 1)])
    made = {
        "image": np.zeros((frames, 128, 128, 3), np.uint8),
        "tactile_ut": np.zeros((frames, 15), np.float32),
        "t_base_tcp": poses[:frames],
        "t_base_tcp_target": poses[1:],
        "gripper": np.ones(frames, np.float32),
    }
    return made | changed


@pytest.fixture
def demo(tmp_path):
    """Writes a scripted demonstration's file."""

    def write(content: dict[str, np.ndarray], number: int = 0, **header: str) -> Path:
        path = tmp_path / f"episode_{number:04d}.safetensors"
        save_file({name: np.ascontiguousarray(a) for name, a in content.items()}, path, HEADER | header)
        return path

    return write


def test_scripted_demonstration_steps_lead_from_the_measured_pose_to_the_target(demo):
    streams = read_scripted_demo(demo(arrays()), 0).streams
    assert set(streams) >= {IMAGE_TOPIC, POSE_TOPIC, TARGET_TOPIC, COMMAND_TOPIC} and INTENDED_TOPIC not in streams
    np.testing.assert_allclose(streams[COMMAND_TOPIC].values["translation_m"], [[0.0, 0.0, 0.001]] * 6, atol=1e-12)
    assert (streams[COMMAND_TOPIC].stamps_ns > streams[IMAGE_TOPIC].stamps_ns).all()


def test_scripted_demonstrations_stay_of_their_view_and_are_of_one(demo, tmp_path):
    demo(arrays(), 0, wrist_view="fisheye")
    from_scripted_demos(tmp_path, tmp_path / "session")
    assert Session.open(tmp_path / "session").wrist_view == "fisheye"
    demo(arrays(), 1, wrist_view="window")
    with pytest.raises(VitalError, match="show fisheye, window, expected one") as refused:
        from_scripted_demos(tmp_path, tmp_path / "other")
    assert refused.value.code is ErrorCode.BAD_DATASET and not (tmp_path / "other").exists()


def test_scripted_demonstrations_of_a_folder_do_not_overlap_in_time(demo):
    ends = [read_scripted_demo(demo(arrays(), number), number).streams[IMAGE_TOPIC].stamps_ns for number in range(3)]
    assert all(before[-1] < after[0] for before, after in pairwise(ends))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"image": np.zeros((6, 64, 64, 3), np.uint8)}, "image is U8"),
        ({"tactile_ut": np.zeros((6, 12), np.float32)}, "tactile_ut is F32"),
        ({"gripper": np.ones(5, np.float32)}, "gripper is F32"),
        ({"t_base_tcp": np.zeros((6, 4, 4), np.int64)}, "t_base_tcp is I64"),
    ],
)
def test_scripted_demonstration_of_other_shapes_is_refused(demo, changed, said):
    path = demo(arrays(**changed))
    for read in (lambda: read_scripted_demo(path, 0), lambda: scripted_frames(path)):
        with pytest.raises(VitalError, match=said) as refused:
            read()
        assert refused.value.code is ErrorCode.BAD_DATASET


@pytest.mark.parametrize("header", [{"format": "vital_demo/9"}, {"frame": "link_base"}, {"rate_hz": "10"}])
def test_scripted_demonstration_of_another_kind_is_refused_with_got_and_expected(demo, header):
    ((name, value),) = header.items()
    with pytest.raises(VitalError, match=f"{name} is '{value}', expected '{HEADER[name]}'"):
        read_scripted_demo(demo(arrays(), **header), 0)


def test_scripted_demonstration_without_an_array_is_refused_by_name(demo):
    content = arrays()
    del content["gripper"]
    with pytest.raises(VitalError, match="has no gripper"):
        read_scripted_demo(demo(content), 0)


def test_sources_of_several_folders_come_in_their_order(demo, tmp_path):
    for number in range(2):
        demo(arrays(), number)
    writer = SessionWriter(tmp_path / "s", TASK, {})
    for seed, entry in enumerate(({}, {"outcome": "failure"}, {})):
        writer.add({COMMAND_TOPIC: synthetic.streams(5, seed)[COMMAND_TOPIC]}, entry)
    sources, excluded = episode_sources([tmp_path / "s", tmp_path], TASK)
    assert [source.path.name for source in sources] == [
        "episode_0000.mcap", "episode_0002.mcap", "episode_0000.safetensors", "episode_0001.safetensors",
    ]  # fmt: skip
    assert excluded == {"s/episode_0001": "outcome failure"}
    assert [source.images() for source in sources] == [0, 0, 6, 6]
    assert not any(source.tells_demonstrated() or source.tells_foreground() for source in sources)


@given(
    st.booleans(),
    st.sampled_from(["success", "failure", "aborted", ""]),
    st.lists(st.sampled_from(["CAMERA_DARK: 40 %", "STREAM_GAP: 1 s"]), max_size=2).map(tuple),
)
def test_episode_that_is_left_out_has_every_reason_named(redo, outcome, faults):
    entry = EpisodeEntry(0, Path("/s/episode_0000.mcap"), outcome, faults, redo)
    why = why_not_usable(entry)
    assert ("marked redo" in why) == redo and all(fault in why for fault in faults)
    assert ("outcome" in why) == (outcome != "success")
    assert (why == "not usable") == entry.usable
