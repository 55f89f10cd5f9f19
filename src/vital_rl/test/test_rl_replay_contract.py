"""The replay against a plain list of what it was told, in any order of steps, labels, reads, evictions and restarts."""

import dataclasses
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from std_msgs.msg import Header
from test_rl_replay import filled, some_step

from vital_core.errors import ErrorCode, VitalError
from vital_rl.replay import episode_message
from vital_rl.replay.replay_log import ReplayLog, chunk_path, records_of
from vital_rl.replay.replay_requests import NO_EPISODE, state_message
from vital_rl.replay.replay_store import INTERRUPTED, STEP, LabelVerdict, ReplayStore
from vital_rl.replay.step import ReplayStep, place_of, to_record

CAPACITY, CHUNK_BYTES = 9, 1500
BLANK = ReplayStep(np.zeros((128, 128, 3), np.uint8), *(np.zeros(n, np.float32) for n in (15, 7, 7, 7)))


@dataclasses.dataclass
class Told:
    """What a store was told of an episode."""

    records: list[bytes] = dataclasses.field(default_factory=list)
    reason: str = ""
    success: bool | None = None
    disputed: bool = False

    @property
    def readable(self) -> bool:
        return bool(self.reason) and self.success is not None and not self.disputed and len(self.records) > 1


class Replay(RuleBasedStateMachine):
    """A store with a reader that keeps its cursor, whatever becomes of the store."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.store = self._opened()
        self.told: dict[int, Told] = {}
        self.cursor, self.seen = 0, set()

    def _opened(self) -> ReplayStore:
        return ReplayStore(Path(self.folder.name), CAPACITY, chunk_bytes=CHUNK_BYTES)

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()

    @property
    def open_numbers(self) -> list[int]:
        return [number for number, told in self.told.items() if not told.reason]

    @precondition(lambda self: not self.open_numbers)
    @rule(steps=st.integers(0, 4))
    def begin(self, steps):
        number = self.store.open_episode({"seed": len(self.told)})
        assert number == len(self.told)
        self.told[number] = Told()
        for _ in range(steps):
            self.append()

    @precondition(lambda self: self.open_numbers)
    @rule()
    def append(self):
        (number,) = self.open_numbers
        told = self.told[number]
        record = to_record(number, len(told.records), dataclasses.replace(BLANK, stamp_ns=len(told.records)))
        assert self.store.append_record(record)
        assert not self.store.append_record(record)
        told.records.append(record)

    @precondition(lambda self: self.open_numbers)
    @rule(reason=st.sampled_from(["success", "time"]))
    def close(self, reason):
        (number,) = self.open_numbers
        self.store.close_episode(number, reason)
        self.told[number].reason = reason

    @precondition(lambda self: self.told)
    @rule(back=st.integers(0, 5), success=st.booleans(), relabel=st.booleans())
    def label(self, back, success, relabel):
        number = max(0, len(self.told) - 1 - back)
        told, verdict = self.told[number], self.store.label(number, success, "test", relabel=relabel)
        if self.store.episode(number) is None:
            assert verdict is LabelVerdict.UNKNOWN_EPISODE
        elif not told.reason:
            assert verdict is LabelVerdict.STILL_OPEN
        elif told.success == success and not told.disputed:
            assert verdict is LabelVerdict.SAME
        elif told.success is None or relabel:
            assert verdict is (LabelVerdict.TAKEN if told.success is None else LabelVerdict.REPLACED)
            told.success, told.disputed = success, False
        else:
            assert verdict is LabelVerdict.DISAGREES
            told.disputed = True

    @rule(limit=st.integers(1, 3))
    def read_everything(self, limit):
        while self.cursor < self.store.cursor:
            released = self.store.read_since(self.cursor, limit)
            assert self.cursor < released.cursor <= self.store.cursor and len(released.episodes) <= limit
            self.cursor = released.cursor
            self.seen |= {episode.number for episode in released.episodes}
        assert {episode.number for episode in self.store.episodes if episode.readable} <= self.seen

    @rule()
    def restart(self):
        for number in self.open_numbers:
            self.told[number].reason = INTERRUPTED
        before = self.store.cursor, self.store.transitions
        self.store.close()
        self.store = self._opened()
        assert self.store.lost_bytes == 0 and (self.store.cursor, self.store.transitions) == before

    @invariant()
    def the_newest_episodes_are_kept_as_they_were_told(self):
        kept = [episode.number for episode in self.store.episodes]
        assert kept == list(range(len(self.told) - len(kept), len(self.told)))
        for episode in self.store.episodes:
            told = self.told[episode.number]
            assert self.store.read_records(episode.number) == told.records
            assert (episode.reason, episode.success, episode.disputed) == (told.reason, told.success, told.disputed)
            assert episode.readable == told.readable
        if not self.open_numbers:
            assert self.store.steps <= CAPACITY or len(kept) == 1


Replay.TestCase.settings = settings(max_examples=20, stateful_step_count=30, deadline=None)
TestReplay = Replay.TestCase


def labelled_late(folder: Path) -> ReplayStore:
    """Two episodes of four steps, a chunk each, labelled in the other order; a third one drives the first out."""
    store = filled(folder, episodes=2, label=False, capacity=8, chunk_bytes=1)
    store.label(1, True, "test")
    store.label(0, True, "test")
    number = store.open_episode({})
    for index in range(2):
        store.append(number, some_step(index))
    store.close_episode(number, "success", terminated=True)
    return store


def test_a_reader_misses_nothing_after_a_restart_though_an_episode_labelled_late_went_to_make_room(tmp_path):
    store = labelled_late(tmp_path)
    cursor = store.cursor
    store.close()
    again = ReplayStore(tmp_path, 8, chunk_bytes=1)
    assert [e.number for e in again.episodes] == [1, 2] and again.cursor == cursor
    again.label(2, True, "test")
    assert [e.number for e in again.read_since(cursor).episodes] == [2]


def flip_a_bit(path: Path, kind: int, which: int) -> None:
    """In the payload of one of a chunk's records of this kind."""
    data = bytearray(path.read_bytes())
    place = [record for record in records_of(bytes(data), 0) if record.kind == kind][which].place
    data[place.offset + place.length // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("which", [0, -1], ids=["steps in its middle", "its last steps"])
def test_an_episode_that_has_lost_steps_is_not_learned_from(tmp_path, caplog, which):
    # Ten steps and their end take more than two chunks: what follows the damaged one is whole.
    filled(tmp_path, episodes=2, steps=10, chunk_bytes=20_000).close()
    flip_a_bit(sorted(tmp_path.glob("chunk_*.log"))[1], STEP, which)
    store = ReplayStore(tmp_path, chunk_bytes=20_000)
    lost, whole = store.episodes
    assert store.lost_bytes > 0 and lost.incomplete and lost.closed and lost.success and not lost.readable
    steps = store.read_steps(lost.number)
    assert 0 < len(steps) < 10 and [step.stamp_ns for step in steps] == list(range(len(steps)))
    assert "episode 0 has lost what a damaged chunk held" in caplog.text
    assert [e.number for e in store.read_since(0).episodes] == [whole.number] and store.transitions == 9
    store.close()
    assert [e.readable for e in ReplayStore(tmp_path, chunk_bytes=20_000).episodes] == [False, True]


def test_an_episode_whose_label_could_not_be_learned_from_asks_for_none(tmp_path):
    filled(tmp_path, episodes=1, steps=10, label=False, chunk_bytes=20_000).close()
    store = ReplayStore(tmp_path, chunk_bytes=20_000)
    nothing = VitalError(ErrorCode.OK, "")
    assert state_message(store, NO_EPISODE, nothing, Header()).unlabelled == 0
    store.close()
    flip_a_bit(sorted(tmp_path.glob("chunk_*.log"))[1], STEP, 0)
    store = ReplayStore(tmp_path, chunk_bytes=20_000)
    told = state_message(store, NO_EPISODE, nothing, Header())
    assert (told.unlabelled, told.episodes, told.steps_ever) == (NO_EPISODE, 1, 0)


def floats(count: int) -> st.SearchStrategy[np.ndarray]:
    return hnp.arrays(np.float32, count, elements=st.floats(-1e6, 1e6, width=32))


def pictures(shape: tuple[int, ...]) -> st.SearchStrategy[np.ndarray]:
    return st.integers(0, 2**31).map(lambda seed: np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8))


