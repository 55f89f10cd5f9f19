"""How often a policy succeeds: trials, the cell of a table that they make, and the file that it is kept in.

Trial i of a cell runs on seed + i, which alone decides the start state, so that two policies meet the same ones and
a cell that was cut off goes on where it was.
"""

import functools
import platform
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, fields
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, Protocol

import gymnasium
import numpy as np
from numpy.typing import NDArray

from vital_core.errors import ErrorCode, VitalError
from vital_core.files import safe_file, schema
from vital_core.files.schema import Count, Finite, Name, Source, Text
from vital_core.observation import Action, Observation
from vital_core.statistics import percentile, wilson_interval
from vital_core.task import WINDOW, WristView

FORMAT = "vital_evaluation/1"
MOST_BYTES = 50_000_000
TOLD = "told"


class EvaluatedPolicy(Protocol):
    """A policy as it is measured: one network for any number of episodes at once."""

    def begin(self) -> Any:
        """The memory of a new episode."""

    def act(self, observations: Sequence[Observation], memories: Sequence[Any]) -> list[Action]:
        """One action for each observation; the memories move on."""

    def describe(self) -> dict[str, Any]:
        """What the report says of it; `sha256` tells it from every other, `method` names it in tables."""


@dataclass(frozen=True)
class Cell:
    """One cell of a results table."""

    task: str
    """What was to be done."""
    setting: str
    """Where."""
    seed: int
    """Of the first trial."""
    trials: int
    """How many are wanted."""
    policy: dict[str, Any] = field(default_factory=dict)
    """What it says of itself."""
    start: str = TOLD
    """What says where the target is when an episode begins: `told` by the simulator, or a locator's name."""
    wrist_view: str = WINDOW
    """What the wrist image shows."""
    perturbation: str = ""
    """What is otherwise than where the policy was trained, by its name in `gym.perturbation.PERTURBATIONS`."""

    @property
    def name(self) -> str:
        """Of its file, without the ending."""
        located = "" if self.start == TOLD else "_located"
        perturbed = f"_{self.perturbation}" if self.perturbation else ""
        return f"{self.task}_{self.setting}{perturbed}{located}_{self.policy.get('method') or 'policy'}"

    @property
    def identity(self) -> dict[str, Any]:
        """What must be the same for two runs to be of one cell."""
        of_policy = {name: self.policy.get(name) for name in ("sha256", "residual_sha256", "ensemble_decay")}
        names = ("task", "setting", "seed", "start", "wrist_view", "perturbation")
        of_cell = {name: getattr(self, name) for name in names}
        return {**of_cell, **of_policy}


@dataclass(frozen=True)
class Trial:
    """One finished trial."""

    seed: int
    """Decides the start state."""
    variant: int
    """Of the setting."""
    success: bool
    """Whether the environment called it one."""
    failure: str
    """Empty on success, otherwise the environment's name for the outcome."""
    steps: int
    """Of the policy."""
    actions_refused: int
    """Of the steps."""
    episode_return: float
    """Sum of the rewards."""
    depth_m: float
    """At the end, and so are the others."""
    lateral_m: float
    """Of the tip."""
    travel_m: float
    """Of the card or the block."""
    tick_median_ms: float
    """How long the policy took for an action, for all trials that ran at a time."""
    actions_projected: int = 0
    """Of the steps: carried out along the workspace box. Results of before were refused such actions whole."""


@dataclass(frozen=True)
class CellReport:
    """A cell's file, as `report_of` makes it."""

    format: Literal["vital_evaluation/1"]
    task: Name
    setting: Name
    seed: int
    trials: Count
    policy: dict[str, Any]
    finished: Count
    successes: Count
    success_rate: Finite
    wilson_95: tuple[Finite, Finite]
    failures: dict[str, Count]
    tick_median_ms: Finite
    command: Text
    versions: dict[str, str]
    each: tuple[Trial, ...]
    start: Name = TOLD
    wrist_view: WristView = WINDOW
    perturbation: Text = ""

    def __post_init__(self) -> None:
        for name in ("sha256", "method"):
            if not isinstance(self.policy.get(name), str):
                raise ValueError(f"policy has no {name}, expected one as text")
        told, counted = (self.finished, self.successes), (len(self.each), sum(trial.success for trial in self.each))
        if told != counted:
            raise ValueError(
                f"{told[1]} of {told[0]} trials are said to succeed, expected {counted[1]} of {counted[0]}"
            )


