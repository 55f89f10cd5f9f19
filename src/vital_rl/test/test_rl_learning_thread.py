"""The learning thread on a real store: labels that come late, a replay that is away or lies, an end and a new start."""

import threading
from pathlib import Path

import pytest
from slide import small_config, still
from test_rl_replay import filled, some_step

from vital_core.errors import ErrorCode, VitalError
from vital_policy.checkpoint import Checkpoint
from vital_rl.learner.learning import STATE, ResidualLearner
from vital_rl.learner.learning_thread import LearningPace, LearningThread, ReplayReader
from vital_rl.replay import episode_message
from vital_rl.replay.replay_store import ReplayStore

UPDATES_PER_STEP = 2
WAIT_S = 60.0


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Checkpoint:
    return still(tmp_path_factory.mktemp("base"))


class Learning:
    """A learning thread and the store that it asks; `moved` is told of every set of weights and every question."""

    def __init__(self, checkpoint: Checkpoint, folder: Path, store: ReplayStore, *, publish_every: int = 1000) -> None:
        self.store, self.moved, self.said = store, threading.Condition(), []
        self.published: list[int] = []
        self.asked: list[int] = []
        self.refusals: list[VitalError] = []
        self.learner = ResidualLearner(small_config(updates=UPDATES_PER_STEP), checkpoint, folder)
        self.thread = LearningThread(
            self.learner, ReplayReader(self._read_since, self._read_one), self._publish,
            LearningPace(threads=1, publish_every=publish_every, save_every_s=1e6),
            sessions=[], about={"seed": 0}, stopping=threading.Event(), say=self.said.append,
        )  # fmt: skip

    def _message(self, number: int):
        return episode_message.to_message(self.store.episode(number), self.store.read_records(number))

    def _read_since(self, cursor: int, limit: int):
        with self.moved:
            self.asked.append(cursor)
            self.moved.notify()
        if self.refusals:
            raise self.refusals.pop(0)
        released = self.store.read_since(cursor, limit)
        return [self._message(episode.number) for episode in released.episodes], released.cursor

    def _read_one(self, number: int):
        return None if self.store.episode(number) is None else self._message(number)

    def _publish(self, residual) -> None:
        with self.moved:
            self.published.append(residual.version)
            self.moved.notify()

    def wait(self, true) -> None:
        with self.moved:
            assert self.moved.wait_for(true, WAIT_S), (self.thread.problem, self.published, self.asked)

    def tell(self) -> None:
        """What the replay's state says."""
        self.thread.read_up_to(self.store.cursor)

    def ended(self) -> VitalError:
        """What the thread ended with, once it has."""
        self.thread._thread.join(WAIT_S)
        assert self.thread.fatal is not None and self.thread.fatal is self.thread.problem
        return self.thread.fatal


@pytest.fixture
def learning(tmp_path, checkpoint):
    """Function that makes one in the test's folder; each is stopped at the end."""
    made: list[Learning] = []

    def make(store: ReplayStore, **options) -> Learning:
        made.append(Learning(checkpoint, tmp_path / "learner", store, **options))
        return made[-1]

    yield make
    for one in made:
        if one.thread._thread.is_alive():
            one.thread.stop()


def test_episodes_are_learned_from_as_they_are_labelled_each_once_and_to_the_last_update(tmp_path, learning):
    store = filled(tmp_path / "replay", episodes=6, steps=4, label=False, owner="policy")
    at_work = learning(store)
    at_work.thread.start()
    at_work.wait(lambda: at_work.published == [0])
    for count, number in enumerate((3, 0, 5, 4, 1), 1):
        store.label(number, number % 2 == 0, "test")
        for _ in range(2):  # a state is told more than once
            at_work.tell()
        at_work.wait(lambda updates=3 * UPDATES_PER_STEP * count: at_work.published[-1] == updates)
    assert at_work.learner.taken == [3, 0, 5, 4, 1]
    assert at_work.learner.successes == [False, True, False, True, False]
    assert (at_work.learner.steps, at_work.learner.owed) == (15, 0)
    assert at_work.published == sorted(set(at_work.published)) and at_work.thread.fatal is None


