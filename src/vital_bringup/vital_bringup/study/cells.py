"""What a study consists of: cells, each one command with what it reads and what it makes, in an order that can be run.

Nothing here runs anything. A cell is told from others by its command and the hashes of what it reads: it is the same
wherever the study's folder lies, and another as soon as a setting, a recording or a policy under it is another.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from vital_bringup.study.description import METHODS, Measured, Study
from vital_core.files import safe_file
from vital_sim.world.variation import LOCATED


class Stage(StrEnum):
    """Of what a cell is part, in order."""

    DEMONSTRATIONS = "demonstrations"
    CLONED = "cloned"
    LEARNED = "learned"
    CHOOSING = "choosing"
    REPORTING = "reporting"


@dataclass(frozen=True)
class Cell:
    """One command. A `Path` in it lies in the study's folder."""

    stage: Stage
    task: str
    program: tuple[str, str]
    """Package and executable."""
    arguments: tuple[str | Path, ...]
    """That decide what comes out."""
    how: tuple[str, ...]
    """Further ones, that do not."""
    product: Path
    """A file, or a folder's files by a pattern."""
    method: str = ""
    training_seed: int = 0
    setting: str = ""
    after: tuple[str, ...] = ()
    """Names of the cells whose products it reads."""
    reads: tuple[str, ...] = ()
    """What it reads from elsewhere: files and folders."""

    @property
    def name(self) -> str:
        """By which it is told and redone."""
        seed = f"seed_{self.training_seed}" if self.method else ""
        return "/".join(part for part in (self.stage, self.task, self.method, seed, self.setting) if part)

    @property
    def file_name(self) -> str:
        """Of its record and log, without ending."""
        return self.name.replace("/", ".")

    def command(self, folder: Path) -> list[str]:
        """As it is run on a study in ``folder``."""
        told = [str(folder / part) if isinstance(part, Path) else part for part in self.arguments]
        return ["ros2", "run", *self.program, *told, *self.how]

    def inputs(self, hashes: Mapping[str, str]) -> dict[str, str]:
        """Everything that decides what comes out, by name. hashes: of what `after` made, and of what it `reads`."""
        told = [f"STUDY/{part}" if isinstance(part, Path) else part for part in self.arguments]
        return {
            "command": " ".join([*self.program, *told]),
            **{name: hashes[name] for name in (*self.after, *self.reads)},
        }


def identity_of(inputs: Mapping[str, str]) -> str:
    """Hash of a cell's `inputs`."""
    return safe_file.sha256(json.dumps(inputs, sort_keys=True).encode())


def cells_of(study: Study) -> tuple[Cell, ...]:
    """All cells, each after those that it reads."""
    cells: dict[str, Cell] = {}
    for task in study.tasks:
        for cell in _of_task(study, task):
            cells.setdefault(cell.name, cell)
    return tuple(sorted(cells.values(), key=lambda cell: list(Stage).index(cell.stage)))


def _of_task(study: Study, task: str) -> Iterator[Cell]:
    collected = None if task in study.demonstrations.recordings else _collected(study, task)
    if collected:
        yield collected
    for seed in study.seeds_of(task):
        for name in study.methods:
            cloned = made = _cloned(study, task, METHODS[name].cloned, seed, collected)
            yield cloned
            if METHODS[name].residual is not None:
                made = _learned(study, task, name, seed, cloned, collected)
                yield made
            for stage, measured in ((Stage.CHOOSING, study.choosing), (Stage.REPORTING, study.reporting)):
                for setting in study.settings_of(task, measured):
                    yield _measured(stage, measured, setting, name, cloned, made)