class _Running:
    """An environment in the middle of a trial."""

    def __init__(self, env: gymnasium.Env, policy: EvaluatedPolicy, seed: int) -> None:
        self.env, self.seed = env, seed
        self.seen, self.info = env.reset(seed=seed)
        self.memory = policy.begin()
        self.ticks_ms: list[float] = []
        self.total, self.refused, self.projected = 0.0, 0, 0
        self.over = self.info["outcome"] != "running"

    def observation(self) -> Observation:
        return Observation(self.seen["image"], self.seen["tactile"], t_base_tcp=self.info.get("t_base_tcp"))

    def step(self, action: NDArray[np.float64], tick_ms: float) -> None:
        self.seen, reward, terminated, truncated, self.info = self.env.step(action)
        self.ticks_ms.append(tick_ms)
        self.total += float(reward)
        self.refused += bool(self.info["refused"])
        self.projected += self.info["projected_m"] > 0.0
        self.over = terminated or truncated

    def result(self) -> Trial:
        outcome, info = str(self.info["outcome"]), self.info
        return Trial(
            seed=self.seed,
            variant=int(info["variant"]),
            success=outcome == "success",
            failure="" if outcome == "success" else outcome,
            steps=len(self.ticks_ms),
            actions_refused=self.refused,
            actions_projected=self.projected,
            episode_return=self.total,
            depth_m=float(info["depth_m"]),
            lateral_m=float(info["lateral_m"]),
            travel_m=float(info["travel_m"]),
            tick_median_ms=percentile(self.ticks_ms, 50) if self.ticks_ms else 0.0,
        )


def run_trials(envs: Sequence[gymnasium.Env], policy: EvaluatedPolicy, seeds: Sequence[int]) -> Iterator[Trial]:
    """One trial a seed, as many at a time as there are environments, with one call of the network a tick for all."""
    free, waiting, running = list(envs), list(seeds), list[_Running]()
    while waiting or running:
        while free and waiting:
            running.append(_Running(free.pop(0), policy, waiting.pop(0)))
        # One whose target was not located is over as it begins.
        if going := [trial for trial in running if not trial.over]:
            start = time.perf_counter()
            actions = policy.act([trial.observation() for trial in going], [trial.memory for trial in going])
            tick_ms = 1000 * (time.perf_counter() - start)
            for trial, action in zip(going, actions, strict=True):
                trial.step(action.to_array(), tick_ms)
        for trial in running:
            if trial.over:
                yield trial.result()
                free.append(trial.env)
        running = [trial for trial in running if not trial.over]


@functools.cache
def versions() -> dict[str, str]:
    """Of what decides a figure: the packages behind physics, images and network, and the source's own commit."""
    found = {name: _version(name) for name in ("mujoco", "numpy", "onnxruntime", "opencv-python-headless", "torch")}
    return {"python": platform.python_version(), **found, "commit": _commit()}


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def _commit() -> str:
    """Of the working directory's source, with a mark where it was changed since; `unknown` outside of it."""
    try:
        call = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
        return subprocess.run(call, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def report_of(cell: Cell, trials: Sequence[Trial], command: str) -> dict[str, Any]:
    """The cell's JSON: its trials in the order of their seeds, and what they come to."""
    done = sorted(trials, key=lambda t: t.seed)
    successes = sum(t.success for t in done)
    return {
        "format": FORMAT,
        **asdict(cell),
        "finished": len(done),
        "successes": successes,
        "success_rate": successes / len(done) if done else 0.0,
        "wilson_95": wilson_interval(successes, len(done)),
        "failures": dict(Counter(t.failure for t in done if not t.success)),
        "tick_median_ms": percentile([t.tick_median_ms for t in done], 50) if done else 0.0,
        "command": command,
        "versions": versions(),
        "each": [asdict(t) for t in done],
    }


def write_report(path: Path, cell: Cell, trials: Sequence[Trial], command: str) -> None:
    """Replace the cell's file."""
    safe_file.write_json(path, report_of(cell, trials, command))


def read_report(path: Path) -> dict[str, Any]:
    """A cell's JSON. Raises VitalError(BAD_PARAMETER) for another file, or one that is not whole."""
    source = Source(f"result {path}", ErrorCode.BAD_PARAMETER, "measure it again with `evaluate` and another --out")
    try:
        report = schema.plain_json(safe_file.read_bytes(Path(path), MOST_BYTES), source, MOST_BYTES)
    except OSError as error:
        raise source.refuse(f"cannot be read ({error})") from error
    if not isinstance(report, dict) or report.get("format") != FORMAT:
        found = report.get("format") if isinstance(report, dict) else type(report).__name__
        raise VitalError(ErrorCode.BAD_PARAMETER, f"result {path} has format '{found}', expected '{FORMAT}'")
    schema.checked(report, CellReport, source)
    return report


def finished_trials(path: Path, cell: Cell) -> list[Trial]:
    """What an earlier run of this cell has done. Raises VitalError(BAD_PARAMETER) for a file of another cell."""
    if not Path(path).is_file():
        return []
    report = read_report(path)
    told = {"start": TOLD, "wrist_view": WINDOW, "perturbation": "", **report}  # what results of before do not say
    found = Cell(**{each.name: told[each.name] for each in fields(Cell)}).identity
    if found != cell.identity:
        different = [f"{k} {found[k]}, expected {v}" for k, v in cell.identity.items() if found[k] != v]
        raise VitalError(
            ErrorCode.BAD_PARAMETER, f"result {path} is of another cell: {'; '.join(different)}; give another --out"
        )
    wanted = range(cell.seed, cell.seed + cell.trials)
    return [Trial(**trial) for trial in report["each"] if trial["seed"] in wanted]
