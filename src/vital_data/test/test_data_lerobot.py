"""LeRobotDataset v3: what is written comes back, bit for bit but for the images, and lerobot reads it."""

import dataclasses
import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from vital_core.errors import ErrorCode, VitalError
from vital_data.convert.lerobot_reader import LeRobotReader
from vital_data.convert.lerobot_writer import SourceEpisode, write_lerobot
from vital_data.dataset import synthetic
from vital_data.dataset.aligned_episode import AlignmentConfig, align
from vital_data.dataset.feature_map import FeatureMap, load_feature_map, parse_feature_map
from vital_data.dataset.frames import frames_of, streams_of

SENTENCE = "Insert the USB plug."
CAMERA = "observation.images.wrist"
# Mean and largest error of a pixel that the codec may make on the made-up images, which carry +-3 of grain.
CODEC_MEAN, CODEC_MOST = 2.5, 30


@pytest.fixture(scope="module")
def features() -> FeatureMap:
    return load_feature_map().without({"/vital/tcp_demonstrated", "/vital/tcp_intended"})


@pytest.fixture(scope="module")
def source(features) -> list[SourceEpisode]:
    return [
        SourceEpisode(SENTENCE, frames_of(synthetic.streams(40 + 7 * n, n), features), {"name": f"episode_{n:04d}"})
        for n in range(3)
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, features, source) -> Path:
    path = tmp_path_factory.mktemp("lerobot") / "set"
    assert write_lerobot(path, features, source) == sum(len(episode.frames) for episode in source)
    return path


def test_state_action_tactile_and_stamps_come_back_exactly_and_images_within_the_codecs_loss(folder, source):
    read = list(LeRobotReader(folder, load_feature_map()))
    assert [episode.sentence for episode in read] == [SENTENCE] * 3
    assert [episode.origin["name"] for episode in read] == [f"episode_{n:04d}" for n in range(3)]
    for before, after in zip(source, read, strict=True):
        np.testing.assert_array_equal(after.frames.stamps_ns, before.frames.stamps_ns)
        for name, values in before.frames.columns.items():
            assert after.frames.columns[name].dtype == values.dtype
            np.testing.assert_array_equal(after.frames.columns[name], values)
        error = np.abs(after.frames.videos[CAMERA].astype(int) - before.frames.videos[CAMERA])
        assert error.mean() < CODEC_MEAN and error.max() < CODEC_MOST


def test_frames_become_the_streams_that_the_trainer_reads(features):
    """What a session makes of its frames aligns to the same actions and readings as the session itself."""
    streams = synthetic.streams(60)
    again = streams_of(frames_of(streams, features), features)
    config = AlignmentConfig()
    before, after = align("a", streams, config), align("b", again, config)
    kept = np.isin(before.stamps_ns, after.stamps_ns)
    assert kept.sum() == len(after) >= 59
    shared = before.valid[kept] & after.valid
    # A target given after the last image has no frame to go with, so the last action ends a frame earlier.
    shared[np.flatnonzero(shared)[-1]] = False
    assert shared.sum() >= 53
    np.testing.assert_allclose(after.actions[shared], before.actions[kept][shared], atol=1e-12)
    np.testing.assert_array_equal(after.tactile_ut, before.tactile_ut[kept])


def test_action_belongs_to_the_image_that_it_answers(features):
    streams = synthetic.streams(40)
    frames = frames_of(streams, features)
    command = streams["/vital/command"]
    column = features.topics.index("/vital/command")
    assert (frames.stamps_ns[:, column] >= frames.stamps_ns[:, 0]).all()
    answer = np.searchsorted(command.stamps_ns, frames.stamps_ns[3, 0])
    np.testing.assert_array_equal(frames.columns["action"][3, :3], command.values["translation_m"][answer])


def test_images_before_the_first_reading_are_dropped_and_counted(features):
    streams = synthetic.streams(40, jitter_s=0.0)
    state = streams["/joint_states"]
    late = state.stamps_ns > state.stamps_ns[0] + 200_000_000
    streams["/joint_states"] = dataclasses.replace(
        state, stamps_ns=state.stamps_ns[late], values={k: v[late] for k, v in state.values.items()}
    )
    frames = frames_of(streams, features)
    assert frames.dropped > 5 and len(frames) == 40 - frames.dropped


def test_layout_is_version_3(folder):
    info = json.loads((folder / "meta/info.json").read_text())
    assert info["codebase_version"] == "v3.0" and info["fps"] == 30
    assert info["features"]["action"]["names"] == ["dx", "dy", "dz", "rx", "ry", "rz", "gripper"]
    assert (folder / "data/chunk-000/file-000.parquet").is_file()
    assert (folder / f"videos/{CAMERA}/chunk-000/file-002.mp4").is_file()
    episodes = pq.read_table(folder / "meta/episodes").to_pylist()
    assert [row["dataset_from_index"] for row in episodes] == [0, *np.cumsum([row["length"] for row in episodes])[:-1]]
    statistics = json.loads((folder / "meta/stats.json").read_text())
    assert np.shape(statistics[CAMERA]["mean"]) == (3, 1, 1) and statistics["action"]["count"] == [info["total_frames"]]


def test_a_folder_that_is_there_is_refused_and_left_as_it_was(folder, features, source):
    with pytest.raises(VitalError, match="is there already"):
        write_lerobot(folder, features, source)
    assert len(LeRobotReader(folder, features)) == 3