def _collected(study: Study, task: str) -> Cell:
    told, folder = study.demonstrations, Path("demonstrations") / task
    arguments = (
        *("--task", task, "--episodes", str(study.episodes_of(task)), "--seed", str(told.seed), "--out", folder),
        *("--start-yaw-deg", f"{told.start_yaw_deg:g}", "--noise", f"{told.noise:g}", "--background", told.background),
        *("--strays", str(told.strays)),
    )
    program = ("vital_sim", "collect_demos")
    how = ("--workers", "1")
    return Cell(Stage.DEMONSTRATIONS, task, program, arguments, how, folder / "episode_*.safetensors")


def _shown(study: Study, task: str, collected: Cell | None) -> tuple[str | Path, ...]:
    """Folders of the demonstrations."""
    return (collected.product.parent,) if collected else study.demonstrations.recordings[task]


def _read_from(study: Study, task: str, collected: Cell | None) -> tuple[str, ...]:
    return () if collected else study.demonstrations.recordings[task]


def _options(**given: object) -> tuple[str, ...]:
    """--name value of what is not None."""
    return tuple(
        word
        for name, value in given.items()
        if value is not None
        for word in (f"--{name.replace('_', '-')}", f"{value:g}" if isinstance(value, float) else str(value))
    )


def _cloned(study: Study, task: str, method: str, seed: int, collected: Cell | None) -> Cell:
    budget, folder = study.cloning, Path("cloned") / f"seed_{seed}" / method / task
    arguments: tuple[str | Path, ...] = (
        *("--task", task, "--demos", *_shown(study, task, collected), "--out", folder, "--method", method),
        *_options(
            preset=budget.preset,
            iterations=budget.iterations,
            coarse_iterations=budget.coarse_iterations,
            batch=budget.batch,
            learning_rate=budget.learning_rate,
            loss=budget.loss,
            holdout=budget.holdout,
            precision=budget.precision,
            shift_px=budget.shift_px.get(task),
            seed=seed,
        ),
    )
    return Cell(
        Stage.CLONED, task, ("vital_policy", "train_bc"), arguments, ("--threads", "1", "--resume"),
        folder / f"{task}.safetensors", method, seed,
        after=(collected.name,) if collected else (), reads=_read_from(study, task, collected),
    )  # fmt: skip


def _learned(study: Study, task: str, method: str, seed: int, cloned: Cell, collected: Cell | None) -> Cell:
    budget, folder = study.residual, Path("learned") / f"seed_{seed}" / method / task
    arguments: tuple[str | Path, ...] = (
        *("--task", task, "--checkpoint", cloned.product, "--demos", *_shown(study, task, collected), "--out", folder),
        *_options(
            steps=budget.steps,
            updates_per_step=budget.updates_per_step,
            batch=budget.batch,
            variants=budget.variants,
            learning_rate=budget.learning_rate,
            actor_l2=budget.actor_l2,
            seed=seed,
        ),
        *(METHODS[method].residual or ()),
    )
    return Cell(
        Stage.LEARNED, task, ("vital_rl", "train_residual"), arguments, ("--threads", "1"),
        folder / f"{task}_residual.safetensors", method, seed,
        after=(cloned.name, *((collected.name,) if collected else ())), reads=_read_from(study, task, collected),
    )  # fmt: skip


def _measured(stage: Stage, measured: Measured, setting: str, method: str, cloned: Cell, made: Cell) -> Cell:
    folder = Path(stage) / f"seed_{made.training_seed}"
    located = "_located" if setting in LOCATED else ""
    residual = () if made is cloned else ("--residual", made.product)
    arguments: tuple[str | Path, ...] = (
        *("--policy", cloned.product, *residual, "--task", made.task, "--setting", setting, "--name", method),
        *("--trials", str(measured.trials), "--seed", str(measured.first_seed), "--out", folder),
    )
    return Cell(
        stage, made.task, ("vital_sim", "evaluate"), arguments, ("--processes", "1"),
        folder / f"{made.task}_{setting}{located}_{method}.json", method, made.training_seed, setting,
        after=tuple(dict.fromkeys((cloned.name, made.name))),
    )  # fmt: skip
