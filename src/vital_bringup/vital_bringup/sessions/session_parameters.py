"""What deploy, record and train are asked for: their ROS parameters."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from vital_core.files.safe_file import check_writable
from vital_core.labeller import AUTO, Labeller, choose_labeller
from vital_core.task import load_task

LONGEST_START_S = 3600.0
LARGEST_SEED = 2**53
StartTimeout = Annotated[
    float, Meta(ge=0.0, le=LONGEST_START_S, description="how long a part may stay away at the start, s")
]
Seed = Annotated[int, Meta(ge=0, le=LARGEST_SEED, description="of the first scene and start pose; counts up")]


@dataclass(frozen=True)
class SessionParameters:
    """What every client is told. Raises VitalError(UNKNOWN_TASK)."""

    task: Annotated[str, Meta(description="what is done; one of the tasks of vital_core")] = "usb_insertion"
    hardware: Annotated[
        Literal["sim", "mock", "robot"], Meta(description="what is at the bottom; a simulator lays scenes when told")
    ] = "sim"
    start_timeout_s: StartTimeout = 90.0

    def __post_init__(self) -> None:
        load_task(self.task)

    @property
    def simulated(self) -> bool:
        """Whether a simulator can be told to lay a new scene."""
        return self.hardware == "sim"

    @property
    def who_labels(self) -> Labeller:
        """Who says whether an episode has succeeded."""
        return Labeller.OPERATOR


@dataclass(frozen=True)
class DeployParameters(SessionParameters):
    """What a deployment is asked to do. Raises VitalError(BAD_PARAMETER) for a report that cannot be written."""

    prompt: Annotated[str, Meta(description="the sentence; empty: the task's own")] = ""
    trials: Annotated[int, Meta(ge=1, le=1_000_000, description="how many")] = 1
    seed: Seed = 1000
    pointing: Annotated[str, Meta(description="what finds the named thing, for the report")] = "embedded"
    report: Annotated[str, Meta(description="JSON file for the report; empty or none: no report")] = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.report_path is not None:
            check_writable(self.report_path, f"report:={self.report}")

    @property
    def report_path(self) -> Path | None:
        """Where the report goes."""
        return None if self.report in ("", "none") else Path(self.report)

    @property
    def sentence(self) -> str:
        """What the system is told."""
        return self.prompt or load_task(self.task).prompt


@dataclass(frozen=True)
class RecordParameters(SessionParameters):
    """What a session of demonstrations is asked to be."""

    operator: Annotated[str, Meta(description="name of who shows it, kept with every episode")] = ""
    seed: Seed = 0
    episodes: Annotated[
        int, Meta(ge=0, le=1_000_000, description="how many good demonstrations; 0: what the task asks for")
    ] = 0


@dataclass(frozen=True)
class TrainParameters(SessionParameters):
    """What a training is asked to be. Raises VitalError(BAD_PARAMETER) where nobody could label."""

    start_timeout_s: StartTimeout = 120.0
    labeller: Annotated[str, Meta(description="sim_truth or operator; auto: sim_truth where it is known")] = AUTO
    seed: Seed = 100_000
    steps: Annotated[int, Meta(ge=0, le=10**9, description="environment steps to learn from")] = 16_000

    def __post_init__(self) -> None:
        super().__post_init__()
        choose_labeller(self.labeller, simulated=self.simulated)

    @property
    def who_labels(self) -> Labeller:
        """As in `SessionParameters`."""
        return choose_labeller(self.labeller, simulated=self.simulated)
