"""What a study is of: tasks, methods, training seeds, one budget for all, and the seeds to choose and to report on.

One YAML file describes it. Budgets are given once, so methods in a table cannot differ in them; what suits a task (the
shift of its images) is given by task, for all methods alike.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from ament_index_python.packages import get_package_share_directory
from msgspec import Meta

from vital_core.errors import ErrorCode, VitalError
from vital_core.files import safe_file, schema
from vital_core.files.schema import Count, Name, NotNegative, Positive, Source
from vital_core.observation import Axis
from vital_core.seeds import FIRST_PRACTISED_SEED, MAX_ATTEMPTS, RETRY_STRIDE
from vital_core.task import load_task
from vital_sim.demonstrator.disturbance import Disturbance
from vital_sim.world.variation import ALL_SETTINGS, LIE_ON_THE_TABLE, TILTS_DEG

FORMAT = "vital_study/1"
MOST_BYTES = 100_000
AtLeastOne = Annotated[int, Meta(ge=1, le=10**9)]
Pixels = Annotated[int, Meta(ge=0, le=32)]
TrainingSeed = Annotated[int, Meta(ge=0, le=10**6)]


@dataclass(frozen=True)
class Method:
    """How a method of the tables is made."""

    cloned: str
    """`train_bc --method`: what is cloned, and for a residual what lies under it."""
    residual: tuple[str, ...] | None = None
    """Options of `train_residual`; None: nothing is learned on top."""


METHODS = {
    "baku": Method("baku"),
    "visk": Method("visk"),
    "visual_bc": Method("visual_bc"),
    "vital_bc": Method("vital_bc"),
    "rlpd": Method("vital_bc", ("--rlpd",)),
    "vital": Method("vital_bc", ()),
    "vital_residual_without_touch": Method("vital_bc", ("--without-touch",)),
    "vital_without_touch": Method("visual_bc", ()),
    "visual_residual": Method("baku", ()),
}


@dataclass(frozen=True)
class Demonstrations:
    """What is learned from: episodes by the scripted operator, or what a person recorded."""

    episodes: AtLeastOne | None = None
    """How many of each task; None: what the task asks for."""
    seed: Count = 0
    start_yaw_deg: NotNegative = 20.0
    noise: NotNegative = 1.0
    strays: Count = 0
    stray_turn_deg: NotNegative = 0.0
    background: Name = "green"
    recordings: dict[Name, tuple[Name, ...]] = field(default_factory=dict)
    """Folders of sessions by task, instead of the scripted operator's episodes."""

    def __post_init__(self) -> None:
        # Refuses what recording would, before anything is made.
        Disturbance(self.start_yaw_deg, self.noise, self.strays, self.stray_turn_deg)

    def episodes_of(self, task: str) -> int:
        """How many the scripted operator gives."""
        return load_task(task).demonstrations if self.episodes is None else self.episodes


@dataclass(frozen=True)
class Cloning:
    """The budget of behaviour cloning, of every method and task; what is None is the preset's."""

    preset: Literal["cpu", "paper"] = "cpu"
    iterations: AtLeastOne | None = None
    coarse_iterations: Count | None = None
    batch: AtLeastOne | None = None
    learning_rate: Positive | None = None
    loss: Literal["square", "variance", "tip", "relative"] | None = None
    answer_at: Literal["tcp", "tip"] | None = None
    """Whose way the networks answer with; rounds that follow keep it."""
    holdout: Count | None = None
    blur_px: NotNegative | None = None
    """By how much half of the images are out of focus, at most."""
    precision: Literal["float32", "bfloat16"] | None = None
    """Of matrix products; None: the fastest of the processor, so that the figures are that processor's."""
    shift_px: dict[Name, Pixels] = field(default_factory=dict)
    """How far images are shifted, by task."""
    still: dict[Name, tuple[Axis, ...]] = field(default_factory=dict)
    """Along and about what the hand is not moved, by task."""


