"""What a study consists of: cells, each one command with what it reads and what it makes, in an order that can be run.

Nothing here runs anything. A cell is told from others by its command and the hashes of what it reads: it is the same
wherever the study's folder lies, and another as soon as a setting, a recording or a policy under it is another.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from vital_bringup.study.description import METHODS, Demonstrations, Following, Measured, Study
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
    round: int = 0
    """In which a policy was followed and cloned again; 0: the first time."""
    after: tuple[str, ...] = ()
    """Names of the cells whose products it reads."""
    reads: tuple[str, ...] = ()
    """What it reads from elsewhere: files and folders."""

    @property
    def name(self) -> str:
        """By which it is told and redone."""
        seed = f"seed_{self.training_seed}" if self.method else ""
        again = f"round_{self.round}" if self.round else ""
        return "/".join(part for part in (self.stage, self.task, self.method, seed, again, self.setting) if part)

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
    return tuple(sorted(cells.values(), key=_order))


def _order(cell: Cell) -> tuple[int, int, int]:
    """Everything is cloned, round after round, before anything is learned on top."""
    stage = list(Stage).index(cell.stage)
    return max(0, stage - list(Stage).index(Stage.CLONED)), cell.round, stage


@dataclass(frozen=True)
class _Shown:
    """Demonstrations: folders that a training takes, the cells that make them, and what of them is from elsewhere."""

    folders: tuple[str | Path, ...]
    cells: tuple[Cell, ...] = ()
    reads: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Of the cells."""
        return tuple(cell.name for cell in self.cells)

    def plus(self, cell: Cell) -> "_Shown":
        """With those that a cell makes."""
        return _Shown((*self.folders, cell.product.parent), (*self.cells, cell), self.reads)


def _of_task(study: Study, task: str) -> Iterator[Cell]:
    shown = _shown(study.demonstrations, task)
    prior = shown if study.residual.prior is None else _shown(study.residual.prior, task, "prior")
    yield from shown.cells
    if any(METHODS[name].residual is not None for name in study.methods):
        yield from prior.cells
    for seed in study.seeds_of(task):
        for name in study.methods:
            rounds = tuple(_cloned_in_rounds(study, task, METHODS[name].cloned, seed, shown))
            yield from rounds
            cloned = made = rounds[-1]
            if METHODS[name].residual is not None:
                made = _learned(study, task, name, seed, cloned, prior)
                yield made
            for stage, measured in ((Stage.CHOOSING, study.choosing), (Stage.REPORTING, study.reporting)):
                for setting in study.settings_of(task, measured):
                    yield _measured(stage, measured, setting, name, cloned, made)


COLLECT = ("vital_sim", "collect_demos")
EPISODES = "episode_*.safetensors"


def _shown(told: Demonstrations, task: str, purpose: str = "") -> _Shown:
    """What a description tells of, made or recorded. purpose: in the folder and the name, where it is not the usual."""
    if task in told.recordings:
        return _Shown(told.recordings[task], reads=told.recordings[task])
    folder = Path("demonstrations") / purpose / task
    arguments = (
        *("--task", task, "--episodes", str(told.episodes_of(task)), "--seed", str(told.seed), "--out", folder),
        *("--start-yaw-deg", f"{told.start_yaw_deg:g}", "--noise", f"{told.noise:g}", "--background", told.background),
        *("--strays", str(told.strays), "--stray-turn-deg", f"{told.stray_turn_deg:g}"),
    )
    cell = Cell(
        Stage.DEMONSTRATIONS, task, COLLECT, arguments, ("--workers", "1"), folder / EPISODES, setting=purpose
    )  # fmt: skip
    return _Shown(()).plus(cell)


