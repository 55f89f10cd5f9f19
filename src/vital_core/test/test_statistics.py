"""The statistics against published examples, and what holds of them whatever was counted."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vital_core.statistics import compare_pairs, crossed_interval, grouped_interval, percentile, wilson_interval

COUNTS = st.integers(1, 500).flatmap(lambda trials: st.tuples(st.integers(0, trials), st.just(trials)))
OUTCOMES = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60)


@given(COUNTS)
def test_interval_holds_the_rate_and_mirrors_for_failures(counts):
    successes, trials = counts
    low, high = wilson_interval(successes, trials)
    assert 0.0 <= low <= successes / trials + 1e-12 and successes / trials - 1e-12 <= high <= 1.0
    assert wilson_interval(trials - successes, trials) == pytest.approx((1.0 - high, 1.0 - low), abs=1e-9)


@given(COUNTS)
def test_interval_narrows_with_trials_at_the_same_rate(counts):
    successes, trials = counts
    (low, high), (low_4, high_4) = wilson_interval(successes, trials), wilson_interval(4 * successes, 4 * trials)
    assert high_4 - low_4 < high - low


@given(OUTCOMES)
def test_comparison_counts_each_trial_once_and_turns_round_with_the_methods(outcomes):
    a, b = [one for one, _ in outcomes], [other for _, other in outcomes]
    there, back = compare_pairs(a, b), compare_pairs(b, a)
    assert there.both + there.only_a + there.only_b + there.neither == len(outcomes)
    assert there.difference == pytest.approx(np.mean(a) - np.mean(b), abs=1e-12)
    assert there.interval[0] - 1e-12 <= there.difference <= there.interval[1] + 1e-12
    assert (back.only_a, back.only_b) == (there.only_b, there.only_a)
    assert back.p_value == pytest.approx(there.p_value) and 0.0 < there.p_value <= 1.0
    assert back.interval == pytest.approx((-there.interval[1], -there.interval[0]), abs=1e-9)


@pytest.mark.parametrize(("a", "b"), [([], []), ([True], []), ([True, False], [True])])
def test_comparison_of_unlike_numbers_of_trials_is_refused(a, b):
    with pytest.raises(ValueError, match=f"{len(a)} and {len(b)} trials"):
        compare_pairs(a, b)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1), st.lists(st.sampled_from([math.nan, math.inf, -math.inf])))
def test_percentile_is_that_of_the_finite_values(finite, unmeasured):
    assert percentile([*unmeasured, *finite], 0) == min(finite)
    assert percentile([*finite, *unmeasured], 100) == max(finite)
    assert math.isnan(percentile(unmeasured, 50))


def test_wilson_interval_matches_the_published_example():
    low, high = wilson_interval(9, 10)
    assert (round(low, 3), round(high, 3)) == (0.596, 0.982)
    assert wilson_interval(0, 0) == (0.0, 1.0)


def test_percentile_ignores_what_was_not_measured():
    assert percentile([1.0, math.nan, 3.0], 50) == 2.0
    assert math.isnan(percentile([], 50))


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [(0, 10, 0.0, 0.278), (10, 10, 0.722, 1.0), (50, 100, 0.404, 0.596), (95, 100, 0.888, 0.978)],
)
def test_wilson_interval(successes, trials, low, high):
    assert wilson_interval(successes, trials) == pytest.approx((low, high), abs=1e-3)


@pytest.mark.parametrize(("successes", "trials"), [(1, 0), (-1, 5), (6, 5)])
def test_wilson_refuses_impossible_counts(successes, trials):
    with pytest.raises(ValueError, match="successes of"):
        wilson_interval(successes, trials)


def test_mcnemar_is_the_exact_test_of_the_unlike_pairs():
    # 8 against 1: two-sided binomial, 2 (C(9, 0) + C(9, 1)) / 2^9.
    a = [True] * 8 + [False] + [True] * 10 + [False] * 5
    b = [False] * 8 + [True] + [True] * 10 + [False] * 5
    result = compare_pairs(a, b)
    assert (result.both, result.only_a, result.only_b, result.neither) == (10, 8, 1, 5)
    assert result.p_value == pytest.approx(2 * (1 + 9) / 2**9)
    assert compare_pairs([True, False], [True, False]).p_value == 1.0


def test_paired_interval_is_newcombes():
    # Newcombe 1998, table III, example of method 10: 36, 12, 2, 0 of 50 gives 0.0569 to 0.3404.
    pairs = [(True, True)] * 36 + [(True, False)] * 12 + [(False, True)] * 2
    a, b = zip(*pairs, strict=True)
    result = compare_pairs(a, b)
    assert result.difference == pytest.approx(0.20)
    assert result.interval == pytest.approx((0.0569, 0.3404), abs=5e-4)


GROUPS = st.lists(
    st.integers(1, 9).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), min_size=2, max_size=30
)


@given(GROUPS)
def test_an_interval_over_groups_holds_the_rate_and_is_no_narrower_than_wilsons(groups):
    successes, trials = sum(s for s, _ in groups), sum(n for _, n in groups)
    low, high = grouped_interval(groups)
    wilson_low, wilson_high = wilson_interval(successes, trials)
    assert 0.0 <= low <= successes / trials + 1e-12 and successes / trials <= high + 1e-12 <= 1.0 + 1e-12
    assert low <= wilson_low + 1e-9 and high >= wilson_high - 1e-9


def test_the_same_start_met_by_three_policies_is_one_start():
    """Fifty starts that decide everything: three policies say no more than one."""
    won = [(3, 3)] * 40 + [(0, 3)] * 10
    one = wilson_interval(40, 50)
    low, high = grouped_interval(won)
    assert low == pytest.approx(one[0], abs=0.01) and high == pytest.approx(one[1], abs=0.01)
    independent = [(2, 3)] * 40 + [(4, 4)] * 10
    assert grouped_interval(independent)[0] > low


@pytest.mark.parametrize("groups", [[], [(3, 3)], [(0, 0), (4, 5)]])
def test_fewer_than_two_groups_say_nothing(groups):
    assert grouped_interval(groups) == (0.0, 1.0)


def test_all_successes_count_for_as_many_as_there_are_groups():
    low, high = grouped_interval([(4, 4)] * 12)
    assert high == 1.0 and low == pytest.approx(wilson_interval(12, 12, z=2.201)[0], abs=1e-3)


def test_the_interval_covers_what_groups_are_drawn_from():
    """Looks with rates of their own (beta, mean 0.7): the interval of looks covers, that of trials does not."""
    rng, covered = np.random.default_rng(0), np.zeros(2)
    for _ in range(400):
        won = rng.binomial(10, rng.beta(1.4, 0.6, 24))
        grouped, plain = grouped_interval([(int(s), 10) for s in won]), wilson_interval(int(won.sum()), 240)
        covered += [low <= 0.7 <= high for low, high in (grouped, plain)]
    assert covered[0] / 400 > 0.92 and covered[1] / 400 < 0.8


def crossed(won) -> list[tuple[int, int, bool]]:
    """Trials (start, training, success) of (starts, trainings) successes."""
    return [(start, training, bool(won[start, training])) for start, training in np.ndindex(won.shape)]


@given(st.integers(2, 12), st.integers(1, 4), st.randoms(use_true_random=False))
def test_a_crossed_interval_holds_the_rate_and_is_no_narrower_than_independent_trials(starts, trainings, random):
    won = np.array([[random.random() < 0.7 for _ in range(trainings)] for _ in range(starts)])
    low, high = crossed_interval(crossed(won))
    wilson_low, wilson_high = wilson_interval(int(won.sum()), won.size)
    assert 0.0 <= low <= won.mean() + 1e-12 and won.mean() <= high + 1e-12 <= 1.0 + 1e-12
    assert low <= wilson_low + 1e-9 and high >= wilson_high - 1e-9


def test_one_training_s_interval_is_that_over_its_starts_and_all_successes_count_for_as_many_starts():
    won = np.random.default_rng(0).random((50, 1)) < 0.8
    assert crossed_interval(crossed(won)) == grouped_interval([(int(one), 1) for one in won[:, 0]])
    assert crossed_interval(crossed(np.ones((50, 3), bool))) == grouped_interval([(3, 3)] * 50)


def test_a_crossed_interval_covers_the_rate_of_trainings_and_starts_that_are_drawn():
    """Starts and trainings with ease and skill of their own: grouped by starts alone they claim too much."""
    rng, covered = np.random.default_rng(0), np.zeros(2)
    for _ in range(400):
        ease, skill = rng.normal(0.0, 0.15, (50, 1)), rng.normal(0.0, 0.12, (1, 4))
        won = rng.random((50, 4)) < 0.6 + ease + skill
        by_start = grouped_interval([(int(row.sum()), 4) for row in won])
        covered += [low <= 0.6 <= high for low, high in (crossed_interval(crossed(won)), by_start)]
    assert covered[0] / 400 > 0.92 and covered[1] / 400 < 0.8