def test_an_interrupted_conversion_leaves_nothing(tmp_path, features, source):
    def broken():
        yield source[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_lerobot(tmp_path / "set", features, broken())
    assert not list(tmp_path.iterdir())


def test_missing_topic_is_refused_unless_the_map_calls_it_optional():
    features = load_feature_map()
    assert "tcp_intended" not in {f.name for f in features.without({"/vital/tcp_intended"}).features}
    with pytest.raises(VitalError, match=r"/vital/tcp_target, which feature tcp_target") as refused:
        features.without({"/vital/tcp_target"})
    assert refused.value.code is ErrorCode.BAD_DATASET


def _changed(change: str) -> str:
    text = (Path(synthetic.__file__).parents[1] / "config/lerobot_features.yaml").read_text()
    old, new = change.split(" -> ")
    assert old in text
    return text.replace(old, new)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("match: following -> match: closest", "match is 'closest'"),
        ("dtype: float32 -> dtype: float16", "dtype is 'float16', expected one of float32"),
        ("clock: /wrist_camera/image_raw -> clock: /tf", "the clock is /tf"),
        ("tcp_target: -> tcp/target:", "must not contain '/'"),
        ("robot_type: -> robot:", "lacks robot_type"),
        ("robot_type: -> robot: x\nrobot_type:", "'robot' is unknown"),
        ("frame_rate_hz: 30 -> frame_rate_hz: .inf", "frame_rate_hz is inf"),
    ],
)
def test_wrong_feature_map_is_refused(change, said):
    with pytest.raises(VitalError, match=said.replace("(", r"\(")):
        parse_feature_map(_changed(change))


def test_data_set_without_a_feature_of_the_map_is_refused_by_name(folder):
    other = parse_feature_map(_changed("  tcp_target: ->   tcp_goal:"))
    with pytest.raises(VitalError, match="has no feature tcp_goal, it has action"):
        LeRobotReader(folder, other)


def _run_lerobot(script: str, *arguments: Path) -> None:
    """Run a script beside this file with the Python that has lerobot, or skip."""
    python = os.environ.get("VITAL_LEROBOT_PYTHON")
    if not python:
        pytest.skip("VITAL_LEROBOT_PYTHON names no Python that has lerobot 0.4 or newer")
    clean = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "LD_LIBRARY_PATH")}
    environment = {**clean, "HF_HUB_OFFLINE": "1", "HF_HOME": str(arguments[-1].parent / "hub")}
    command = [python, str(Path(__file__).with_name(script)), *map(str, arguments)]
    subprocess.run(command, check=True, env=environment, timeout=120)


def test_what_lerobot_itself_wrote_is_read(folder, source, features, tmp_path):
    arrays = {"episodes": np.array(len(source))}
    for number, episode in enumerate(source):
        vectors = {**episode.frames.columns, **episode.frames.videos, features.stamps: episode.frames.stamps_ns}
        arrays |= {f"{number}/{name}": values for name, values in vectors.items()}
    np.savez(tmp_path / "arrays.npz", **arrays)
    _run_lerobot("lerobot_writes.py", folder / "meta/info.json", tmp_path / "arrays.npz", tmp_path / "theirs")
    read = list(LeRobotReader(tmp_path / "theirs", load_feature_map()))
    assert len(read) == len(source)
    for before, after in zip(source, read, strict=True):
        np.testing.assert_array_equal(after.frames.stamps_ns, before.frames.stamps_ns)
        for name, values in before.frames.columns.items():
            np.testing.assert_array_equal(after.frames.columns[name], values)
        error = np.abs(after.frames.videos[CAMERA].astype(int) - before.frames.videos[CAMERA])
        assert error.mean() < 2 * CODEC_MEAN  # lerobot compresses more than we do


def test_lerobot_itself_reads_it(folder, source, tmp_path):
    out = tmp_path / "seen.npz"
    _run_lerobot("lerobot_reads.py", folder, out)
    seen = np.load(out)
    said = json.loads(str(seen["said"]))
    lengths = [len(episode.frames) for episode in source]
    assert (said["episodes"], said["frames"], said["fps"]) == (3, sum(lengths), 30)
    assert set(said["tasks"]) == {SENTENCE}
    assert said["policy_features"]["action"] == ["ACTION", [7]]
    rows = said["chosen"]
    for name in ("observation.state", "observation.tactile", "tactile_baseline"):
        whole = np.concatenate([episode.frames.columns[name] for episode in source])
        np.testing.assert_array_equal(seen[name], whole[rows].astype(np.float32))
    actions = np.concatenate([episode.frames.columns["action"] for episode in source])
    np.testing.assert_array_equal(seen["action"][:, 0], actions[rows].astype(np.float32))
    np.testing.assert_array_equal(seen["action_is_pad"][-1], [False, True, True])
    stamps = np.concatenate([episode.frames.stamps_ns for episode in source])
    np.testing.assert_array_equal(seen["stamp_ns"], stamps[rows])
    images = np.concatenate([episode.frames.videos[CAMERA] for episode in source])[rows]
    error = np.abs(255 * seen[CAMERA].transpose(0, 2, 3, 1) - images)
    assert error.mean() < CODEC_MEAN and error.max() < CODEC_MOST


@pytest.mark.parametrize(
    "pattern", ["../../../etc/passwd", "/etc/passwd", "{chunk_index.__class__}", "{0}", "{", "meta", 7]
)
def test_data_set_cannot_lead_out_of_its_folder(folder, tmp_path, pattern):
    shutil.copytree(folder, tmp_path / "copy")
    path = tmp_path / "copy" / "meta/info.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "data_path": pattern}))
    with pytest.raises(VitalError) as refused:
        list(LeRobotReader(tmp_path / "copy", load_feature_map()))
    assert refused.value.code is ErrorCode.BAD_DATASET
