"""The replay's files: full disks, strays, and bytes that are none of its own."""

import json
import os
import struct
import subprocess
import sys
import time
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_rl_replay import filled, some_step

from vital_core.errors import ErrorCode, VitalError
from vital_rl.replay import episode_message
from vital_rl.replay.replay_log import HEADER, LARGEST_RECORD, MAGIC, chunk_path
from vital_rl.replay.replay_store import CLOSE, EVICT, LABEL, OPEN, STEP, LabelVerdict, ReplayStore
from vital_rl.replay.step import HEAD, from_record, to_record

STEP_BYTES = len(to_record(0, 0, some_step(1)))


def fill(folder):
    """Take all the room there is; the file that takes it."""
    path = folder / "filler"
    free = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
    path.write_bytes(bytes(free))
    return path


def test_no_room_for_a_new_chunk_refuses_the_step_and_goes_on_when_there_is(small_disk):
    folder = small_disk(4_000_000, files=3)
    store = ReplayStore(folder, chunk_bytes=4 * STEP_BYTES)
    hindrance = folder / "somebody's file"
    hindrance.touch()
    number = store.open_episode({})
    kept = 0
    with pytest.raises(VitalError) as refused:
        for kept in range(100):
            store.append(number, some_step(kept))
    assert refused.value.code is ErrorCode.DISK_FULL and "free some space" in refused.value.message
    with pytest.raises(VitalError, match="free some space"):
        store.append(number, some_step(kept))
    hindrance.unlink()
    assert store.append(number, some_step(kept)) == kept
    store.close()
    again = ReplayStore(folder)
    assert [len(e.steps) for e in again.episodes] == [kept + 1]
    np.testing.assert_array_equal(again.read_steps(number)[kept].image, some_step(kept).image)


def test_full_disk_keeps_every_acknowledged_step_and_goes_on_when_there_is_room(small_disk):
    folder = small_disk(1_000_000)
    store = ReplayStore(folder, chunk_bytes=100_000)
    number, kept = store.open_episode({}), 0
    with pytest.raises(VitalError) as refused:
        for kept in range(1000):
            store.append(number, some_step(kept))
    assert refused.value.code is ErrorCode.DISK_FULL and kept > 10
    for _ in range(3):
        with pytest.raises(VitalError):
            store.append(number, some_step(kept))
    store.close()
    assert len(ReplayStore(folder).read_steps(number)) == kept


def test_full_disk_that_gets_room_takes_the_same_step(small_disk):
    folder = small_disk(2_000_000)
    store = filled(folder, episodes=1)
    number, filler = store.open_episode({}), fill(folder)
    with pytest.raises(VitalError) as refused:
        store.append(number, some_step(1))
    assert refused.value.code is ErrorCode.DISK_FULL
    filler.unlink()
    assert store.append(number, some_step(1)) == 0
    store.close_episode(number, "success", terminated=True)
    store.close()
    again = ReplayStore(folder)
    assert again.lost_bytes == 0 and [len(e.steps) for e in again.episodes] == [4, 1]


def test_oldest_episodes_stay_until_their_going_is_on_disk(small_disk):
    folder = small_disk(2_000_000)
    store = filled(folder, episodes=2, steps=4, capacity=8)
    number = store.open_episode({})
    for k in range(4):
        store.append(number, some_step(k))
    # Room for the episode's end, and for nothing after it.
    store._log._write, whole, written = lambda data: _once(written, whole, data), store._log._write, []
    store.close_episode(number, "success", terminated=True)
    assert store.episode(number).closed and [e.number for e in store.episodes] == [0, 1, 2]
    store._log._write = whole
    again = store.open_episode({})
    store.append(again, some_step(1))
    store.close_episode(again, "time")
    assert [e.number for e in store.episodes] == [1, 2, 3][-len(store.episodes) :]
    reopened = ReplayStore(folder, capacity=8)
    assert [e.number for e in reopened.episodes] == [e.number for e in store.episodes]
    assert reopened.cursor == store.cursor


def _once(written, write, data):
    """A disk that is full after the next record."""
    if written:
        raise OSError(28, "No space left on device")
    written.append(data)
    write(data)


def test_replay_starts_on_a_full_disk_and_closes_what_was_open_in_memory(small_disk):
    folder = small_disk(1_000_000)
    store = filled(folder, episodes=1)
    number = store.open_episode({})
    for k in range(2):
        store.append(number, some_step(k))
    store.close()
    filler = fill(folder)
    _fill_the_last_page(chunk_path(folder, 0))
    again = ReplayStore(folder)
    assert again.episode(number).closed and again.episode(0).readable
    filler.unlink()
    assert again.label(number, True, "button") is LabelVerdict.TAKEN
    again.close()
    assert [e.number for e in ReplayStore(folder).read_since(0).episodes] == [0, number]


def _fill_the_last_page(path):
    """Whole records of a kind that nobody reads, up to the end of what the file has on the disk."""
    room = -os.path.getsize(path) % 4096
    with open(path, "ab") as file:
        file.write(record(77, bytes(max(0, room - HEADER.size))))


