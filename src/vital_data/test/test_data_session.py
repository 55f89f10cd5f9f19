"""A session's index and names: what is appended comes back, whatever happens to the tail of its files."""

import json
import os
import string
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vital_core.errors import ErrorCode, VitalError
from vital_core.task import WINDOW
from vital_data.convert.session_writer import SessionWriter
from vital_data.dataset import synthetic
from vital_data.files import layout
from vital_data.files.disk import as_refusal, is_being_written, lock_while_open
from vital_data.files.episode_reader import read_episode
from vital_data.files.index_line import entry_of, line_of
from vital_data.files.session import Session
from vital_data.files.streams import COMMAND_TOPIC, POSE_TOPIC
from vital_data.recording.repair import broken_files, repair_session

TASK = "usb_insertion"
REUSED = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
ENTRIES = st.fixed_dictionaries(
    {"episode": st.integers(0, 20)},
    optional={
        "outcome": st.sampled_from(["success", "failure", "redo", "aborted"]),
        "faults": st.lists(st.text(max_size=20), max_size=3),
        "redo": st.booleans(),
        "frames": st.integers(0, 10_000),
        "duration_s": st.floats(0.0, 1e4),
        "note": st.text(string.printable, max_size=30),
        "seed": st.integers(-1, 2**31),
    },
)


@given(ENTRIES)
def test_line_of_the_index_comes_back(entry):
    assert entry_of(line_of(entry)) == entry
    assert "\n" not in line_of(entry)


@given(ENTRIES, st.data())
def test_any_cut_of_a_line_is_noticed(entry, data):
    line = line_of(entry)
    with pytest.raises(ValueError):
        entry_of(line[: data.draw(st.integers(0, len(line) - 1))])


@settings(REUSED, max_examples=40)
@given(lines=st.lists(ENTRIES, max_size=8))
def test_later_lines_add_to_earlier_ones_and_take_nothing_away(tmp_path_factory, lines):
    session = Session.create_or_resume(tmp_path_factory.mktemp("s") / "s", TASK, {})
    expected: dict[int, dict] = {}
    for line in lines:
        session.append(line)
        expected.setdefault(line["episode"], {}).update(line)
    found = Session.open(session.folder).episodes()
    assert [entry.index for entry in found] == sorted(expected)
    for entry in found:
        told = expected[entry.index]
        assert (entry.outcome, list(entry.faults)) == (told.get("outcome", ""), told.get("faults", []))
        assert (entry.redo, entry.frames) == (told.get("redo", False), told.get("frames", 0))
        assert entry.usable == (entry.outcome == "success" and not entry.faults and not entry.redo)
    assert session.next_index() == max(expected, default=-1) + 1


