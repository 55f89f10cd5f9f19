"""Converted data sets: what one half wrote is refused by the other, and messages are those of the streams."""

import json
import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from vital_core.errors import ErrorCode, VitalError
from vital_data.convert.convert_command import from_lerobot, from_scripted_demos, to_lerobot
from vital_data.convert.lerobot_layout import file_of, vector_type
from vital_data.convert.lerobot_reader import LeRobotReader
from vital_data.convert.lerobot_statistics import column_statistics, flatten, video_statistics
from vital_data.convert.lerobot_writer import SourceEpisode, write_lerobot
from vital_data.convert.messages import MAKERS, messages_of
from vital_data.convert.session_writer import SessionWriter, episode_bytes
from vital_data.dataset import synthetic
from vital_data.dataset.feature_map import FeatureMap, load_feature_map
from vital_data.dataset.frames import frames_of, streams_of
from vital_data.files.episode_reader import read_episode
from vital_data.files.session import Session
from vital_data.files.streams import COMMAND_TOPIC, DEMONSTRATED_TOPIC, FOREGROUND_TOPIC, IMAGE_TOPIC, Stream

TASK = "usb_insertion"


@pytest.fixture(scope="module")
def features() -> FeatureMap:
    return load_feature_map().without({"/vital/tcp_demonstrated", "/vital/tcp_intended"})


@pytest.fixture(scope="module")
def whole(tmp_path_factory, features) -> Path:
    path = tmp_path_factory.mktemp("convert") / "set"
    write_lerobot(path, features, [SourceEpisode("Insert.", frames_of(synthetic.streams(15), features))])
    return path


@pytest.fixture
def copied(whole, tmp_path) -> Path:
    """The data set, to be spoilt."""
    return Path(shutil.copytree(whole, tmp_path / "set"))


def test_what_wrist_images_show_goes_along_both_ways(tmp_path, features):
    writer = SessionWriter(tmp_path / "wide", TASK, {"wrist_view": "fisheye"})
    writer.add(synthetic.streams(15), {})
    to_lerobot(tmp_path / "wide", tmp_path / "set", features)
    from_lerobot(tmp_path / "set", tmp_path / "back", features)
    assert Session.open(tmp_path / "back").wrist_view == "fisheye"


@pytest.mark.parametrize("lacking", ["meta/info.json", "meta/episodes", "data", "videos"])
def test_half_of_a_data_set_is_refused(copied, features, lacking):
    path = copied / lacking
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(VitalError) as refused:
        list(LeRobotReader(copied, features))
    assert refused.value.code is ErrorCode.BAD_DATASET and str(copied) in refused.value.message


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"codebase_version": "v2.1"}, "version is 'v2.1', expected 'v3.0'"),
        ({"codebase_version": None}, "expected 'v3.0'"),
        ({"fps": 10}, "10 frames/s, the feature map expects 30"),
    ],
)
def test_data_set_of_another_kind_is_refused_with_what_it_is(copied, features, change, said):
    info = copied / "meta/info.json"
    info.write_text(json.dumps(json.loads(info.read_text()) | change))
    with pytest.raises(VitalError, match=said) as refused:
        LeRobotReader(copied, features)
    assert refused.value.code is ErrorCode.BAD_DATASET


@pytest.mark.parametrize("text", ["", "[]", "{", '{"features": 3}', "null", "[" * 9000])
def test_description_that_is_none_is_refused(copied, features, text):
    (copied / "meta/info.json").write_text(text)
    with pytest.raises(VitalError) as refused:
        LeRobotReader(copied, features)
    assert refused.value.code is ErrorCode.BAD_DATASET


def test_feature_of_another_shape_is_refused(copied, features):
    info = json.loads((copied / "meta/info.json").read_text())
    info["features"]["action"]["shape"] = [6]
    (copied / "meta/info.json").write_text(json.dumps(info))
    with pytest.raises(VitalError, match=r"action has shape \(6,\), expected \(7,\)"):
        LeRobotReader(copied, features)


def test_video_that_is_none_is_refused(copied, features):
    info = json.loads((copied / "meta/info.json").read_text())
    info["features"]["observation.images.wrist"]["dtype"] = "image"
    (copied / "meta/info.json").write_text(json.dumps(info))
    with pytest.raises(VitalError, match=r"has no video observation\.images\.wrist"):
        LeRobotReader(copied, features)


def test_episode_with_fewer_rows_than_it_says_is_refused(copied, features):
    path = copied / "data/chunk-000/file-000.parquet"
    pq.write_table(pq.read_table(path).slice(0, 10), path)
    with pytest.raises(VitalError, match=r"has 10 rows of frames, expected 14") as refused:
        list(LeRobotReader(copied, features))
    assert refused.value.code is ErrorCode.BAD_DATASET


