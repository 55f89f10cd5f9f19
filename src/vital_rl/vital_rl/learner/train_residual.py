"""`ros2 run vital_rl train_residual`: learns the residual in a Gymnasium environment, without ROS, as fast as it goes.

Can be killed at any moment; the same command goes on. Exit code 0: done; 2: refused.
"""

import argparse
import logging
import sys
import time
from pathlib import Path
from typing import Any

import gymnasium
import torch

from vital_core.errors import ErrorCode, VitalError
from vital_core.observation import AXES
from vital_core.task import load_task
from vital_data.dataset.dataset import load_demonstrations
from vital_policy.checkpoint import Checkpoint, load_checkpoint
from vital_policy.shipped import checkpoint_folder
from vital_rl.learner.learning import STRETCH, LearningConfig, ResidualLearner, configure
from vital_rl.learner.training import ResidualTraining
from vital_rl.replay.replay_store import ReplayStore
from vital_rl.residual.ddpg import DDPGConfig
from vital_rl.residual.networks import Exploration

EXIT_REFUSED = 2
SAVE_EVERY = 10
NO_PATIENCE = "until time runs out"
log = logging.getLogger("train_residual")


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="train_residual", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--task", required=True)
    parser.add_argument("--checkpoint", type=Path, help="the frozen base policy (default: the shipped one)")
    parser.add_argument("--env", help="Gymnasium id (default: the task's in vital_sim)")
    parser.add_argument("--out", type=Path, required=True, help="folder of replay, state and result")
    parser.add_argument("--demos", type=Path, nargs="*", default=[], help="sessions to learn from beside what is tried")
    parser.add_argument("--steps", type=int, default=16_000)
    parser.add_argument("--updates-per-step", type=int, default=16)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--variants", type=int, default=4, help="augmented variants of each image; 1: none")
    parser.add_argument("--background-share", type=float, default=0.75, help="of them, before another background")
    parser.add_argument("--dense", action="store_true", help="reward the distance to the goal too")
    parser.add_argument("--failures-end", action="store_true", help="hope for nothing after a failure by time-out")
    parser.add_argument(
        "--patience-s",
        type=float,
        help="end an episode as failed when what was in the target has been out of it for so long, as who labels on a "
        "robot does (default: its time runs out)",
    )
    parser.add_argument(
        "--interventions",
        type=int,
        default=0,
        help="in so many episodes, every other one from the first, a scripted person takes over and finishes",
    )
    parser.add_argument("--rlpd", action="store_true", help="no base policy and ten critics: RLPD from scratch")
    parser.add_argument(
        "--axes",
        nargs="+",
        choices=AXES,
        default=AXES,
        metavar="AXIS",
        help="what the residual corrects: x y z rx ry rz",
    )
    parser.add_argument("--without-touch", action="store_true", help="the residual does not feel")
    parser.add_argument(
        "--base-without-touch", action="store_true", help="with --without-touch: the base policy does not feel either"
    )
    _add_learning(parser)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args(arguments)


def _add_learning(parser: argparse.ArgumentParser) -> None:
    """How it learns and how far it tries."""
    parser.add_argument("--learning-rate", type=float, default=DDPGConfig.learning_rate, help="the paper's is 1e-4")
    parser.add_argument(
        "--actor-l2",
        type=float,
        default=DDPGConfig.actor_l2,
        help="on the actor's weights; the released code's is 0.256",
    )
    parser.add_argument(
        "--residual-cost",
        type=float,
        default=DDPGConfig.residual_cost,
        help="of the squares of what is added, where a success is worth 1: nothing is added for hardly any gain",
    )
    parser.add_argument(
        "--critic-only", type=int, default=DDPGConfig.critic_only, help="updates before the actor's first one"
    )
    parser.add_argument(
        "--first-reach",
        type=float,
        default=Exploration.first_reach,
        help="largest residual at the first step, in shares of its scale",
    )
    parser.add_argument(
        "--reach-steps", type=int, default=Exploration.reach_steps, help="until it may be the whole scale"
    )
    parser.add_argument(
        "--first-noise",
        type=float,
        default=Exploration.first,
        help="standard deviation of what is tried at the first step, in shares of the residual's scale",
    )
    parser.add_argument(
        "--last-noise", type=float, default=Exploration.last, help=f"the same from step {Exploration.steps} on"
    )
    parser.add_argument(
        "--noise-correlation",
        type=float,
        default=Exploration.correlation,
        help="of what is tried with what was tried a tick before; 0.85: it stays on one side for a second",
    )


