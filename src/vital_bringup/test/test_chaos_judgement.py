"""The campaign's judgement: an invariant that was broken once stays broken, and a traceback is told by its error."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vital_bringup.chaos.faults.kind import Expect, Injected, Kind, Station
from vital_bringup.chaos.faults.kinds import BY_NAME, KINDS
from vital_bringup.chaos.judgement import INVARIANTS, Judgement, traceback_in
from vital_bringup.chaos.verdict import judge_ending

PROBLEM = st.none() | st.text("abc ", min_size=1, max_size=10)


def test_nothing_is_known_before_it_is_judged():
    assert set(Judgement().invariants) == set(INVARIANTS) and set(Judgement().invariants.values()) == {None}


@given(st.lists(st.tuples(st.sampled_from(sorted(INVARIANTS)), PROBLEM), max_size=12))
def test_invariant_holds_only_while_no_look_at_it_found_a_problem(looks):
    judgement = Judgement()
    for name, problem in looks:
        judgement.note(name, problem)
    for name, held in judgement.invariants.items():
        problems = [problem for looked, problem in looks if looked == name]
        assert held is (None if not problems else all(problem is None for problem in problems))
    assert judgement.violations == [f"{name}: {problem}" for name, problem in looks if problem is not None]


@pytest.mark.parametrize(
    ("log", "error"),
    [
        ("all is well\n", None),
        ("Traceback (most recent call last):\n  File x\nValueError: no number\n", "ValueError: no number"),
        ("a\nTraceback (most recent call last):\n  cut off", "Traceback (most recent call last):"),
    ],
)
def test_traceback_is_told_by_the_error_that_it_ends_with(log, error):
    assert traceback_in(log) == error


class Ended:
    """How a stack ended."""

    def __init__(self, code: int, seconds: float, left: str | None = None) -> None:
        self.code, self.seconds, self._left = code, seconds, left

    def left(self) -> str | None:
        return self._left


@pytest.mark.parametrize(
    ("ending", "broken"),
    [
        (Ended(1, 3.0), set()),
        (Ended(0, 3.0), {"ended"}),
        (Ended(1, 30.0), {"ended"}),
        (Ended(1, 3.0, "processes: gate_node (1)"), {"clean"}),
    ],
)
def test_stack_that_must_end_does_so_in_time_with_its_code_and_leaves_nothing(ending, broken):
    judgement = Judgement()
    judge_ending(judgement, ending, Injected({}, Expect.ENDS, 0.0, 0.0, codes=(1,)))
    assert {name for name, held in judgement.invariants.items() if held is False} == broken
    assert judgement.figures["end_s"] == ending.seconds


def test_kinds_of_faults_have_names_of_their_own_and_words():
    assert len(BY_NAME) == len(KINDS) and all(kind.words and kind.family for kind in KINDS)
    assert all(isinstance(kind, Kind | Station) for kind in KINDS)
