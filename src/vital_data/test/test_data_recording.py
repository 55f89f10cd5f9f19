"""Recording: what is acknowledged is whole, what is interrupted costs itself alone, and says so."""

import errno
import io
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rclpy.serialization import serialize_message

from vital_core.errors import ErrorCode, VitalError
from vital_data.convert.messages import messages_of
from vital_data.dataset import synthetic
from vital_data.files import layout
from vital_data.files.episode_reader import read_episode
from vital_data.files.episode_writer import EpisodeWriter, Message
from vital_data.files.index_line import entry_of, line_of
from vital_data.files.session import Session
from vital_data.recording.recorder import REQUIRED, Recorder
from vital_data.recording.repair import broken_files, repair_session

TASK = "usb_insertion"


def episode_messages(frames=60, seed=0):
    """A made-up demonstration as the recorder's messages."""
    return [
        Message(topic, f"{type(m).__module__.split('.')[0]}/msg/{type(m).__name__}", serialize_message(m), ns, ns)
        for topic, ns, m in messages_of(synthetic.streams(frames, seed))
    ]


@pytest.fixture(scope="module")
def messages():
    return episode_messages()


class Clock:
    def __init__(self):
        self.now_s = 100.0

    def __call__(self):
        return self.now_s


def recorder(folder, **more):
    return Recorder(folder, TASK, {"versions": {}}, **more)


def record(rec, messages, outcome="success"):
    for message in messages[:300]:
        rec.put(message)
    rec.start({"operator": "Ada", "device": "keyboard", "seed": 3})
    for message in messages:
        rec.put(message)
    return rec.finish(outcome)


def test_acknowledged_episode_reads_back_whole(tmp_path, messages):
    rec = recorder(tmp_path / "s")
    done = record(rec, messages)
    entry = Session.open(tmp_path / "s").episodes()[0]
    assert (entry.index, entry.outcome, entry.frames) == (done.index, "success", done.frames) == (0, "success", 60)
    episode = read_episode(entry.path)
    assert sum(len(s.stamps_ns) for s in episode.streams.values()) == len(messages)
    assert episode.metadata["operator"] == "Ada" and episode.metadata["seed"] in (3, "3")
    assert not list((tmp_path / "s").glob("*.part"))


def test_open_episode_has_another_name_until_it_is_whole(tmp_path, messages):
    rec = recorder(tmp_path / "s")
    for message in messages:
        rec.put(message)
    rec.start({})
    assert [p.name for p in (tmp_path / "s").glob("episode*")] == ["episode_0000.mcap.part"]
    assert Session.open(tmp_path / "s").episodes() == []
    with pytest.raises(VitalError, match="finish it first"):
        rec.start({})
    rec.close()


def test_nothing_is_recorded_without_the_sensors(tmp_path, messages):
    clock = Clock()
    rec = recorder(tmp_path / "s", now_s=clock)
    with pytest.raises(VitalError, match="nothing comes on") as raised:
        rec.start({})
    assert all(topic in str(raised.value) for topic in REQUIRED)
    for message in messages:
        rec.put(message)
    clock.now_s += 2.0
    with pytest.raises(VitalError) as raised:
        rec.start({})
    assert raised.value.code is ErrorCode.SENSOR_FAULT


def test_redo_marks_and_deletes_nothing(tmp_path, messages):
    rec = recorder(tmp_path / "s")
    record(rec, messages)
    rec.finish("redo")
    entry = Session.open(tmp_path / "s").episodes()[0]
    assert entry.redo and not entry.usable and entry.path.is_file() and entry.outcome == "success"
    with pytest.raises(VitalError) as raised:
        rec.finish("success")
    assert raised.value.code is ErrorCode.NOT_RECORDING


def test_session_goes_on_where_it_was(tmp_path, messages):
    record(recorder(tmp_path / "s"), messages)
    rec = recorder(tmp_path / "s")
    assert record(rec, messages, "failure").index == 1
    assert [e.outcome for e in Session.open(tmp_path / "s").episodes()] == ["success", "failure"]
    with pytest.raises(VitalError, match=f"session of {TASK}, expected plug_in_socket"):
        Recorder(tmp_path / "s", "plug_in_socket", {})


def test_folder_with_something_else_in_it_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(VitalError, match="not empty"):
        recorder(tmp_path)


def test_full_disk_is_said_and_costs_only_the_open_episode(tmp_path, messages):
    class Full(io.FileIO):
        room = 40_000

        def write(self, data):
            if self.tell() + len(data) > self.room:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return super().write(data)

    writer = EpisodeWriter(tmp_path / "episode_0000.mcap", open_file=lambda path, mode: Full(path, "w"))
    for message in messages * 20:
        writer.put(message)
    with pytest.raises(VitalError, match="disk is full") as raised:
        writer.finish({})
    assert raised.value.code is ErrorCode.DISK_FULL
    assert not (tmp_path / "episode_0000.mcap").exists()
    assert writer.put(messages[0]) is False and writer.dropped >= 1


def test_too_little_room_is_refused_before_the_episode(tmp_path, messages):
    rec = recorder(tmp_path / "s", min_free_bytes=10**18)
    for message in messages:
        rec.put(message)
    with pytest.raises(VitalError) as raised:
        rec.start({})
    assert raised.value.code is ErrorCode.DISK_FULL


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.9, 0.999])
def test_truncated_episode_costs_its_tail_and_is_out_of_training(tmp_path, messages, share):
    folder = tmp_path / "s"
    rec = recorder(folder)
    record(rec, messages * 8)
    record(rec, messages)
    path = layout.episode_path(folder, 0)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    assert broken_files(folder) == [path]
    (repaired,) = repair_session(folder)
    first, second = Session.open(folder).episodes()
    assert first.outcome == "aborted" and not first.usable and second.outcome == "success"
    assert repaired.kept.read_bytes() == whole[: int(share * len(whole))]
    if share >= 0.5:
        assert repaired.messages > 0.3 * share * 8 * len(messages)
        assert read_episode(path).outcome == "aborted"
    assert repair_session(folder) == []