INT64 = st.integers(-(2**63), 2**63 - 1)
STEPS = st.builds(
    ReplayStep, pictures((128, 128, 3)), floats(15), floats(7), floats(7), floats(7), owner=st.text(max_size=20),
    weights_version=INT64, stamp_ns=INT64, steady_ns=INT64,
    distance_m=st.just(float("nan")) | st.floats(0.0, 10.0, width=32), foreground=st.none() | pictures((128, 16)),
)  # fmt: skip


@given(st.lists(STEPS, min_size=2, max_size=3), st.booleans(), st.text(min_size=1, max_size=20), st.booleans())
@settings(max_examples=20, deadline=None)
def test_an_episode_comes_back_to_the_last_bit_from_disk_and_from_a_message(
    tmp_path_factory, steps, success, reason, terminated
):
    folder = tmp_path_factory.mktemp("replay")
    store = ReplayStore(folder)
    number = store.open_episode({"seed": 3, "checkpoint": "a" * 64})
    assert [store.append(number, step) for step in steps] == list(range(len(steps)))
    store.close_episode(number, reason, terminated=terminated)
    store.label(number, success, "somebody")
    store.close()
    again = ReplayStore(folder)
    kept, records = again.episode(number), again.read_records(number)
    came, found = episode_message.from_message(episode_message.to_message(kept, records))
    for name in ("number", "about", "reason", "terminated", "success"):
        assert getattr(came, name) == getattr(kept, name), name
    assert (kept.reason, kept.terminated, kept.success) == (reason, terminated, success)
    assert [place_of(record) for record in records] == [(number, index) for index in range(len(steps))]
    for step, stored, sent in zip(steps, again.read_steps(number), found, strict=True):
        for field in dataclasses.fields(ReplayStep):
            for other in (stored, sent):
                np.testing.assert_equal(getattr(other, field.name), getattr(step, field.name), field.name)


@given(st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=40)), max_size=6), st.data())
@settings(deadline=None)
def test_a_damaged_chunk_gives_the_records_before_the_damage_and_nothing_else(tmp_path_factory, written, data):
    log = ReplayLog(tmp_path_factory.mktemp("log"))
    assert list(log.recover()) == []
    places = [log.append(kind, payload) for kind, payload in written]
    log.close()
    whole = chunk_path(log.folder, 0).read_bytes()
    assert [(r.kind, r.payload, r.place) for r in records_of(whole, 0)] == [
        (*told, place) for told, place in zip(written, places, strict=True)
    ]
    cut = data.draw(st.integers(0, len(whole)))
    found = list(records_of(whole[:cut], 0))
    assert [r.place for r in found] == [place for place in places if place.offset + place.length <= cut]
    if whole:
        bit = data.draw(st.integers(0, 8 * len(whole) - 1))
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        found = list(records_of(bytes(changed), 0))
        assert [r.place for r in found] == [place for place in places if place.offset + place.length <= bit // 8]
