"""All cells of a folder of results, the paper's beside them, and the comparisons that pairing allows."""

import functools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from itertools import combinations
from pathlib import Path
from typing import Any

import yaml

from vital_core.errors import ErrorCode, VitalError
from vital_core.statistics import PairedComparison, compare_pairs, crossed_interval, grouped_interval, wilson_interval
from vital_sim import TASKS
from vital_sim.evaluation.evaluation import TOLD, read_report
from vital_sim.world.variation import LOOK_SETTINGS, SETTINGS

# In the order of the paper's tables; others follow by name.
METHODS = {
    "baku": "BAKU",
    "visk": "ViSk",
    "visual_bc": "ViTaL-BC, blind to touch",
    "vital_bc": "ViTaL-BC",
    "rlpd": "RLPD",
    "vital": "ViTaL",
    "vital_residual_without_touch": "ViTaL, a residual that does not feel",
    "vital_without_touch": "ViTaL, blind to touch",
}


@dataclass(frozen=True)
class Rate:
    """Successes of trials, with the 95 % interval of Wilson."""

    successes: int
    trials: int

    @property
    def share(self) -> float:
        """Between 0 and 1."""
        return self.successes / self.trials

    @property
    def interval(self) -> tuple[float, float]:
        """95 %, between 0 and 1."""
        return wilson_interval(self.successes, self.trials)

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.successes}/{self.trials} ({100 * low:.0f} to {100 * high:.0f} %)"


@dataclass(frozen=True)
class GroupedRate(Rate):
    """Successes of trials in groups that share something; the interval knows it."""

    groups: tuple[tuple[int, int], ...]
    """Successes and trials of each."""
    names: tuple[int, ...] = ()
    """What each group shares, by its number: a start, a variant."""

    @property
    def interval(self) -> tuple[float, float]:
        """95 %, between 0 and 1; see `grouped_interval`."""
        return grouped_interval(self.groups)

    @classmethod
    def of(cls, outcomes: Iterable[tuple[int, bool]]) -> "GroupedRate":
        """Of trials' (group, success)."""
        found: dict[int, tuple[int, int]] = {}
        for group, success in outcomes:
            successes, trials = found.get(group, (0, 0))
            found[group] = successes + success, trials + 1
        names = tuple(sorted(found))
        groups = tuple(found[group] for group in names)
        return cls(sum(s for s, _ in groups), sum(n for _, n in groups), groups, names)


@dataclass(frozen=True)
class CrossedRate(Rate):
    """Successes of several policies in the same trials: of several trainings, say."""

    outcomes: tuple[tuple[int, int, bool], ...]
    """Start (look, where looks are drawn), policy, success."""

    @property
    def interval(self) -> tuple[float, float]:
        """95 %, between 0 and 1, for another start or look and another policy; see `crossed_interval`."""
        return crossed_interval(self.outcomes)

    @classmethod
    def of(cls, reports: Iterable[Mapping[str, Any]]) -> "CrossedRate":
        """Of cells of one task and setting."""
        outcomes = tuple(
            (t["variant" if report["setting"] in LOOK_SETTINGS else "seed"], policy, bool(t["success"]))
            for policy, report in enumerate(reports)
            for t in report["each"]
        )
        return cls(sum(success for *_, success in outcomes), len(outcomes), outcomes)


@dataclass(frozen=True)
class Pair:
    """Two methods on the same seeds of one task and setting."""

    task: str
    """What was to be done."""
    setting: str
    """Where."""
    a: str
    """The method that comes later in `METHODS`."""
    b: str
    """The other one."""
    comparison: PairedComparison
    """Of a with b."""