def test_torn_index_is_mended_from_the_episodes(tmp_path, messages):
    folder = tmp_path / "s"
    rec = recorder(folder)
    for _ in range(3):
        record(rec, messages)
    index = folder / layout.INDEX_FILE
    index.write_bytes(index.read_bytes()[:-30])
    repair_session(folder)
    assert [e.outcome for e in Session.open(folder).episodes()] == ["success"] * 3


def test_faulty_episode_without_its_line_is_judged_before_it_counts(tmp_path, messages):
    folder = tmp_path / "s"
    rec = recorder(folder)
    for message in messages[:300]:
        rec.put(message)
    rec.start({})
    for message in messages:
        if message.topic != "/anyskin/tactile":
            rec.put(message)
    faults = rec.finish("success").faults
    (folder / layout.INDEX_FILE).unlink()
    repair_session(folder)
    (entry,) = Session.open(folder).episodes()
    assert entry.faults == faults and faults[0].startswith("STREAM_MISSING") and not entry.usable


def test_episode_that_is_being_recorded_is_left_alone_by_repair(tmp_path, messages):
    folder = tmp_path / "s"
    rec = recorder(folder)
    for message in messages[:300]:
        rec.put(message)
    rec.start({})
    for message in messages:
        rec.put(message)
    assert repair_session(folder) == [] and broken_files(folder) == []
    assert rec.finish("success").frames == 60 and Session.open(folder).episodes()[0].usable


def test_interrupted_repair_is_done_again(tmp_path, messages):
    folder = tmp_path / "s"
    rec = recorder(folder)
    record(rec, messages)
    for message in messages:
        rec.put(message)
    rec.start({})
    for message in messages * 8:
        rec.put(message)
    rec.close()
    part = folder / "episode_0001.mcap.part"
    part.replace(folder / "episode_0001.mcap.broken")  # what a kill between a repair's steps leaves
    (repaired,) = repair_session(folder)
    assert repaired.frames > 0 and repaired.kept.name == "episode_0001.mcap.broken"
    assert [e.outcome for e in Session.open(folder).episodes()] == ["success", "aborted"]
    assert repair_session(folder) == []


def test_message_that_cannot_be_written_is_said(tmp_path, messages):
    writer = EpisodeWriter(tmp_path / "episode_0000.mcap")
    writer.put(replace(messages[0], kind="no_such/msg/Thing"))
    with pytest.raises(VitalError, match="no message definition of no_such/Thing"):
        writer.finish({})
    assert not writer.path.exists()


def test_full_disk_at_the_index_leaves_the_index_whole(tmp_path, messages, monkeypatch):
    folder = tmp_path / "s"
    record(recorder(folder), messages)
    before = (folder / layout.INDEX_FILE).read_bytes()

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(VitalError, match="make room") as raised:
            Session.open(folder).append({"episode": 1, "outcome": "success"})
    assert raised.value.code is ErrorCode.DISK_FULL
    assert (folder / layout.INDEX_FILE).read_bytes() == before


def test_session_whose_folder_is_gone_is_refused(tmp_path, messages):
    rec = recorder(tmp_path / "s")
    for message in messages:
        rec.put(message)
    (tmp_path / "s").rename(tmp_path / "elsewhere")
    with pytest.raises(VitalError) as raised:
        rec.start({})
    assert raised.value.code is ErrorCode.BAD_RECORDING and not rec.recording


def test_changed_line_of_the_index_is_noticed():
    line = line_of({"episode": 1, "outcome": "success"})
    assert entry_of(line) == {"episode": 1, "outcome": "success"}
    with pytest.raises(ValueError, match="checksum"):
        entry_of(line.replace("success", "failure"))


CHILD = """
import sys, time
sys.path.insert(0, {here!r})
from test_data_recording import episode_messages, record, recorder
from pathlib import Path
messages = episode_messages(40)
rec = recorder(Path(sys.argv[1]))
print("ready", flush=True)
while True:
    print(record(rec, messages * 3).index, flush=True)
"""


def test_killed_recorder_loses_at_most_the_open_episode(tmp_path):
    folder = tmp_path / "s"
    rng = np.random.default_rng(0)
    acknowledged = -1
    for _ in range(3):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD.format(here=str(Path(__file__).parent)), str(folder)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout is not None
        assert child.stdout.readline().strip() == "ready"
        time.sleep(rng.uniform(0.05, 0.6))
        child.send_signal(signal.SIGKILL)
        spoken = [int(line) for line in child.stdout.read().split()]
        child.wait()
        acknowledged = max([acknowledged, *spoken])
        repair_session(folder)
        entries = Session.open(folder).episodes()
        good = {e.index for e in entries if e.outcome == "success"}
        assert set(range(acknowledged + 1)) - good <= {e.index for e in entries if e.outcome == "aborted"}
        assert set(spoken) <= good
        for entry in entries:
            if entry.outcome == "success":
                assert len(read_episode(entry.path).streams) >= 5
    assert json.loads((folder / layout.SESSION_FILE).read_text())["task"] == TASK
