"""Sessions on disk as they can be found: bombs, damage, strays, pipes, paths that lead away, and full disks."""

import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mcap.summary import Summary
from mcap.writer import CompressionType, Writer
from test_data_recording import TASK, episode_messages, record, recorder

from vital_core.errors import ErrorCode, VitalError
from vital_data.convert.convert_command import from_scripted_demos
from vital_data.convert.session_writer import SessionWriter
from vital_data.dataset import synthetic
from vital_data.files import layout
from vital_data.files.episode_reader import message_count, read_episode
from vital_data.files.index_line import line_of
from vital_data.files.mcap_file import open_recording
from vital_data.files.ros_messages import parse_definition, read_rows
from vital_data.files.session import Session
from vital_data.recording.repair import repair_session

HERE = Path(__file__).parent
MEASURED = """
import resource, sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from vital_core.errors import VitalError
from vital_data.files.episode_reader import read_episode
from vital_data.recording.repair import recover
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    read_episode(Path(sys.argv[1]))
except VitalError as error:
    print(error)
recover(Path(sys.argv[1]), Path(sys.argv[1] + ".out"), {})
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.fixture(scope="module")
def session(tmp_path_factory) -> Path:
    """Two episodes."""
    folder = tmp_path_factory.mktemp("files") / "s"
    writer = SessionWriter(folder, TASK, {})
    for seed in range(2):
        writer.add(synthetic.streams(12, seed), {"seed": seed})
    return folder


@pytest.fixture
def copied(session, tmp_path) -> Path:
    """The session, to be spoilt."""
    folder = tmp_path / "s"
    folder.mkdir()
    for path in session.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


def bomb(compression: CompressionType, chunk_bytes: int, message_bytes: int, messages: int) -> bytes:
    """A small recording of much that is nothing."""
    buffer = io.BytesIO()
    writer = Writer(buffer, chunk_size=chunk_bytes, compression=compression)
    writer.start()
    schema = writer.register_schema("std_msgs/msg/Header", "ros2msg", b"uint8[] data")
    channel = writer.register_channel("/x", "cdr", schema)
    for number in range(messages):
        writer.add_message(channel, number, bytes(message_bytes), number)
    writer.add_metadata(layout.EPISODE_METADATA, {"episode": "0", "task": TASK})
    writer.finish()
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("compression", "chunk_bytes", "message_bytes", "messages"),
    [
        (CompressionType.ZSTD, 10**9, 100_000_000, 3),
        (CompressionType.LZ4, 10**9, 100_000_000, 2),
        (CompressionType.ZSTD, 500_000, 1_000_000, 300),
    ],
)
def test_recording_that_unpacks_to_much_is_refused_before_it_does(
    tmp_path, compression, chunk_bytes, message_bytes, messages
):
    path = tmp_path / "episode_0000.mcap"
    path.write_bytes(bomb(compression, chunk_bytes, message_bytes, messages))
    command = [sys.executable, "-c", MEASURED, str(path), str(HERE)]
    said, grown_kb = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip().splitlines()
    assert "BAD_RECORDING" in said and "bytes unpacked, expected at most" in said
    assert int(grown_kb) < 250_000


def test_chunk_that_lies_about_its_size_is_refused(copied):
    path = copied / "episode_0000.mcap"
    with open_recording(path) as recording:
        index = recording.summary().chunk_indexes[0]
        assert len(recording.chunk_at(index.chunk_start_offset)) == index.uncompressed_size
    for told in (index.uncompressed_size - 1, index.uncompressed_size + 1, 100, 2**62):
        data = bytearray(path.read_bytes())
        at = index.chunk_start_offset + 9 + 16  # after the record's head and two times
        data[at : at + 8] = told.to_bytes(8, "little")
        path.write_bytes(data)
        with pytest.raises(VitalError, match="bytes") as refused:
            read_episode(path)
        assert refused.value.code is ErrorCode.BAD_RECORDING


def test_recording_without_the_description_of_a_type_is_refused(session, monkeypatch):
    described = Summary.__init__

    def without(self, *given, **named):
        described(self, *given, **named)
        self.schemas = type("NoSchemas", (dict,), {"__setitem__": lambda *_: None})()

    monkeypatch.setattr(Summary, "__init__", without)
    with pytest.raises(VitalError, match="is of a type that the file does not describe") as refused:
        read_episode(session / "episode_0000.mcap")
    assert refused.value.code is ErrorCode.BAD_RECORDING


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_changed_recording_is_an_episode_or_refused(session, tmp_path, data):
    whole = (session / "episode_0000.mcap").read_bytes()
    changed = bytearray(whole)
    # The index at the end is where the structure is: half of the changes are there.
    places = st.one_of(st.integers(0, len(whole) - 1), st.integers(len(whole) - 6000, len(whole) - 1))
    for at, value in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), min_size=1, max_size=4)):
        changed[at] = value
    path, began = tmp_path / "episode_0000.mcap", time.monotonic()
    path.write_bytes(changed[: data.draw(st.one_of(st.just(len(whole)), st.integers(0, len(whole))))])
    for read in (read_episode, lambda path: message_count(path, "/vital/command")):
        try:
            read(path)
        except VitalError as error:
            assert error.code is ErrorCode.BAD_RECORDING
    assert time.monotonic() - began < 20.0


@pytest.mark.parametrize(
    ("definition", "data"),
    [
        ("A[] a\n================\nMSG: pkg/A\n", b"\0\1\0\0\xff\xff\xff\x7f"),
        ("A[4000000000] a\n================\nMSG: pkg/A\n", b"\0\1\0\0\0\0\0\0"),
        ("string[4000000000] a", b"\0\1\0\0" + bytes(64)),
        ("A a\n================\nMSG: pkg/A\nA a\n", b"\0\1\0\0\0\0\0\0"),
        ("int32[4000000000] a", b"\0\1\0\0\0\0\0\0"),
    ],
    ids=["endless sequence", "endless array", "endless strings", "holds itself", "large"],
)
def test_definition_that_has_no_end_is_refused_at_once(definition, data):
    began = time.monotonic()
    with pytest.raises(VitalError) as refused:
        read_rows("pkg/msg/K", parse_definition("pkg/msg/K", definition), [data])
    assert refused.value.code is ErrorCode.BAD_RECORDING and time.monotonic() - began < 5.0


STRAYS = [
    "episode_abc.mcap.part",
    "episode_.mcap",
    "episode_1.mcap",
    "episode_0001.mcap.part.part",
    "episode_00007.mcap",
]


def test_strays_are_left_alone_and_named_in_one_line(copied, caplog):
    for name in STRAYS:
        (copied / name).write_bytes(b"somebody's own")
    os.mkfifo(copied / "episode_0005.mcap")
    os.mkfifo(copied / "episode_0006.mcap.part")
    (copied / "episode_0008.mcap").mkdir()
    before, began = sorted(p.name for p in copied.iterdir()), time.monotonic()
    assert repair_session(copied) == [] and time.monotonic() - began < 10.0
    assert sorted(p.name for p in copied.iterdir()) == before
    (line,) = [r.getMessage() for r in caplog.records if "left alone" in r.getMessage()]
    assert all(name in line for name in [*STRAYS, "episode_0005.mcap", "episode_0006.mcap.part", "episode_0008.mcap"])
    rec = recorder(copied)
    assert record(rec, episode_messages(20)).index == 9  # no number is taken twice


@pytest.mark.parametrize("file", ["../other/episode_0000.mcap", "/etc/passwd", "..", ".", "a/b.mcap", "x\0y", ""])
def test_index_cannot_lead_out_of_its_session(copied, file):
    with open(copied / layout.INDEX_FILE, "a") as index:
        index.write(line_of({"episode": 0, "file": file}) + "\n")
    with pytest.raises(VitalError, match="run repair") as refused:
        Session.open(copied).episodes()
    assert refused.value.code is ErrorCode.BAD_DATASET
    repair_session(copied)
    assert [entry.path for entry in Session.open(copied).episodes()] == sorted(copied.glob("episode_*.mcap"))


def test_link_that_leads_out_of_the_session_is_refused(copied, tmp_path):
    (copied / "episode_0000.mcap").rename(tmp_path / "elsewhere.mcap")
    (copied / "episode_0000.mcap").symlink_to(tmp_path / "elsewhere.mcap")
    with pytest.raises(VitalError, match="outside the session"):
        Session.open(copied).episodes()


@pytest.mark.parametrize(
    "line",
    [
        "[" * 100_000, '{"episode": "0"}', '{"episode": -1}', '{"episode": 1e3}', '{"episode": 0, "frames": -1}',
        '{"episode": 0, "duration_s": NaN}', '{"episode": 0, "redo": "no"}', '{"episode": 0, "faults": "dark"}', "[]",
        '{"episode": 99999999999}', "null",
    ],
)  # fmt: skip
def test_line_of_the_index_with_nonsense_is_refused_and_mended(copied, line):
    with open(copied / layout.INDEX_FILE, "a") as index:
        index.write(line + "\n")
    with pytest.raises(VitalError, match="line 3 of the index is broken") as refused:
        Session.open(copied).episodes()
    assert refused.value.code is ErrorCode.BAD_DATASET
    repair_session(copied)
    assert len(Session.open(copied).episodes()) == 2


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=200), file=st.sampled_from([layout.SESSION_FILE, layout.INDEX_FILE]))
def test_any_bytes_as_description_or_index_are_read_or_refused(tmp_path, data, file):
    (tmp_path / layout.SESSION_FILE).write_text(json.dumps({"task": TASK}))
    (tmp_path / layout.INDEX_FILE).write_bytes(b"")
    (tmp_path / file).write_bytes(data)
    try:
        Session.open(tmp_path).episodes()
    except VitalError as error:
        assert error.code is ErrorCode.BAD_DATASET


@pytest.mark.parametrize(
    "text", ['{"task": 3}', '{"task": ""}', "[" * 90_000, '{"task": "a", "format": "other/1"}', ""]
)
def test_description_of_a_session_is_read_by_its_schema(tmp_path, text):
    (tmp_path / layout.SESSION_FILE).write_text(text)
    with pytest.raises(VitalError) as refused:
        Session.open(tmp_path)
    assert refused.value.code is ErrorCode.BAD_DATASET


@pytest.mark.parametrize("file", [layout.SESSION_FILE, layout.INDEX_FILE, "episode_0000.mcap"])
def test_pipes_block_nobody(copied, file):
    (copied / file).unlink()
    os.mkfifo(copied / file)
    began = time.monotonic()
    with pytest.raises(VitalError, match="expected a regular file"):
        for entry in Session.open(copied).episodes():
            read_episode(entry.path)
    assert time.monotonic() - began < 2.0


def test_scripted_demonstration_that_is_a_pipe_blocks_nobody(tmp_path):
    os.mkfifo(tmp_path / "episode_0000.safetensors")
    with pytest.raises(VitalError, match="expected a regular file"):
        from_scripted_demos(tmp_path, tmp_path / "out")


def test_full_disk_costs_the_open_episode_alone_and_recording_goes_on_when_there_is_room(small_disk):
    disk = small_disk(3_000_000)
    rec = recorder(disk / "s", min_free_bytes=0)
    messages = episode_messages(20)
    record(rec, messages)
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    (disk / "filler").write_bytes(bytes(free - 50_000))
    noise = np.random.default_rng(0)
    for message in messages:
        rec.put(message)
    rec.start({})
    for _ in range(40):
        for message in messages:
            rec.put(
                type(message)(
                    message.topic, message.kind, message.data + noise.bytes(2000), message.log_ns, message.stamp_ns
                )
            )
    with pytest.raises(VitalError) as refused:
        rec.finish("success")
    assert refused.value.code is ErrorCode.DISK_FULL
    with pytest.raises(VitalError) as refused:
        for message in messages:
            rec.put(message)
        rec.start({})
        for message in messages * 20:
            rec.put(message)
        rec.finish("success")
    assert refused.value.code is ErrorCode.DISK_FULL
    (disk / "filler").unlink()
    assert record(rec, messages).faults == ()
    kept = [e.index for e in Session.open(disk / "s").episodes() if e.outcome == "success"]
    assert len(kept) == 2
    again = recorder(disk / "s", min_free_bytes=0)
    assert {e.outcome for e in Session.open(again.folder).episodes()} == {"success", "aborted"}
    for entry in Session.open(again.folder).episodes():
        if entry.outcome == "success":
            read_episode(entry.path)
