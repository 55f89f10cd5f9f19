"""The residual training against scripted buttons and outcomes: what is labelled, what pauses it, when it gives up."""

import pytest

from vital_bringup.sessions.buttons import Press
from vital_bringup.sessions.patience import MOST_FAILURES_IN_A_ROW
from vital_bringup.sessions.training_session import (
    MOST_LAST_WAITS,
    MOST_OWED,
    Phase,
    Played,
    Progress,
    TrainingSession,
)
from vital_core.errors import ErrorCode, VitalError

OK = ErrorCode.OK


class System:
    """Plays episodes of ten steps to the session and keeps what it asked for."""

    def __init__(self, outcomes, answers=(), presses=(), unprepared=()):
        self.outcomes, self.answers, self.presses = list(outcomes), list(answers), list(presses)
        self.unprepared = set(unprepared)
        self.seeds, self.labels, self.phases = [], [], []
        self.count, self.lines, self.owed = 0, [], []
        self.helped = {}  # how often by episode

    whole = False

    def whole_again(self, error):
        return error.code is ErrorCode.NODE_LOST and self.whole

    def prepare(self, seed):
        self.seeds.append(seed)
        if seed in self.unprepared:
            raise VitalError(ErrorCode.UNREACHABLE, "no way there")

    def play(self, seed):
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Played):
            return outcome
        self.count += 1
        return Played(self.count - 1, outcome, OK, "over", interventions=self.helped.get(self.count - 1, 0))

    def ask(self):
        return self.answers.pop(0)

    def label(self, episode, success):
        self.labels.append((episode, success))

    def say_progress(self, episode, success):
        self.lines.append((episode, success, self.labels[-1]))

    def updates_owed(self):
        return self.owed.pop(0) if self.owed else 0

    def steps(self):
        return 10 * len(self.labels)

    def wait_for_press(self, timeout_s):
        if self.presses:
            return self.presses.pop(0)
        assert timeout_s is not None, "waits for a button that never comes"
        return Press.TIME_UP


def run(system, steps=30):
    session = TrainingSession(system, Progress(steps), lambda phase, *_: system.phases.append(phase), first_seed=100)
    return session.run()


def test_what_a_person_helped_with_is_labelled_and_no_success_of_the_policys():
    system = System([True, False, True])
    system.helped = {0: 2, 1: 1}
    progress = run(system)
    assert system.labels == [(0, True), (1, False), (2, True)]
    assert progress.success_20 == pytest.approx(1 / 3) and progress.interventions == 3


def test_outcomes_that_were_seen_are_labels_and_the_steps_end_it():
    system = System([True, False, True])
    progress = run(system)
    assert system.labels == [(0, True), (1, False), (2, True)] and system.seeds == [100, 101, 102]
    assert system.lines == [(e, s, (e, s)) for e, s in system.labels]
    assert progress.success_20 == pytest.approx(2 / 3) and progress.interventions == 0
    assert system.phases == [*[Phase.PREPARING, Phase.RUNNING] * 3, Phase.FINISHED]


def test_what_nobody_saw_is_asked_and_can_be_forgotten():
    system = System([None, None, True], answers=[False, None])
    progress = run(system, 20)
    assert system.labels == [(0, False), (2, True)] and progress.forgotten == 1
    assert system.phases.count(Phase.LABELLING) == 2


def test_start_pauses_and_start_goes_on():
    system = System([True, True], presses=[Press.START, Press.TIME_UP, Press.START])
    run(system, 20)
    assert system.phases[0] is Phase.PAUSED and len(system.labels) == 2


def test_a_learner_slower_than_the_actor_is_waited_for():
    system = System([True, True])
    system.owed = [0, MOST_OWED + 900, MOST_OWED + 100, MOST_OWED]
    run(system, 20)
    waits = [Phase.WAITING] * 2
    turn = [Phase.PREPARING, Phase.RUNNING]
    assert system.phases == [*turn, *waits, *turn, Phase.FINISHED] and system.seeds == [100, 101]


def test_a_learner_that_never_catches_up_can_be_left():
    system = System([True], presses=[Press.TIME_UP, Press.FINISH])
    system.owed = [MOST_OWED + 1] * 9
    assert run(system).labelled == 0
    assert system.phases == [Phase.WAITING, Phase.FINISHED]


def test_the_learner_comes_to_the_last_episode_before_it_ends():
    system = System([True])
    system.owed = [0, 300, 100, 0]
    run(system, 10)
    assert system.phases == [*[Phase.PREPARING, Phase.RUNNING], *[Phase.WAITING] * 2, Phase.FINISHED]


def test_a_learner_that_stands_still_does_not_keep_it_from_ending():
    system = System([True])
    system.owed = [0] + [300] * 1000
    run(system, 10)
    assert system.phases[-1] is Phase.FINISHED and len(system.phases) == 4 + MOST_LAST_WAITS
    system = System([True])
    system.owed, system.presses = [0] + [300] * 1000, [Press.TIME_UP, Press.TIME_UP, Press.FINISH]
    run(system, 10)
    assert system.phases[-1] is Phase.FINISHED and len(system.phases) < 8


def test_finish_ends_it_after_the_episode():
    system = System([True, True])
    system.label = lambda episode, success: (
        system.labels.append((episode, success)),
        system.presses.append(Press.FINISH),
    )
    assert run(system).labelled == 1
    assert system.phases[-1] is Phase.FINISHED


def test_a_start_pose_that_cannot_be_reached_costs_only_itself():
    system = System([True, True], unprepared={100})
    run(system, 20)
    assert system.seeds == [100, 101, 102] and len(system.labels) == 2


def test_it_gives_up_when_nothing_goes_well():
    system = System([], unprepared=set(range(100, 200)))
    with pytest.raises(VitalError, match="no way there") as given_up:
        run(system)
    assert given_up.value.code is ErrorCode.GIVE_UP and len(system.seeds) == MOST_FAILURES_IN_A_ROW


@pytest.mark.parametrize("code", [ErrorCode.DISK_FULL, ErrorCode.NODE_LOST])
def test_a_replay_that_takes_nothing_ends_it_at_once(code):
    system = System([True, Played(1, None, code, "it has gone")])
    with pytest.raises(VitalError, match="it has gone") as ended:
        run(system)
    assert ended.value.code is code and system.labels == [(0, True)]


def test_a_part_that_answers_again_is_gone_on_with_and_the_episode_is_not_labelled():
    system = System([True, Played(1, None, ErrorCode.NODE_LOST, "the gate is silent"), True])
    system.whole = True
    run(system, 20)
    assert system.labels == [(0, True), (1, True)]


def test_an_episode_that_was_cancelled_for_its_success_is_learned_from():
    system = System([Played(0, True, ErrorCode.CANCELLED, "cancelled")])
    run(system, 10)
    assert system.labels == [(0, True)]
