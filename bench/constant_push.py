"""What a small constant push does to a base policy: the same trials with each axis of the residual held at a share.

    ./vital shell -c "python bench/constant_push.py --task card_swipe [--share 0.15] [--trials 24]"

A residual that has just begun to learn pushes to one side through whole episodes. Where the base policy comes back by
itself, that is a disturbance like another; where it does not, the push adds up to millimetres and nothing succeeds that
could be learned from.
"""

import argparse
from collections import Counter
from pathlib import Path

import numpy as np
import torch

from vital_core.observation import AXES, Action
from vital_core.task import task_names
from vital_policy.checkpoint import load_checkpoint
from vital_rl.residual.networks import offset_scale
from vital_sim.evaluation.evaluation import run_trials
from vital_sim.evaluation.policies import PolicySpec
from vital_sim.evaluation.workers import make_env

FIRST_SEED = 43_000


class Pushed:
    """A policy whose every action is moved by the same (7,) m, rad."""

    def __init__(self, policy, push):
        self._policy, self._push = policy, push

    def begin(self):
        """The memory of a new episode."""
        return self._policy.begin()

    def act(self, observations, memories):
        """See `EvaluatedPolicy`."""
        actions = self._policy.act(observations, memories)
        return [Action.from_array(action.to_array() + self._push) for action in actions]


def pushes(share, scale):
    """Name and (7,) of no push, then of each axis to both sides."""
    yield "none", np.zeros(7)
    for axis, name in enumerate(AXES):
        for sign in (1.0, -1.0):
            offset = np.zeros(7)
            offset[axis] = sign * share
            push = scale.added(offset)
            yield f"{name} {1000 * push[axis]:+.2f} {'mm' if axis < 3 else 'mrad'}", push


def main():
    """One line a push."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", choices=task_names(), required=True)
    parser.add_argument("--policy", type=Path, default=Path("src/vital_policy/checkpoints"))
    parser.add_argument("--share", type=float, default=0.15, help="of the largest that a residual may add")
    parser.add_argument("--trials", type=int, default=24)
    options = parser.parse_args()
    torch.set_num_threads(1)
    spec = PolicySpec(options.policy, options.task)
    policy, scale = spec.load(), offset_scale(load_checkpoint(spec.checkpoint).normaliser)
    envs = [make_env(options.task, "in_domain") for _ in range(4)]
    for name, push in pushes(options.share, scale):
        done = list(run_trials(envs, Pushed(policy, push), range(FIRST_SEED, FIRST_SEED + options.trials)))
        failures = Counter(trial.failure for trial in done if not trial.success)
        told = ", ".join(f"{kind} {count}" for kind, count in failures.most_common())
        print(f"{name:14s} {sum(t.success for t in done):3d} of {len(done)}   {told}", flush=True)
    for env in envs:
        env.close()


if __name__ == "__main__":
    main()
