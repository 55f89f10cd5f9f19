"""The few statistics that every report quotes."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import bdtr, stdtrit


def wilson_interval(successes: int, trials: int, z: float = 1.96) -> tuple[float, float]:
    """95 % interval of a success rate (Wilson 1927); (0, 1) for no trials."""
    if not 0 <= successes <= trials:
        raise ValueError(f"{successes} successes of {trials} trials")
    if trials == 0:
        return 0.0, 1.0
    return _wilson(successes / trials, trials, z)


def _wilson(rate: float, trials: float, z: float) -> tuple[float, float]:
    centre = rate + z * z / (2 * trials)
    half = z * math.sqrt(rate * (1 - rate) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)


def grouped_interval(groups: Sequence[tuple[int, int]]) -> tuple[float, float]:
    """95 % interval of a success rate over groups of (successes, trials) that share something: a start that several
    policies met, a look in which several trials were.

    Wilson's, for as many independent trials as these are worth (Rao and Scott 1992) and with Student's t for the few
    groups. They are worth no more than they are; where all succeed or all fail, no more than there are groups.
    """
    counted = [(successes, trials) for successes, trials in groups if trials]
    if any(not 0 <= successes <= trials for successes, trials in groups):
        raise ValueError(f"groups of (successes, trials) are {list(groups)}")
    if len(counted) < 2:
        return 0.0, 1.0
    trials, count = sum(n for _, n in counted), len(counted)
    rate = sum(s for s, _ in counted) / trials
    binomial = rate * (1 - rate) / trials
    effect = trials / count if binomial == 0.0 else _variance_between(counted, rate, trials) / binomial
    return _wilson(rate, trials / max(1.0, effect), float(stdtrit(count - 1, 0.975)))


def crossed_interval(outcomes: Sequence[tuple[int, int, bool]]) -> tuple[float, float]:
    """95 % interval of a success rate over trials (start or look, training seed, success), the policy of each training
    on the same starts: for another start and another training.

    Wilson's, for as many independent trials as these are worth when both are drawn: the variance is that between starts
    plus that between trainings less what is counted twice (Cameron, Gelbach and Miller 2011), at least that of
    independent trials, with Student's t for the few of either (Satterthwaite 1946). Where all succeed or all fail they
    are worth as many trials as there are starts.
    """
    by_start, by_training = (_grouped((trial[k], trial[2]) for trial in outcomes) for k in (0, 1))
    if len(by_training) < 2 or len(by_start) < 2:
        return grouped_interval(by_start)
    trials = len(outcomes)
    rate = sum(success for *_, success in outcomes) / trials
    binomial = rate * (1 - rate) / trials
    if binomial == 0.0:
        return grouped_interval(by_start)
    between = [_variance_between(groups, rate, trials) for groups in (by_start, by_training)]
    variance = max(sum(between) - binomial, binomial)
    freedom = sum(v * v / (len(groups) - 1) for v, groups in zip(between, (by_start, by_training), strict=True))
    t = float(stdtrit(max(1.0, sum(between) ** 2 / freedom), 0.975)) if freedom else 1.96
    return _wilson(rate, trials * binomial / variance, t)


def _grouped(outcomes: Iterable[tuple[int, bool]]) -> list[tuple[int, int]]:
    """Successes and trials of each group."""
    found: dict[int, tuple[int, int]] = {}
    for group, success in outcomes:
        successes, trials = found.get(group, (0, 0))
        found[group] = successes + success, trials + 1
    return list(found.values())


def _variance_between(groups: Sequence[tuple[int, int]], rate: float, trials: int) -> float:
    """Of the rate, of independent groups of (successes, trials)."""
    count = len(groups)
    return count / (count - 1) * sum((s - rate * n) ** 2 for s, n in groups) / trials**2


def percentile(values: Sequence[float], percent: float) -> float:
    """Percentile of the finite values; NaN when there is none."""
    finite = np.asarray([v for v in values if math.isfinite(v)])
    return float(np.percentile(finite, percent)) if finite.size else math.nan


@dataclass(frozen=True)
class PairedComparison:
    """Two methods on the same trials. both, only_a, only_b, neither: how many trials each succeeded in.

    p_value: McNemar's exact test (1947) that the trials in which only one succeeded favour neither.
    difference, interval: rate of a minus rate of b, and Newcombe's 95 % interval for pairs (1998, method 10).
    """

    both: int
    only_a: int
    only_b: int
    neither: int
    p_value: float
    difference: float
    interval: tuple[float, float]


def compare_pairs(a: Sequence[bool], b: Sequence[bool]) -> PairedComparison:
    """Compare two methods trial by trial. Raises ValueError when they were not run on as many trials, or on none."""
    if len(a) != len(b) or not len(a):
        raise ValueError(f"{len(a)} and {len(b)} trials, expected as many of both and at least one")
    pairs = list(zip(map(bool, a), map(bool, b), strict=True))
    counts = [pairs.count(kind) for kind in ((True, True), (True, False), (False, True), (False, False))]
    both, only_a, only_b, neither = counts
    unlike = only_a + only_b
    # scipy.stats has a function for it, and takes 1.5 s to load in every node that says an interval.
    p_value = min(1.0, 2.0 * float(bdtr(min(only_a, only_b), unlike, 0.5)))
    difference = (only_a - only_b) / len(pairs)
    return PairedComparison(both, only_a, only_b, neither, p_value, difference, _paired_interval(*counts))


def _paired_interval(both: int, only_a: int, only_b: int, neither: int) -> tuple[float, float]:
    trials = both + only_a + only_b + neither
    rate_a, rate_b = (both + only_a) / trials, (both + only_b) / trials
    low_a, high_a = wilson_interval(both + only_a, trials)
    low_b, high_b = wilson_interval(both + only_b, trials)
    margins = (both + only_a) * (only_b + neither) * (both + only_b) * (only_a + neither)
    product = both * neither - only_a * only_b
    if margins == 0:
        phi = 0.0
    elif product > trials / 2:
        phi = (product - trials / 2) / math.sqrt(margins)
    else:
        phi = min(product, 0) / math.sqrt(margins)

    def reach(a: float, b: float) -> float:
        return math.sqrt(max(0.0, a * a - 2 * phi * a * b + b * b))

    difference = rate_a - rate_b
    return (
        difference - reach(rate_a - low_a, high_b - rate_b),
        difference + reach(high_a - rate_a, rate_b - low_b),
    )
