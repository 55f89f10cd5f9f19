"""Is the contact world a measuring instrument? `ros2 run vital_sim validate` answers with a table of figures."""

import argparse
import sys
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from vital_core.errors import VitalError
from vital_core.files.safe_file import write_json
from vital_core.statistics import wilson_interval
from vital_core.task import Task, load_task, task_names
from vital_sim.validation import insert_probes, instruments, pick_probes, swipe_probes
from vital_sim.validation import trials as runs
from vital_sim.world.contact import ContactConfig

FIRST_SEED = 10_000
CONTROLLERS = ("expert", "human", "blind")


@dataclass(frozen=True)
class Check:
    """One figure beside its requirement."""

    name: str
    """What is measured."""
    figure: float
    """In its unit; a share where there is an interval."""
    unit: str
    """Of the figure."""
    requirement: str
    """In words."""
    passed: bool
    """Whether the figure meets it."""
    interval: tuple[float, float] | None = None
    """Wilson's 95 % interval of counted figures."""
    note: str = ""
    """How it was measured."""


@dataclass(frozen=True)
class Rates:
    """How each controller does at one physics step."""

    timestep_s: float
    """The physics step."""
    outcomes: dict[str, list[bool]]
    """Successes by controller, trial by trial."""
    deepest_m: float
    """Deepest penetration at any physics step of the blind trials, the roughest ones."""
    duration_s: dict[str, float]
    """Mean of a trial, by controller."""


def success_rates(
    task: Task, trials: int, timestep_s: float, tell: Callable[[str], None], controllers: tuple[str, ...] = CONTROLLERS
) -> Rates:
    """Run every controller on seeds FIRST_SEED onwards, the same ones at every physics step."""
    world = runs.world_at(task, timestep_s)
    outcomes, durations, deepest_m = {}, {}, 0.0
    for controller in controllers:
        with instruments.DeepestPenetration() if controller == "blind" else nullcontext() as deepest:
            done = [runs.trial(world, controller, FIRST_SEED + i) for i in range(trials)]
        outcomes[controller] = [r.success for r in done]
        durations[controller] = sum(r.duration_s for r in done) / trials
        deepest_m = max(deepest_m, deepest.metres if deepest else 0.0)
        tell(f"{task.name}: {controller} at {timestep_s * 1e3:g} ms: {sum(outcomes[controller])}/{trials}")
    return Rates(timestep_s, outcomes, deepest_m, durations)


def _counted(name: str, successes: int, trials: int, least: float | None, most: float | None) -> Check:
    share = successes / trials
    passed = (least is None or share >= least) and (most is None or share <= most)
    wanted = f">= {least:.0%}" if least is not None else f"<= {most:.0%}" if most is not None else "reported"
    return Check(name, share, "of trials", wanted, passed, wilson_interval(successes, trials), f"{successes}/{trials}")


def _rate_checks(task: Task, coarse: Rates, fine: Rates) -> list[Check]:
    # Where the place is known nothing is hidden from a gripper that is still empty.
    blind = (None, None) if task.skill == "pick" else (None, 0.40)
    limits = {"expert": (0.95, None), "human": (0.95, None), "blind": blind}
    deepest_um = coarse.deepest_m * 1e6
    note = "every step of the blind trials, snaps included"
    checks = [Check("penetration, deepest at all", deepest_um, "um", "< 100", deepest_um < 100.0, note=note)]
    for name, outcomes in coarse.outcomes.items():
        checks.append(_counted(f"{name} succeeds", sum(outcomes), len(outcomes), *limits[name]))
    for name in fine.outcomes:
        a, b = coarse.outcomes[name], fine.outcomes[name]
        change = abs(sum(a) - sum(b)) / len(a) * 100
        flips = sum(x != y for x, y in zip(a, b, strict=True))
        note = f"{sum(a)} -> {sum(b)} of {len(a)}, {flips} trials differ"
        checks.append(Check(f"{name}: halved time step", change, "points", "<= 5", change <= 5.0, note=note))
    return checks