@dataclass(frozen=True)
class Following:
    """Rounds in which the operator follows each cloned policy (DAgger, Ross et al. 2011), which is then cloned again
    from all episodes so far, its weights to begin with. Each method follows its own, and all have the same rounds."""

    seed: Count
    """Of the first round's first episode; the next round's follow."""
    rounds: Annotated[int, Meta(ge=1, le=20)] = 1
    episodes: AtLeastOne = 192
    """Of a round."""
    push: NotNegative = 0.02
    """To one side, of the policy that is followed, in shares of the largest step."""
    start_yaw_deg: NotNegative = 8.0
    strays: Count = 0
    iterations: AtLeastOne = 1000
    """Of cloning, a round."""
    learning_rate: Positive = 3e-4

    def __post_init__(self) -> None:
        Disturbance(self.start_yaw_deg, strays=self.strays, push=self.push)

    def seeds_of(self, number: int) -> range:
        """Of the episodes of a round, the first of which is 1."""
        first = self.seed + (number - 1) * self.episodes
        return range(first, first + self.episodes)


@dataclass(frozen=True)
class Residual:
    """The budget of residual learning, of every method and task."""

    steps: AtLeastOne = 16_000
    updates_per_step: AtLeastOne = 16
    batch: AtLeastOne = 256
    variants: AtLeastOne = 4
    learning_rate: Positive | None = None
    actor_l2: NotNegative | None = None
    residual_cost: NotNegative | None = None
    """Of the squares of what is added, where a success is worth 1."""
    first_reach: Annotated[float, Meta(gt=0.0, le=1.0)] | None = None
    """What of its reach the residual begins with; None: the whole."""
    reach_steps: AtLeastOne | None = None
    """After how many it has the whole."""
    prior: Demonstrations | None = None
    """Prior data of its own, by the scripted operator; None: what is cloned from, without what follows a policy."""


@dataclass(frozen=True)
class Measured:
    """Trials of a policy: seeds ``first_seed`` and the following, in each setting."""

    first_seed: Count
    trials: AtLeastOne
    settings: tuple[Name, ...] = ("in_domain",)

    @property
    def seeds(self) -> range:
        """Of the trials."""
        return range(self.first_seed, self.first_seed + self.trials)


