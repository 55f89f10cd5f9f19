"""Does a policy turn the hand? The yaw with which it makes contact against the yaw with which it started.

    ./vital shell -c "python bench/yaw_correction.py --policy FOLDER_OR_FILE --task usb_insertion [--residual FILE]"

The hand starts turned about its tip by up to `--start-yaw-deg` against the target. Slope 1: what it started with is
still there at contact; slope 0: all of it was turned back. Seeds are for choosing (41000 and on), one trial each.
"""

import argparse
from pathlib import Path

import numpy as np

from vital_core.files.safe_file import write_json
from vital_core.observation import Observation
from vital_core.statistics import wilson_interval
from vital_core.task import task_names
from vital_rl.acting.evaluated import load
from vital_sim.gym.env import VitalEnv
from vital_sim.gym.outcome import Outcome

CONTACT_N = 0.5
FIRST_SEED = 41_000


class TurnedStart(VitalEnv):
    """An environment whose episodes start turned."""

    most_rad = 0.0

    def _begin(self, episode):
        yaw = np.random.default_rng([episode, 2]).uniform(-self.most_rad, self.most_rad)
        self.world.begin(episode, float(yaw))
        return Outcome.RUNNING, ""


def yaw_deg(truth, symmetry):
    """By how much the tip is turned about the target's axis, the nearest of the ways in which it fits."""
    turned = truth.t_base_target[:3, :3].T @ truth.t_base_tip[:3, :3]
    fits = 360.0 / symmetry
    yaw = np.rad2deg(np.arctan2(turned[1, 0], turned[0, 0]))
    return float((yaw + fits / 2) % fits - fits / 2)


def trial(env, policy, seed):
    """Start yaw, yaw at the first contact (at the end, where there is none), outcome and whether it touched."""
    seen, info = env.reset(seed=seed)
    memory, over = policy.begin(), False
    symmetry = max(1, env.task.target_symmetry)
    start = last = yaw_deg(env.world.truth(), symmetry)
    touched = False
    while not over:
        (action,) = policy.act([Observation(seen["image"], seen["tactile"])], [memory])
        seen, _, terminated, truncated, info = env.step(action.to_array())
        if not touched:
            last = yaw_deg(env.world.truth(), symmetry)
        touched |= info["contact_force_n"] > CONTACT_N
        over = terminated or truncated
    return {"seed": seed, "start_deg": start, "contact_deg": last, "touched": touched, "outcome": info["outcome"]}


def summary(trials):
    """Slope with its standard error over the trials that made contact, and successes within 8 degrees and beyond."""
    touched = [t for t in trials if t["touched"]]
    x, y = (np.array([t[name] for t in touched]) for name in ("start_deg", "contact_deg"))
    told = {"trials": len(trials), "touched": len(touched)}
    if len(touched) > 2:
        (slope, _), covariance = np.polyfit(x, y, 1, cov=True)
        told |= {"slope": float(slope), "slope_error": float(np.sqrt(covariance[0, 0]))}
    for name, chosen in (("within_8_deg", False), ("beyond_8_deg", True)):
        some = [t["outcome"] == "success" for t in trials if (abs(t["start_deg"]) > 8.0) == chosen]
        told[name] = {"successes": sum(some), "trials": len(some), "wilson_95": wilson_interval(sum(some), len(some))}
    return told


def main():
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--policy", type=Path, required=True)
    parser.add_argument("--task", choices=task_names(), required=True)
    parser.add_argument("--residual")
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--seed", type=int, default=FIRST_SEED)
    parser.add_argument("--start-yaw-deg", type=float, default=20.0)
    parser.add_argument("--out", type=Path, help="JSON of every trial")
    given = parser.parse_args()
    path = given.policy / f"{given.task}.safetensors" if given.policy.is_dir() else given.policy
    policy = load(path, given.task, residual=given.residual)
    env = TurnedStart(given.task)
    env.most_rad = float(np.deg2rad(given.start_yaw_deg))
    trials = []
    for seed in range(given.seed, given.seed + given.trials):
        trials.append(trial(env, policy, seed))
        t = trials[-1]
        print(f"seed {seed}  {t['start_deg']:+6.1f} to {t['contact_deg']:+6.1f} degrees  {t['outcome']}", flush=True)
    told = {"task": given.task, "policy": policy.describe(), **summary(trials), "each": trials}
    if given.out:
        write_json(given.out, told)
    slope = f"slope {told['slope']:.2f} +- {told['slope_error']:.2f}" if "slope" in told else "too few contacts"
    counts = ", ".join(f"{name.replace('_', ' ')}: {told[name]['successes']} of {told[name]['trials']}"
                       for name in ("within_8_deg", "beyond_8_deg"))  # fmt: skip
    print(f"{given.task}: {slope} over {told['touched']} contacts; successes {counts}")


if __name__ == "__main__":
    main()