def _insert_checks(task: Task, touches: int) -> list[Check]:
    lead_in = insert_probes.touch_directions(task, train=4 * touches, test=touches)
    beyond = insert_probes.touch_directions(task, train=4 * touches, test=touches, beyond_lead_in=True)
    entered, pushes = insert_probes.entries_without_chamfer(task)
    deepest_um = insert_probes.deepest_penetration_m(task) * 1e6
    limit_n = insert_probes.force_at_tactile_limit_n(task)
    return [
        _counted("touch tells direction, on the lead-in", lead_in.correct, lead_in.trials, 0.90, None),
        _counted("touch tells direction, beyond it", beyond.correct, beyond.trials, None, None),
        Check("1.5 mm off, no chamfer: entries", entered, f"of {pushes}", "0", entered == 0),
        Check("penetration, steady full grip", deepest_um, "um", "< 100", deepest_um < 100.0),
        Check("force at the tactile limit", limit_n, "N", "25 to 45", 25.0 <= limit_n <= 45.0),
        *_speed_checks(*runs.real_time_factor(task, lambda world: insert_probes.press(world, np.zeros(2), 5.0))),
    ]


def _swipe_checks(task: Task, touches: int) -> list[Check]:
    sides = swipe_probes.touch_sides(task, train=4 * touches, test=touches)
    entered, pushes = swipe_probes.entries_without_flare(task)
    deepest_um = swipe_probes.deepest_penetration_m(task) * 1e6
    return [
        _counted("touch tells the side, on the lead-in", sides.correct, sides.trials, 0.90, None),
        Check("1.5 mm off, no lead-in: entries", entered, f"of {pushes}", "0", entered == 0),
        Check("penetration, steady full grip", deepest_um, "um", "< 100", deepest_um < 100.0),
        *_speed_checks(*runs.real_time_factor(task, lambda world: swipe_probes.push(world, 0.001, 3.0))),
    ]


def _pick_checks(task: Task, trials: int) -> list[Check]:
    score = pick_probes.grips(task, max(1, trials // 5))
    return [
        _counted("block stays in the grip in a shake", score.held, score.trials, 0.95, None),
        _counted("touch tells a full grip from an empty one", score.told, score.trials, 0.95, None),
        Check("penetration in the grip", score.deepest_m * 1e6, "um", "< 100", score.deepest_m < 1e-4),
        *_speed_checks(*runs.real_time_factor(task, lambda world: pick_probes.grasp(world, 0.0))),
    ]


def _speed_checks(in_air: float, in_contact: float) -> list[Check]:
    return [
        Check("speed in the air", in_air, "x real time", ">= 30", in_air >= 30.0),
        Check("speed in contact", in_contact, "x real time", "reported", True),
    ]


PROBES = {"insert": _insert_checks, "swipe": _swipe_checks, "pick": _pick_checks}


def validate(task: Task, trials: int, tell: Callable[[str], None]) -> list[Check]:
    """Every check of one task."""
    step_s = ContactConfig().timestep_s
    coarse = success_rates(task, trials, step_s, tell)
    fine = success_rates(task, trials, step_s / 2, tell, ("expert", "blind"))
    return _rate_checks(task, coarse, fine) + PROBES[task.skill](task, trials)


def _show(console: Console, task: Task, checks: list[Check]) -> None:
    table = Table(title=f"{task.name}: the contact world at {ContactConfig().timestep_s * 1e3:g} ms")
    for heading in ("check", "figure", "95 % interval", "required", "", "note"):
        table.add_column(heading)
    for c in checks:
        figure = f"{c.figure:.0%}" if c.interval else f"{c.figure:.3g} {c.unit}"
        interval = f"{c.interval[0]:.0%} to {c.interval[1]:.0%}" if c.interval else ""
        table.add_row(c.name, figure, interval, c.requirement, "pass" if c.passed else "FAIL", c.note)
    console.print(table)


def main() -> None:
    """Command line: exit code 0 when every check passes, 1 when one fails, 2 for a bad argument."""
    parser = argparse.ArgumentParser(description="Measure the validity of the contact world.")
    parser.add_argument("--task", choices=[*task_names(), "all"], default="all")
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--output", type=Path, help="write the figures to this JSON file")
    arguments = parser.parse_args()
    if arguments.trials < 1:
        parser.error(f"--trials is {arguments.trials}, expected at least 1")
    console = Console()
    results: dict[str, list[Check]] = {}
    try:
        for name in task_names() if arguments.task == "all" else [arguments.task]:
            results[name] = validate(load_task(name), arguments.trials, console.log)
            _show(console, load_task(name), results[name])
    except VitalError as error:
        console.print(str(error))
        sys.exit(2)
    if arguments.output:
        figures = {name: [asdict(c) for c in checks] for name, checks in results.items()}
        write_json(arguments.output, {"trials": arguments.trials, "first_seed": FIRST_SEED, "tasks": figures})
    sys.exit(0 if all(c.passed for checks in results.values() for c in checks) else 1)


if __name__ == "__main__":
    main()
