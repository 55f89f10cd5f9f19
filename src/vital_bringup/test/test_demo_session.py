"""The demonstration session against scripted buttons: what is saved, what is counted, when it gives up."""

import pytest

from vital_bringup.sessions.buttons import Press
from vital_bringup.sessions.demo_session import DemoSession, Outcome, Phase, Saved, Tally
from vital_bringup.sessions.patience import MOST_FAILURES_IN_A_ROW
from vital_core.errors import ErrorCode, VitalError

GOOD = [Press.START, Press.SUCCESS]


class System:
    """Plays buttons to the session and keeps what it asked for."""

    def __init__(self, presses, faults=(), unprepared=()):
        self.presses, self.faults, self.unprepared = list(presses), dict(faults), set(unprepared)
        self.seeds, self.outcomes, self.phases = [], [], []
        self.open = False
        self.episode = -1

    def prepare(self, seed):
        self.seeds.append(seed)
        if seed in self.unprepared:
            raise VitalError(ErrorCode.UNREACHABLE, "no way there")

    def start_recording(self, seed):
        assert not self.open
        self.open = True
        self.episode += 1
        return self.episode

    def finish_recording(self, outcome, note):
        assert self.open or outcome is Outcome.REDO
        self.open = False
        self.outcomes.append((outcome, note))
        return Saved(self.episode, 100, tuple(self.faults.get(self.episode, ())))

    def wait_for_press(self, timeout_s):
        assert self.open == (timeout_s is not None)
        return self.presses.pop(0)


def run(system, wanted=2):
    session = DemoSession(
        system, Tally(wanted), lambda phase, *_: system.phases.append(phase), episode_s=20.0, first_seed=7
    )
    return session.run()


def test_good_episodes_end_the_session():
    system = System(GOOD * 2)
    assert run(system).saved == 2
    assert system.seeds == [7, 8]
    assert system.outcomes == [(Outcome.SUCCESS, "")] * 2
    turn = [Phase.PREPARING, Phase.READY, Phase.RECORDING, Phase.SAVING]
    assert system.phases == [*turn * 2, Phase.FINISHED]


@pytest.mark.parametrize(
    ("press", "outcome"),
    [
        (Press.FAILURE, Outcome.FAILURE),
        (Press.REDO, Outcome.REDO),
        (Press.TIME_UP, Outcome.FAILURE),
        (Press.STOPPED, Outcome.FAILURE),
    ],
)
def test_what_is_no_success_is_done_again(press, outcome):
    system = System([Press.START, press, *GOOD])
    tally = run(system, 1)
    assert tally.saved == 1
    assert tally.failed + tally.redone == 1
    assert system.outcomes[0][0] is outcome
    assert system.seeds == [7, 8]


def test_faulty_episode_does_not_count():
    tally = run(System(GOOD * 2, faults={0: ["CAMERA_FROZEN"]}), 1)
    assert (tally.saved, tally.faulty) == (1, 1)


def test_saved_episode_can_be_marked_afterwards():
    system = System([*GOOD, Press.REDO, *GOOD, *GOOD])
    tally = run(system, 2)
    assert (tally.saved, tally.redone) == (2, 1)


def test_operator_finishes_early():
    assert run(System([*GOOD, Press.FINISH]), 5).saved == 1
    assert run(System([Press.START, Press.FINISH]), 5).failed == 1


def test_start_pressed_twice_is_one_start():
    assert run(System([Press.START, Press.START, Press.SUCCESS]), 1).saved == 1


def test_scene_that_cannot_be_prepared_is_passed_over():
    tally = run(System(GOOD, unprepared={7}), 1)
    assert (tally.saved, tally.unprepared) == (1, 1)


def test_session_in_which_nothing_goes_well_is_given_up():
    with pytest.raises(VitalError, match="no way there") as raised:
        run(System([], unprepared=range(100)))
    assert raised.value.code is ErrorCode.GIVE_UP
    system = System([Press.START, Press.FAILURE] * 10)
    with pytest.raises(VitalError):
        run(system)
    assert len(system.outcomes) == MOST_FAILURES_IN_A_ROW


def test_stalls_are_no_failures_and_a_part_that_answers_again_is_gone_on_with():
    system = System(GOOD)
    stalls = [ErrorCode.NO_CAMERA, ErrorCode.STALE_OBSERVATION, ErrorCode.NODE_LOST] * MOST_FAILURES_IN_A_ROW
    left = list(stalls)

    def prepare(seed):
        if left:
            raise VitalError(left.pop(), "held up")

    system.prepare, system.whole_again = prepare, lambda error: error.code is ErrorCode.NODE_LOST
    tally = run(system, 1)
    assert (tally.saved, tally.unprepared) == (1, len(stalls))


def test_a_part_that_stays_lost_ends_it_at_once():
    system = System(GOOD)

    def prepare(seed):
        raise VitalError(ErrorCode.NODE_LOST, "nobody there")

    system.prepare, system.whole_again = prepare, lambda _: False
    with pytest.raises(VitalError, match="nobody there"):
        run(system)


def test_full_disk_ends_it_at_once():
    system = System(GOOD)

    def full(outcome, note):
        raise VitalError(ErrorCode.DISK_FULL, "3 MB left")

    system.finish_recording = full
    with pytest.raises(VitalError, match="3 MB left"):
        run(system)