@pytest.mark.parametrize("name", ["chunk_abc.log", "chunk_.log", "chunk_0000001.log", "chunk_-00001.log", "notes.txt"])
def test_strays_are_left_alone_and_named(tmp_path, name, caplog):
    filled(tmp_path, episodes=1).close()
    (tmp_path / name).write_bytes(b"somebody's own")
    store = ReplayStore(tmp_path)
    assert len(store.episodes) == 1 and store.size_bytes == os.path.getsize(chunk_path(tmp_path, 0))
    assert (tmp_path / name).read_bytes() == b"somebody's own"
    assert (name in caplog.text) == name.startswith("chunk_")


def test_chunk_that_is_a_pipe_is_refused_at_once(tmp_path):
    filled(tmp_path, episodes=1).close()
    os.mkfifo(chunk_path(tmp_path, 1))
    began = time.monotonic()
    with pytest.raises(VitalError, match="expected a regular file"):
        ReplayStore(tmp_path)
    assert time.monotonic() - began < 2.0


def test_chunk_of_a_size_that_none_has_is_refused(tmp_path):
    filled(tmp_path, episodes=1).close()
    with open(chunk_path(tmp_path, 1), "wb") as file:
        file.truncate(3_000_000_000)
    with pytest.raises(VitalError, match="more than"):
        ReplayStore(tmp_path)


def record(kind: int, payload: bytes) -> bytes:
    return HEADER.pack(MAGIC, kind, len(payload), zlib.crc32(payload, kind)) + payload


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=5,
)
NAMES = st.sampled_from(
    ["episode", "about", "reason", "terminated", "success", "disputed", "source", "evicted", "transitions"]
)
PAYLOADS = st.one_of(
    st.binary(max_size=80), VALUES.map(lambda v: json.dumps(v).encode()),
    st.dictionaries(NAMES, VALUES).map(lambda v: json.dumps(v).encode()), st.just(b"[" * 100_000),
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(kind=st.sampled_from([OPEN, STEP, CLOSE, LABEL, EVICT, 0, 77]), payload=PAYLOADS)
def test_record_of_other_content_is_taken_or_refused_but_never_a_crash(tmp_path_factory, kind, payload):
    folder = tmp_path_factory.mktemp("replay")
    chunk_path(folder, 0).write_bytes(record(OPEN, b'{"episode": 0, "about": {}}') + record(kind, payload))
    try:
        store = ReplayStore(folder)
        for episode in store.episodes:
            store.read_steps(episode.number)
        store.close()
    except VitalError as error:
        assert error.code in (ErrorCode.BAD_RECORDING, ErrorCode.BAD_OBSERVATION)


@settings(max_examples=100, deadline=None)
@given(at=st.integers(0, STEP_BYTES - 1), value=st.integers(0, 255), cut=st.integers(0, STEP_BYTES))
def test_changed_step_is_a_step_or_refused(at, value, cut):
    data = bytearray(to_record(3, 1, some_step(1)))
    data[at] = value
    for changed in (bytes(data), bytes(data[:cut])):
        try:
            from_record(changed)
        except VitalError as error:
            assert error.code in (ErrorCode.BAD_RECORDING, ErrorCode.BAD_OBSERVATION)


BOMB = """
import resource, sys
from test_rl_replay_files import bomb
from vital_core.errors import VitalError
from vital_rl.replay.step import from_record
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    from_record(bomb())
except VitalError as error:
    print(error)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def bomb() -> bytes:
    """A step whose image says that it is 20000 pixels wide and high."""
    ok, png = cv2.imencode(".png", np.zeros((128, 128, 3), np.uint8))
    assert ok
    wide = png.tobytes()
    head = wide[12:16] + struct.pack(">II", 20_000, 20_000) + wide[24:29]
    wide = wide[:12] + head + struct.pack(">I", zlib.crc32(head)) + wide[33:]
    data = to_record(0, 0, some_step(1))
    owner_bytes = HEAD.unpack_from(data)[5]
    return data[: HEAD.size + owner_bytes + 4 * 36] + wide


def test_image_of_another_size_is_refused_before_it_is_unpacked():
    path = os.pathsep.join([os.path.dirname(__file__), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", BOMB], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path}
    )
    said, grown_kb = done.stdout.strip().splitlines()
    assert "BAD_RECORDING" in said and int(grown_kb) < 50_000, done.stderr


@pytest.mark.parametrize("fault", ["lengths", "beyond", "about", "deep"])
def test_episode_that_came_with_other_lengths_or_words_is_refused(tmp_path, fault):
    store = filled(tmp_path, episodes=1)
    message = episode_message.to_message(store.episode(0), store.read_records(0))
    assert len(episode_message.from_message(message)[1]) == 4
    if fault == "lengths":
        message.lengths = [*message.lengths[:-1], 7]
    elif fault == "beyond":
        message.lengths = [*message.lengths, LARGEST_RECORD]
    else:
        message.about = "[1]" if fault == "about" else "[" * 100_000
    with pytest.raises(VitalError) as refused:
        episode_message.from_message(message)
    assert refused.value.code is ErrorCode.BAD_RECORDING