class Results:
    """Reports by task, setting and method, of the paper's settings with the start told.

    located: where it was not, and tilted ones. perturbed: by task, perturbation and method, where something else was
    otherwise.
    """

    def __init__(self, reports: list[dict[str, Any]]) -> None:
        usual = [r for r in reports if not r.get("perturbation")]
        told = [r for r in usual if r.get("start", TOLD) == TOLD and r["setting"] in (*SETTINGS, *LOOK_SETTINGS)]
        self._cells = {(r["task"], r["setting"], r["policy"]["method"]): r for r in told}
        self.located = [r for r in usual if r not in told]
        self.perturbed = {
            (r["task"], r["perturbation"], r["policy"]["method"]): r for r in reports if r.get("perturbation")
        }

    @classmethod
    def read(cls, folder: Path) -> "Results":
        """Every cell's file of a folder. Raises VitalError(BAD_PARAMETER) when there is none or one is no result."""
        paths = sorted(Path(folder).glob("*.json"))
        if not paths:
            raise VitalError(
                ErrorCode.BAD_PARAMETER, f"no result in {folder}: make some with 'ros2 run vital_sim evaluate'"
            )
        return cls([report for path in paths if (report := read_report(path))["finished"]])

    @property
    def methods(self) -> list[str]:
        """Those that there are, in the order of the paper."""
        found = {method for _, _, method in (*self._cells, *self.perturbed)}
        return [*(m for m in METHODS if m in found), *sorted(found - set(METHODS))]

    @property
    def tasks(self) -> list[str]:
        """Those that there are."""
        return [task for task in TASKS if any(t == task for t, _, _ in (*self._cells, *self.perturbed))]

    @property
    def settings(self) -> list[str]:
        """The paper's settings that anything was measured in, in its order."""
        return [setting for setting in SETTINGS if any(s == setting for _, s, _ in self._cells)]

    def report(self, task: str, setting: str, method: str) -> Mapping[str, Any] | None:
        """One cell's report, None where it was not measured."""
        return self._cells.get((task, setting, method))

    def rate(self, task: str, setting: str, method: str) -> Rate | None:
        """One cell's successes, None where it was not measured."""
        report = self.report(task, setting, method)
        return None if report is None else Rate(report["successes"], report["finished"])

    def by_variant(self, task: str, setting: str, method: str) -> GroupedRate | None:
        """A cell's successes by place or look, None where it was not measured."""
        report = self.report(task, setting, method)
        return GroupedRate.of((t["variant"], t["success"]) for t in report["each"]) if report else None

    def pooled(self, task: str, setting: str, methods: Iterable[str]) -> CrossedRate:
        """Successes of several methods, or of several training seeds' policies, which met the same starts."""
        return CrossedRate.of(r for method in methods if (r := self.report(task, setting, method)))

    def pairs(self) -> Iterator[Pair]:
        """Every two methods that ran on the same seeds."""
        for task, setting in dict.fromkeys((task, setting) for task, setting, _ in self._cells):
            for b, a in combinations(self.methods, 2):
                of_a, of_b = (self._outcomes(task, setting, m) for m in (a, b))
                common = sorted(of_a.keys() & of_b.keys())
                if common:
                    comparison = compare_pairs([of_a[s] for s in common], [of_b[s] for s in common])
                    yield Pair(task, setting, a, b, comparison)

    def against_usual(self, report: Mapping[str, Any]) -> PairedComparison | None:
        """A perturbed cell against the same trials as they are in domain; None where none were measured."""
        usual = self._outcomes(report["task"], SETTINGS[0], report["policy"]["method"])
        otherwise = {t["seed"]: t["success"] for t in report["each"]}
        common = sorted(usual.keys() & otherwise.keys())
        return compare_pairs([otherwise[s] for s in common], [usual[s] for s in common]) if common else None

    def _outcomes(self, task: str, setting: str, method: str) -> dict[int, bool]:
        report = self.report(task, setting, method)
        return {t["seed"]: t["success"] for t in report["each"]} if report else {}


def name_of(method: str) -> str:
    """As it is called in tables."""
    return METHODS.get(method, method)


def paper_rate(task: str, setting: str, method: str) -> Rate | None:
    """What the paper reports, None where it reports nothing."""
    paper = _paper()
    successes = paper["successes"].get(method, {}).get(setting, {}).get(task)
    return None if successes is None else Rate(successes, paper["trials"][setting])


@functools.cache
def _paper() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load(resources.files("vital_sim").joinpath("paper_results.yaml").read_text())
    return read
