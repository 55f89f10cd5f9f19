"""How often the demonstrator succeeds when it is disturbed: `python bench/demonstrations.py [--task ...]`.

Says each episode, then, task by task: successes with Wilson's interval, time, the largest action that six hertz would
make of it, and touch against its limit.
"""

import argparse
import sys

import numpy as np
from numpy.typing import NDArray

from vital_core import pose as pose_of
from vital_core.statistics import wilson_interval
from vital_core.task import load_task, task_names
from vital_sim.demonstrations.collect_demos import HOLD_FRAMES, LIMIT_S
from vital_sim.demonstrator.disturbance import Disturbance
from vital_sim.demonstrator.expert import ScriptedExpert
from vital_sim.demonstrator.rollout import PERIOD_S
from vital_sim.world.motion import track
from vital_sim.world.tactile import largest_field_ut
from vital_sim.world.world import World

FRAMES_AN_ACTION = 4


def episode(world: World, seed: int, disturbance: Disturbance) -> tuple[bool, float, float, NDArray[np.float64]]:
    """Success, time (s), largest field (µT), and (2,) the largest step of an action, m and rad."""
    world.begin(seed, disturbance.start_yaw_rad(seed))
    baseline, rng = world.tactile_ut(), np.random.default_rng([seed, 1])
    expert = ScriptedExpert(world, rng, human_like=True, noise=disturbance.noise, strays=disturbance.strays)
    measured, targets, held, field_ut = [], [], 0, 0.0
    while world.time_s < LIMIT_S and held < HOLD_FRAMES:
        command = expert.command()
        measured.append(world.t_base_tcp())
        targets.append(command.target.copy())
        world.command_gripper(command.gripper)
        track(world, command.target, PERIOD_S)
        held = held + 1 if world.truth().success else 0
        field_ut = max(field_ut, largest_field_ut(world.tactile_ut() - baseline))
    steps = [pose_of.distance(a, b) for a, b in zip(measured, targets[FRAMES_AN_ACTION:], strict=False)]
    return held >= HOLD_FRAMES, world.time_s, field_ut, np.max(steps, axis=0)


def main() -> None:
    """Measure and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", nargs="*", default=task_names(), choices=task_names())
    parser.add_argument("--episodes", type=int, default=40)
    parser.add_argument("--start-yaw-deg", type=float, default=Disturbance().start_yaw_deg)
    parser.add_argument("--noise", type=float, default=Disturbance().noise)
    parser.add_argument("--strays", type=int, default=Disturbance().strays)
    options = parser.parse_args()
    disturbance = Disturbance(options.start_yaw_deg, options.noise, options.strays)
    for name in options.task:
        world, found = World(load_task(name)), []
        for seed in range(options.episodes):
            found.append(episode(world, seed, disturbance))
            success, time_s, field_ut, step = found[-1]
            sys.stdout.write(f"{name} {seed} {'success' if success else 'failure'} {time_s:.1f} s {field_ut:.0f} uT\n")
            sys.stdout.flush()
        won = sum(success for success, *_ in found)
        low, high = wilson_interval(won, len(found))
        step = np.max([step for *_, step in found], axis=0)
        fields = [field_ut for _, _, field_ut, _ in found]
        sys.stdout.write(
            f"{name}: {won} of {len(found)} ({100 * low:.0f} to {100 * high:.0f} %), median "
            f"{np.median([time_s for _, time_s, _, _ in found]):.1f} s, largest action {1000 * step[0]:.1f} mm "
            f"{step[1]:.3f} rad, touch median {np.median(fields):.0f}, largest {max(fields):.0f} of "
            f"{world.task.tactile_limit_ut:.0f} uT\n"
        )


if __name__ == "__main__":
    main()