def _followed(study: Study, following: Following, cloned: Cell, number: int) -> Cell:
    """Episodes that begin where ``cloned`` has come to, of the round of that number."""
    seeds, task = following.seeds_of(number), cloned.task
    folder = Path("demonstrations") / f"seed_{cloned.training_seed}" / f"round_{number}" / cloned.method / task
    arguments: tuple[str | Path, ...] = (
        *("--task", task, "--episodes", str(len(seeds)), "--seed", str(seeds.start), "--out", folder),
        *("--start-yaw-deg", f"{following.start_yaw_deg:g}", "--strays", str(following.strays)),
        *("--noise", f"{study.demonstrations.noise:g}", "--background", study.demonstrations.background),
        *("--after", cloned.product, "--push", f"{following.push:g}"),
    )
    return Cell(
        Stage.DEMONSTRATIONS, task, COLLECT, arguments, ("--workers", "1"), folder / EPISODES, cloned.method,
        cloned.training_seed, round=number, after=(cloned.name,),
    )  # fmt: skip


def _options(**given: object) -> tuple[str, ...]:
    """--name value of what is not None."""
    return tuple(
        word
        for name, value in given.items()
        if value is not None
        for word in (f"--{name.replace('_', '-')}", f"{value:g}" if isinstance(value, float) else str(value))
    )


def _cloned_in_rounds(study: Study, task: str, method: str, seed: int, shown: _Shown) -> Iterator[Cell]:
    """A policy, and what follows it and is cloned again, round after round; the last one is what counts."""
    yield (cloned := _cloned(study, task, method, seed, shown))
    for number in study.rounds():
        assert study.following is not None
        yield (followed := _followed(study, study.following, cloned, number))
        shown = shown.plus(followed)
        yield (cloned := _cloned(study, task, method, seed, shown, cloned))


def _cloned(study: Study, task: str, method: str, seed: int, shown: _Shown, before: Cell | None = None) -> Cell:
    """before: the same of the round before, whose weights it begins with."""
    budget, following = study.cloning, study.following if before else None
    number = before.round + 1 if before else 0
    folder = Path("cloned") / f"seed_{seed}" / (f"round_{number}" if number else "") / method / task
    begun: tuple[str | Path, ...] = ("--init", before.product, "--keep-normalisation") if before else ()
    arguments: tuple[str | Path, ...] = (
        *("--task", task, "--demos", *shown.folders, "--out", folder, "--method", method, *begun),
        *_options(
            preset=budget.preset,
            iterations=following.iterations if following else budget.iterations,
            coarse_iterations=0 if following else budget.coarse_iterations,
            answer_at=None if before else budget.answer_at,
            batch=budget.batch,
            learning_rate=following.learning_rate if following else budget.learning_rate,
            loss=budget.loss,
            holdout=budget.holdout,
            blur_px=budget.blur_px,
            precision=budget.precision,
            shift_px=budget.shift_px.get(task),
            seed=seed,
        ),
        *(("--still", *still) if (still := budget.still.get(task)) else ()),
    )
    return Cell(
        Stage.CLONED, task, ("vital_policy", "train_bc"), arguments, ("--threads", "1", "--resume"),
        folder / f"{task}.safetensors", method, seed, round=number,
        after=(*shown.names, *((before.name,) if before else ())), reads=shown.reads,
    )  # fmt: skip


def _learned(study: Study, task: str, method: str, seed: int, cloned: Cell, shown: _Shown) -> Cell:
    budget, folder = study.residual, Path("learned") / f"seed_{seed}" / method / task
    arguments: tuple[str | Path, ...] = (
        *("--task", task, "--checkpoint", cloned.product, "--demos", *shown.folders, "--out", folder),
        *_options(
            steps=budget.steps,
            updates_per_step=budget.updates_per_step,
            batch=budget.batch,
            variants=budget.variants,
            learning_rate=budget.learning_rate,
            actor_l2=budget.actor_l2,
            residual_cost=budget.residual_cost,
            first_reach=budget.first_reach,
            reach_steps=budget.reach_steps,
            seed=seed,
        ),
        *(METHODS[method].residual or ()),
    )
    return Cell(
        Stage.LEARNED, task, ("vital_rl", "train_residual"), arguments, ("--threads", "1"),
        folder / f"{task}_residual.safetensors", method, seed,
        after=(cloned.name, *shown.names), reads=shown.reads,
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