def test_weights_are_published_as_often_as_asked_for_while_much_is_owed(tmp_path, learning):
    store = filled(tmp_path / "replay", episodes=5, steps=6)
    at_work = learning(store, publish_every=16)
    at_work.tell()
    at_work.thread.start()
    at_work.wait(lambda: at_work.published[-1:] == [5 * 5 * UPDATES_PER_STEP])
    assert at_work.published == [0, 16, 32, 48, 50]


def test_a_replay_that_is_away_is_waited_for_and_nothing_is_missed(tmp_path, learning):
    at_work = learning(filled(tmp_path / "replay", episodes=2, steps=3))
    at_work.refusals = [VitalError(ErrorCode.TIMEOUT, "no answer")]
    at_work.tell()
    at_work.thread.start()
    at_work.wait(lambda: len(at_work.asked) == 2)
    at_work.wait(lambda: at_work.published[-1:] == [4 * UPDATES_PER_STEP])
    assert at_work.learner.taken == [0, 1] and at_work.thread.problem.code is ErrorCode.OK


def test_a_replay_that_refuses_ends_the_learning_with_its_reason(tmp_path, learning):
    at_work = learning(filled(tmp_path / "replay", episodes=1))
    at_work.refusals = [VitalError(ErrorCode.BAD_RECORDING, "chunk 0 cannot be read")]
    at_work.tell()
    at_work.thread.start()
    assert (at_work.ended().code, at_work.ended().message) == (ErrorCode.BAD_RECORDING, "chunk 0 cannot be read")


def test_a_fault_of_the_code_ends_the_learning_with_a_word_of_it(tmp_path, learning):
    at_work = learning(filled(tmp_path / "replay", episodes=1))
    at_work.thread._publish_residual = lambda residual: {}["a fault"]
    at_work.thread.start()
    assert at_work.ended().code is ErrorCode.INTERNAL and "KeyError('a fault')" in at_work.ended().message


def test_a_replay_that_promised_more_than_it_has_is_asked_once_until_it_says_so_again(tmp_path, learning):
    store = filled(tmp_path / "replay", episodes=1, steps=3)
    at_work = learning(store)
    at_work.thread.read_up_to(99)
    at_work.thread.start()
    at_work.wait(lambda: at_work.published[-1:] == [2 * UPDATES_PER_STEP])
    number = store.open_episode({})
    for index in range(3):
        store.append(number, some_step(index))
    store.close_episode(number, "time")
    store.label(number, False, "test")
    at_work.tell()
    at_work.wait(lambda: at_work.published[-1] == 4 * UPDATES_PER_STEP)
    assert at_work.asked[:2] == [0, 1] and len(at_work.asked) <= 4 and at_work.learner.taken == [0, number]


def test_a_stopped_learning_goes_on_where_it_was_and_takes_nothing_twice(tmp_path, learning):
    store = filled(tmp_path / "replay", episodes=3, steps=4, label=False)
    store.label(1, True, "test")
    first = learning(store)
    first.tell()
    first.thread.start()
    first.wait(lambda: first.published[-1:] == [3 * UPDATES_PER_STEP])
    first.thread.stop()
    assert not first.thread._thread.is_alive() and list((tmp_path / "learner").glob(STATE))
    store.label(0, False, "test")
    second = learning(store)
    second.tell()
    second.thread.start()
    second.wait(lambda: second.published[-1:] == [6 * UPDATES_PER_STEP])
    assert second.published[0] == 3 * UPDATES_PER_STEP and second.learner.taken == [1, 0]
    sustained, going_on = second.said
    assert "updates/s on 1 thread(s), 12 are asked for (2 a step at 6 Hz)" in sustained
    assert going_on == f"going on after 1 episodes, {3 * UPDATES_PER_STEP} updates"


def test_a_state_whose_episodes_the_replay_has_not_is_refused_with_what_to_do(tmp_path, learning):
    first = learning(filled(tmp_path / "replay", episodes=1))
    first.tell()
    first.thread.start()
    first.wait(lambda: len(first.published) == 2)
    first.thread.stop()
    second = learning(ReplayStore(tmp_path / "another replay"))
    second.thread.start()
    assert second.ended().code is ErrorCode.BAD_PARAMETER
    assert "learned from episode 0, which the replay has not: give the replay's folder" in second.ended().message
    assert second.published == [] and second.learner.taken == []