def test_index_cut_at_every_byte_loses_nothing_before_the_cut(tmp_path):
    session = Session.create_or_resume(tmp_path / "s", TASK, {})
    for number in range(3):
        session.append({"episode": number, "outcome": "success", "frames": 10 + number})
    path = session.folder / layout.INDEX_FILE
    whole = path.read_bytes()
    for end in range(len(whole) + 1):
        path.write_bytes(whole[:end])
        complete = whole[:end].count(b"\n")
        session.append({"episode": 7, "outcome": "failure"})
        repair_session(session.folder)
        found = [entry.index for entry in session.episodes()]
        assert found[:complete] == [0, 1, 2][:complete] and found[-1] == 7
        path.with_name(path.name + ".broken").unlink(missing_ok=True)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A session of two short episodes without images, and the bytes of its second one."""
    folder = tmp_path_factory.mktemp("tiny") / "s"
    writer = SessionWriter(folder, TASK, {})
    for seed in range(2):
        streams = {t: s for t, s in synthetic.streams(6, seed).items() if t in (COMMAND_TOPIC, POSE_TOPIC)}
        writer.add(streams, {})
    return folder, layout.episode_path(folder, 1).read_bytes()


def tail_cuts(size: int) -> list[int]:
    """Many bytes of the index at the end, and some of the data before it."""
    return [*range(0, size - 700, 97), *range(max(0, size - 700), size, 11)]


def test_episode_cut_in_its_tail_costs_no_other_and_is_repaired_once(tiny, tmp_path):
    folder, whole = tiny
    for end in tail_cuts(len(whole)):
        copy = tmp_path / f"cut{end}"
        copy.mkdir()
        for path in folder.iterdir():
            (copy / path.name).write_bytes(path.read_bytes())
        layout.episode_path(copy, 1).write_bytes(whole[:end])
        (repaired,) = repair_session(copy)
        entries = Session.open(copy).episodes()
        assert [entry.outcome for entry in entries] == ["success", "aborted"] and not entries[1].usable
        assert read_episode(entries[0].path).streams.keys() == {COMMAND_TOPIC, POSE_TOPIC}
        assert repaired.kept.read_bytes() == whole[:end]
        before = {path.name: path.read_bytes() for path in copy.iterdir()}
        assert repair_session(copy) == [] and broken_files(copy) == []
        assert {path.name: path.read_bytes() for path in copy.iterdir()} == before


def test_sound_session_is_left_as_it_is_by_repair(tiny):
    folder, _ = tiny
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert repair_session(folder) == []
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@given(st.integers(0, 10**8 - 1))
def test_episode_number_is_the_inverse_of_its_path(number):
    path = layout.episode_path(Path("/s"), number)
    assert layout.episode_number(path) == number
    assert layout.episode_number(layout.part_path(path)) is None
    assert layout.episode_number(layout.part_path(path), layout.PART_SUFFIX) == number


@given(st.text(string.ascii_letters + string.digits + "._-", min_size=1, max_size=20))
def test_no_other_name_is_an_episode(name):
    number = layout.episode_number(Path("/s") / name)
    assert number is None or layout.episode_path(Path("/s"), number).name == name


def test_next_index_is_beyond_every_file_and_every_line(tmp_path):
    session = Session.create_or_resume(tmp_path / "s", TASK, {})
    assert session.next_index() == 0
    session.append({"episode": 2})
    assert session.next_index() == 3
    for name, expected in (("episode_0005.mcap", 6), ("episode_0008.mcap.part", 9), ("episode_0011.mcap.broken", 12)):
        (session.folder / name).touch()
        assert session.next_index() == expected


def test_session_is_resumed_for_its_own_task_alone(tmp_path):
    made = Session.create_or_resume(tmp_path / "s", TASK, {"operator": "Ada"})
    again = Session.create_or_resume(tmp_path / "s", TASK, {"operator": "Bob"})
    assert again.description == made.description and again.description["operator"] == "Ada"
    with pytest.raises(VitalError, match="expected card_swipe") as refused:
        Session.create_or_resume(tmp_path / "s", "card_swipe", {})
    assert refused.value.code is ErrorCode.BAD_PARAMETER


def test_session_is_resumed_for_its_own_wrist_view_alone(tmp_path):
    assert Session.create_or_resume(tmp_path / "old", TASK, {}).wrist_view == WINDOW
    assert Session.create_or_resume(tmp_path / "s", TASK, {"wrist_view": "fisheye"}).wrist_view == "fisheye"
    assert Session.create_or_resume(tmp_path / "s", TASK, {"wrist_view": "fisheye"}).wrist_view == "fisheye"
    for folder, other in (("s", WINDOW), ("old", "fisheye")):
        with pytest.raises(VitalError, match=f"expected '{other}'") as refused:
            Session.create_or_resume(tmp_path / folder, TASK, {"wrist_view": other})
        assert refused.value.code is ErrorCode.BAD_PARAMETER
    with pytest.raises(VitalError, match="wrist_view") as refused:
        Session.create_or_resume(tmp_path / "t", TASK, {"wrist_view": "periscope"})
    assert refused.value.code is ErrorCode.BAD_DATASET


def test_description_keeps_what_the_recorder_told(tmp_path):
    told = {"versions": {"mcap": "1"}, "calibration": "a: 1\n", "number": 3}
    session = Session.create_or_resume(tmp_path / "s", TASK, told)
    stored = json.loads((session.folder / layout.SESSION_FILE).read_text())
    assert stored.items() >= told.items() and Session.open(session.folder).description == stored


def test_file_is_being_written_until_its_writer_closes_it(tmp_path):
    path = tmp_path / "episode_0000.mcap.part"
    with open(path, "xb") as file:
        lock_while_open(file)
        assert is_being_written(path)
    assert not is_being_written(path)


def test_leftovers_are_the_unfinished_files_that_nobody_writes(tmp_path):
    session = Session.create_or_resume(tmp_path / "s", TASK, {})
    left, written = (layout.part_path(layout.episode_path(session.folder, number)) for number in (0, 1))
    left.touch()
    with open(written, "xb") as file:
        lock_while_open(file)
        assert session.leftovers() == [left]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OSError(28, os.strerror(28)), ErrorCode.DISK_FULL),
        (OSError(122, os.strerror(122)), ErrorCode.DISK_FULL),
        (OSError(5, os.strerror(5)), ErrorCode.BAD_RECORDING),
        (ValueError("x"), ErrorCode.BAD_RECORDING),
        (VitalError(ErrorCode.INTERNAL, "x"), ErrorCode.INTERNAL),
    ],
)
def test_what_stops_a_recording_is_told_by_its_code(tmp_path, error, code):
    refusal = as_refusal(tmp_path / "episode_0000.mcap.part", error)
    assert refusal.code is code and "episode_0000.mcap.part" in refusal.message