@dataclass(frozen=True)
class Study:
    """The whole. Raises VitalError(BAD_PARAMETER) for what cannot be, seeds that serve two purposes among it."""

    format: Literal["vital_study/1"]
    title: Name
    tasks: tuple[Name, ...]
    methods: tuple[Name, ...]
    choosing: Measured
    """What settings are decided on; may be looked at as often as one likes."""
    reporting: Measured
    """What is said in the end; looked at once."""
    training_seeds: tuple[TrainingSeed, ...] = (0,)
    training_seeds_of: dict[Name, tuple[TrainingSeed, ...]] = field(default_factory=dict)
    """By task, where they are others."""
    demonstrations: Demonstrations = field(default_factory=Demonstrations)
    cloning: Cloning = field(default_factory=Cloning)
    following: Following | None = None
    """None: policies are cloned once."""
    residual: Residual = field(default_factory=Residual)

    def __post_init__(self) -> None:
        self._refuse_unknown("methods", self.methods, tuple(METHODS))
        for task in self.tasks:
            load_task(task)
        for name, given in self._by_task().items():
            self._refuse_unknown(name, tuple(given), self.tasks)
        for name, measured in (("choosing", self.choosing), ("reporting", self.reporting)):
            self._refuse_unknown(f"{name}.settings", measured.settings, ALL_SETTINGS)
        self._refuse_repeated_and_empty()
        self._refuse_shared_seeds()

    def seeds_of(self, task: str) -> tuple[int, ...]:
        """Training seeds of a task."""
        return self.training_seeds_of.get(task, self.training_seeds)

    def rounds(self) -> range:
        """In which policies are followed; the first is 1."""
        return range(1, 1 if self.following is None else 1 + self.following.rounds)

    def settings_of(self, task: str, measured: Measured) -> tuple[str, ...]:
        """Settings that a task has: what lies on the table is not tilted."""
        tilts = tuple(TILTS_DEG) if task in LIE_ON_THE_TABLE else ()
        return tuple(setting for setting in measured.settings if setting not in tilts)

    def _by_task(self) -> dict[str, dict]:
        return {
            "training_seeds_of": self.training_seeds_of,
            "demonstrations.recordings": self.demonstrations.recordings,
            "residual.prior.recordings": self.residual.prior.recordings if self.residual.prior else {},
            "cloning.shift_px": self.cloning.shift_px,
            "cloning.still": self.cloning.still,
        }

    def _refuse_unknown(self, name: str, given: tuple[str, ...], known: tuple[str, ...]) -> None:
        if unknown := [one for one in given if one not in known]:
            raise _bad(f"{name} has {', '.join(unknown)}, expected some of {', '.join(known)}")

    def _refuse_repeated_and_empty(self) -> None:
        lists = {
            "tasks": self.tasks,
            "methods": self.methods,
            "training_seeds": self.training_seeds,
            "choosing.settings": self.choosing.settings,
            "reporting.settings": self.reporting.settings,
            **{f"training_seeds_of.{task}": seeds for task, seeds in self.training_seeds_of.items()},
            **{f"recordings of {task}": folders for task, folders in self.demonstrations.recordings.items()},
        }
        for name, given in lists.items():
            if not given or len(set(given)) != len(given):
                raise _bad(f"{name} is {list(given)}, expected at least one, each once")

    def _refuse_shared_seeds(self) -> None:
        if shared := _both(self.choosing.seeds, self.reporting.seeds):
            raise _bad(f"seed {shared[0]} is to choose by and to report, expected seeds of their own for each")
        for name, measured in (("choosing", self.choosing), ("reporting", self.reporting)):
            if measured.seeds.stop > FIRST_PRACTISED_SEED:
                raise _bad(
                    f"seed {measured.seeds[-1]} of {name} may be practised on, expected below {FIRST_PRACTISED_SEED}"
                )
            for shown in self._shown_seeds():
                for attempt in range(MAX_ATTEMPTS):
                    tried = range(shown.start + attempt * RETRY_STRIDE, shown.stop + attempt * RETRY_STRIDE)
                    if shared := _both(tried, measured.seeds):
                        raise _bad(
                            f"seed {shared[0]} of {name} may be a demonstration's, expected seeds none trained on"
                        )

    def _shown_seeds(self) -> Iterator[range]:
        for told in (self.demonstrations, self.residual.prior):
            if told is not None:
                yield from (range(told.seed, told.seed + told.episodes_of(task)) for task in self.tasks)
        if self.following is not None:
            yield from map(self.following.seeds_of, self.rounds())


def _both(a: range, b: range) -> range:
    return range(max(a.start, b.start), min(a.stop, b.stop))


def _bad(what: str) -> VitalError:
    return VitalError(ErrorCode.BAD_PARAMETER, f"study: {what}")


def shipped_studies() -> dict[str, Path]:
    """By name."""
    folder = Path(get_package_share_directory("vital_bringup")) / "studies"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def read_study(name: str) -> Study:
    """A shipped study by its name, or one's own by its file. Raises VitalError(BAD_PARAMETER)."""
    path = shipped_studies().get(name, Path(name))
    source = Source(f"study {name}", ErrorCode.BAD_PARAMETER, f"give a file or one of {', '.join(shipped_studies())}")
    try:
        text = safe_file.read_bytes(path, MOST_BYTES)
    except OSError as error:
        raise source.refuse(f"cannot be read ({error.strerror})") from error
    return schema.from_yaml(text, Study, source)