def test_data_set_of_another_program_gets_regular_times_and_no_origin(copied, features):
    (copied / "meta/vital.json").unlink()
    info = json.loads((copied / "meta/info.json").read_text())
    del info["features"][features.stamps]
    (copied / "meta/info.json").write_text(json.dumps(info))
    (episode,) = LeRobotReader(copied, features)
    assert episode.origin == {} and episode.sentence == "Insert."
    expected = 10**9 + np.round(np.arange(14) * 1e9 / 30).astype(np.int64)
    for column in episode.frames.stamps_ns.T:
        np.testing.assert_array_equal(column, expected)


def test_data_set_that_does_not_name_its_task_needs_one(copied, features, tmp_path):
    with pytest.raises(VitalError, match="expected --task, one of") as refused:
        from_lerobot(copied, tmp_path / "out", features)
    assert refused.value.code is ErrorCode.BAD_PARAMETER and not (tmp_path / "out").exists()
    assert from_lerobot(copied, tmp_path / "out", features, task=TASK) == 1
    assert Session.open(tmp_path / "out").task == TASK


def test_session_without_a_usable_episode_is_not_converted(tmp_path, features):
    writer = SessionWriter(tmp_path / "s", TASK, {})
    writer.add(synthetic.streams(15), {"outcome": "failure"})
    with pytest.raises(VitalError, match="no usable episode"):
        to_lerobot(tmp_path / "s", tmp_path / "out", features)
    assert to_lerobot(tmp_path / "s", tmp_path / "out", features, include_unusable=True) == 1


def test_folder_without_scripted_demonstrations_is_refused(tmp_path):
    with pytest.raises(VitalError, match=r"no episode_\*.safetensors") as refused:
        from_scripted_demos(tmp_path, tmp_path / "out")
    assert refused.value.code is ErrorCode.BAD_DATASET


@settings(deadline=None, max_examples=15)
@given(st.integers(5, 40), st.integers(0, 1000))
def test_frames_of_the_streams_of_frames_are_the_same_frames(frames, seed):
    features = load_feature_map().without({"/vital/tcp_demonstrated", "/vital/tcp_intended"})
    once = frames_of(synthetic.streams(frames, seed % 7), features)
    again = frames_of(streams_of(once, features), features)
    np.testing.assert_array_equal(again.stamps_ns, once.stamps_ns)
    for name, values in once.columns.items():
        np.testing.assert_array_equal(again.columns[name], values, err_msg=name)
    assert again.dropped == 0


def test_what_was_demonstrated_apart_from_noise_is_a_feature_where_it_was_recorded():
    features = load_feature_map().without({"/vital/tcp_intended"})
    streams = synthetic.streams(20, 3)
    streams[DEMONSTRATED_TOPIC] = streams["/vital/tcp_target"]
    once = frames_of(streams, features)
    np.testing.assert_array_equal(once.columns["tcp_demonstrated"], once.columns["tcp_target"])
    back = streams_of(once, features)
    for name, values in back["/vital/tcp_target"].values.items():
        np.testing.assert_array_equal(back[DEMONSTRATED_TOPIC].values[name], values)


VALUES = hnp.arrays(np.float64, st.tuples(st.integers(1, 30), st.integers(1, 5)), elements=st.floats(-1e3, 1e3))


@given(VALUES)
def test_statistics_are_in_their_order(values):
    found = {name: np.array(value) for name, value in column_statistics(values).items()}
    ordered = [found[name] for name in ("min", "q01", "q10", "q50", "q90", "q99", "max")]
    assert all((low <= high + 1e-9).all() for low, high in pairwise(ordered))
    np.testing.assert_allclose(found["mean"], values.mean(0), atol=1e-9)
    assert found["count"].tolist() == [len(values)]


@settings(max_examples=25)
@given(VALUES)
def test_statistics_are_numpys_whatever_the_type_that_is_stored(values):
    for stored in (values, values.astype(np.float32), np.rint(values).astype(np.int64), values > 0.0):
        found = column_statistics(stored)
        exact = stored.astype(np.float64)
        for name, quantile in {"min": 0.0, "q01": 0.01, "q10": 0.1, "q50": 0.5, "q90": 0.9, "max": 1.0}.items():
            np.testing.assert_allclose(found[name], np.percentile(exact, 100 * quantile, axis=0), atol=1e-9)
        spread = np.sqrt(np.mean((exact - exact.mean(0)) ** 2, axis=0))
        np.testing.assert_allclose(found["std"], spread, atol=1e-7)