def config_of(options: argparse.Namespace, checkpoint: Checkpoint) -> LearningConfig:
    """The settings that the options ask for. Raises VitalError(BAD_PARAMETER)."""
    if options.without_touch and not checkpoint.policy.config.touch:
        raise VitalError(
            ErrorCode.BAD_PARAMETER,
            "--without-touch with a base policy that does not feel: no residual on it does, leave the option out",
        )
    return configure(
        checkpoint.feature_size,
        steps=options.steps,
        updates_per_step=options.updates_per_step,
        batch=options.batch,
        variants=options.variants,
        seed=options.seed,
        dense=options.dense,
        failures_end=options.failures_end,
        rlpd=options.rlpd,
        touch=not options.without_touch,
        base_touch=not options.base_without_touch,
        background_share=options.background_share,
        learning_rate=options.learning_rate,
        actor_l2=options.actor_l2,
        residual_cost=options.residual_cost,
        critic_only=options.critic_only,
        first_reach=options.first_reach,
        reach_steps=options.reach_steps,
        first_noise=options.first_noise,
        last_noise=options.last_noise,
        noise_correlation=options.noise_correlation,
        axes=options.axes,
    )


def _environment(options: argparse.Namespace, wrist_view: str) -> tuple[gymnasium.Env, dict[str, Any]]:
    """Where is learned, and what its episodes say of how they were played."""
    ours = f"vital_sim:Vital/{''.join(part.title() for part in options.task.split('_'))}-v0"
    name = options.env or ours
    asked: dict[str, Any] = {"foreground": True, "wrist_view": wrist_view} if name == ours else {}
    if options.patience_s is not None:
        asked["patience_s"] = options.patience_s
    told = {"env": name, "patience_s": asked.get("patience_s", NO_PATIENCE)}
    try:
        return gymnasium.make(name, **asked), told
    except (gymnasium.error.Error, ModuleNotFoundError) as error:
        raise VitalError(ErrorCode.BAD_PARAMETER, f"no environment {name} ({error}): give another --env") from error
    except (TypeError, ValueError) as error:  # one of somebody else's, which has no patience; or a number it refuses
        raise VitalError(ErrorCode.BAD_PARAMETER, f"environment {name} refuses {asked} ({error})") from error


def train(options: argparse.Namespace, command: str) -> ResidualTraining:
    """Set up, resume where there is something, and run to the last step. Raises VitalError."""
    torch.set_num_threads(options.threads)
    path = options.checkpoint or checkpoint_folder() / f"{options.task}.safetensors"
    checkpoint = load_checkpoint(path, task=options.task, rate_hz=load_task(options.task).control_rate_hz)
    learner = ResidualLearner(config_of(options, checkpoint), checkpoint, options.out)
    env, told = _environment(options, checkpoint.wrist_view)
    store = ReplayStore(options.out / "replay", capacity=10**9)
    if options.interventions < 0:
        raise VitalError(ErrorCode.BAD_PARAMETER, f"--interventions is {options.interventions}, expected at least 0")
    if options.interventions and not hasattr(env.unwrapped, "demonstrate"):
        raise VitalError(ErrorCode.BAD_PARAMETER, "nobody in this --env could take over: leave out --interventions")
    training = ResidualTraining(learner, env, store, options.interventions, told)
    if options.demos:
        demos = load_demonstrations(options.demos, options.task, checkpoint.policy.config.chunk, foreground=None)
        found = learner.add_demonstrations(demos)
        log.info("%d demonstrated steps, %d of them beyond what a residual can add", *found)
    training.resume()
    if learner.taken:
        log.info("going on after %d episodes, %d steps", len(learner.taken), learner.steps)
    _run(training, options, command)
    log.info("wrote %s", _save(learner, options, command))
    if learner.best_share > 0.0:
        log.info("best: %.0f %% of %d episodes, kept as %s", 100 * learner.best_share, STRETCH, learner.best_path)
    return training


def _run(training: ResidualTraining, options: argparse.Namespace, command: str) -> None:
    learner = training.learner
    sustained = learner.sustained()
    log.info("%s; %s", sustained.text, sustained.steps_text(max(0, options.steps - learner.steps)))
    start, first = time.monotonic(), learner.steps
    for count, line in enumerate(training.run(options.steps), 1):
        pace = (line.total_steps - first) / (time.monotonic() - start)
        log.info(
            "episode %4d  %-11s %3d steps  last 20: %3.0f %%  step %5d / %d  %6d updates  value %.2f  %.1f steps/s",
            line.episode, line.outcome, line.steps, 100 * line.success_20, line.total_steps, options.steps,
            learner.updates, learner.value, pace,
        )  # fmt: skip
        if count % SAVE_EVERY == 0:
            _save(learner, options, command)


def _save(learner: ResidualLearner, options: argparse.Namespace, command: str) -> Path:
    return learner.save({"command": command, "seed": options.seed, "episodes": len(learner.taken)})


def main(arguments: list[str] | None = None) -> None:
    """Entry point."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    given = sys.argv[1:] if arguments is None else arguments
    options = _parse(given)
    options.out.mkdir(parents=True, exist_ok=True)
    try:
        train(options, " ".join(["ros2 run vital_rl train_residual", *given]))
    except VitalError as error:
        log.error("%s", error)
        sys.exit(EXIT_REFUSED)
    except KeyboardInterrupt:
        log.info("interrupted; the same command goes on")
        sys.exit(130)


if __name__ == "__main__":
    main()