def test_statistics_of_a_whole_set_are_those_of_all_its_frames_and_each_episode_has_its_own(tmp_path, features):
    parts = [frames_of(synthetic.streams(count, seed), features) for seed, count in enumerate((12, 30))]
    write_lerobot(tmp_path / "set", features, [SourceEpisode("Insert.", part) for part in parts])
    whole = json.loads((tmp_path / "set" / "meta" / "stats.json").read_text())
    rows = pq.read_table(tmp_path / "set" / "meta" / "episodes").to_pylist()
    assert len(rows) == len(parts)
    for name in parts[0].columns:
        everything = np.concatenate([part.columns[name] for part in parts]).astype(float)
        np.testing.assert_allclose(whole[name]["mean"], everything.mean(0), atol=1e-9)
        np.testing.assert_allclose(whole[name]["std"], everything.std(0), atol=1e-9)
        assert whole[name]["count"] == [len(everything)]
        for row, part in zip(rows, parts, strict=True):
            np.testing.assert_allclose(row[f"stats/{name}/max"], part.columns[name].astype(float).max(0))
            assert row[f"stats/{name}/count"] == [len(part)]
    for name in parts[0].videos:
        seen = np.concatenate([part.videos[name][:, ::2, ::2] for part in parts]).reshape(-1, 3) / 255.0
        for statistic, expected in (("mean", seen.mean(0)), ("std", seen.std(0)), ("max", seen.max(0))):
            np.testing.assert_allclose(np.ravel(whole[name][statistic]), expected, atol=1e-9)
        assert whole[name]["count"] == [sum(map(len, parts))]


def test_video_statistics_are_in_the_unit_interval_by_channel():
    images = np.zeros((5, 8, 8, 3), np.uint8)
    images[..., 1], images[..., 2] = 51, 255
    found = video_statistics(images)
    np.testing.assert_allclose(np.array(found["mean"])[:, 0, 0], [0.0, 0.2, 1.0])
    assert np.shape(found["max"]) == (3, 1, 1) and found["count"] == [5]
    assert flatten({"camera": {"count": [5]}}) == {"stats/camera/count": [5]}


@given(st.integers(0, 10**6))
def test_files_of_a_data_set_are_a_thousand_to_a_folder(number):
    path = file_of("chunk-{chunk_index:03d}/file-{file_index:03d}.mp4", number)
    chunk, file = (int(part.split("-")[1].split(".")[0]) for part in path.parts)
    assert chunk * 1000 + file == number and 0 <= file < 1000


def test_vector_of_one_is_a_plain_value():
    assert vector_type("float32", 1) == pa.float32() and vector_type("int64", 3) == pa.list_(pa.int64(), 3)


@settings(deadline=None, max_examples=15)
@given(st.integers(2, 20), st.integers(0, 1000))
def test_messages_come_in_the_order_of_their_stamps_and_none_is_lost(frames, seed):
    streams = synthetic.streams(frames, seed % 7, labels=True)
    made = list(messages_of(streams))
    stamps = [stamp_ns for _, stamp_ns, _ in made]
    assert stamps == sorted(stamps)
    for topic, stream in streams.items():
        own = [(stamp_ns, message) for name, stamp_ns, message in made if name == topic]
        np.testing.assert_array_equal([stamp_ns for stamp_ns, _ in own], stream.stamps_ns)
        told = [m.header.stamp.sec * 10**9 + m.header.stamp.nanosec for _, m in own]
        np.testing.assert_array_equal(told, stream.stamps_ns)
        assert all(message.header.frame_id == (stream.frame or message.header.frame_id) for _, message in own)


def test_command_carries_no_token_and_is_over_after_its_time():
    streams = {COMMAND_TOPIC: synthetic.streams(3)[COMMAND_TOPIC]}
    for number, (_, stamp_ns, message) in enumerate(messages_of(streams)):
        assert message.token == 0 and message.seq == number and message.owner == "teleop"
        until_ns = message.valid_until.sec * 10**9 + message.valid_until.nanosec
        assert until_ns - stamp_ns == 200_000_000


def test_stream_of_an_unknown_topic_is_refused_by_name():
    with pytest.raises(VitalError, match=r"no message is known for /nobodys") as refused:
        list(messages_of({"/nobodys": Stream(np.arange(2), {})}))
    assert refused.value.code is ErrorCode.BAD_DATASET and all(topic in refused.value.message for topic in MAKERS)


def test_foreground_and_image_of_a_simulation_come_back(tmp_path):
    stamps = 10**9 + np.arange(4) * 33_333_333
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (4, 128, 128, 3), dtype=np.uint8)
    shown = 255 * rng.integers(0, 2, (4, 128, 128)).astype(np.uint8)
    streams = {IMAGE_TOPIC: Stream(stamps, {"image": image}), FOREGROUND_TOPIC: Stream(stamps, {"image": shown})}
    path = tmp_path / "episode_0000.mcap"
    path.write_bytes(episode_bytes(streams, {"episode": 0, "task": TASK}))
    episode = read_episode(path)
    np.testing.assert_array_equal(episode.streams[IMAGE_TOPIC].values["image"], image)
    np.testing.assert_array_equal(episode.streams[FOREGROUND_TOPIC].values["image"], shown)
    np.testing.assert_array_equal(episode.streams[IMAGE_TOPIC].log_ns, stamps)
