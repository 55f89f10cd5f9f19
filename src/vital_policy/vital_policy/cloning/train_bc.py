"""`ros2 run vital_policy train_bc`: behaviour cloning from recorded sessions, or scripted demonstrations.

A run can be killed at any moment and goes on with `--resume` from its last saved state, with the losses it
would have had.
"""

import argparse
import ctypes
import dataclasses
import json
import logging
import math
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, save
from torch.utils.tensorboard import SummaryWriter

from vital_core.errors import ErrorCode, VitalError
from vital_core.files import safe_file, schema, weight_file
from vital_core.files.schema import Count, Source
from vital_core.observation import AXES
from vital_core.task import load_task
from vital_data.dataset.actions import ActionSource
from vital_data.dataset.dataset import load_demonstrations
from vital_policy.checkpoint import Checkpoint, Provenance, load_checkpoint, save_checkpoint
from vital_policy.cloning.engine import DEVICES, device_of, engine
from vital_policy.cloning.held_out import line_of
from vital_policy.cloning.loss import Loss
from vital_policy.cloning.trainer import METHODS, PRESETS, TrainConfig, Trainer, learning_rate
from vital_policy.model_card import write_model_card
from vital_policy.network import fused_norm
from vital_policy.precision import PRECISIONS, fastest_precision

LOG_EVERY = 50
VALIDATE_EVERY = 250
EXIT_REFUSED = 2
TCP, TIP = POINTS = ("tcp", "tip")
log = logging.getLogger("train_bc")


class Run:
    """One training run in a folder: state to resume from, log of losses, checkpoint and model card."""

    def __init__(self, trainer: Trainer, task: str, method: str, folder: Path, command: str) -> None:
        self.trainer, self.task, self.method, self.folder, self.command = trainer, task, method, folder, command
        self.state_path = folder / f"{task}.state.safetensors"
        self.checkpoint_path = folder / f"{task}.safetensors"
        self._writer = SummaryWriter(str(folder / "tensorboard" / f"{task}_{method}"))
        told = {"task": task, "data": trainer.demos.sha256, "config": trainer.config.to_dict()}
        self._identity = json.dumps({**told, "normaliser": trainer.normaliser.to_dict()}, sort_keys=True)

    def save(self) -> None:
        """Write the state to resume from and the checkpoint of the present weights."""
        trainer = self.trainer
        header = {"identity": self._identity, "iteration": str(trainer.iteration)}
        safe_file.write_bytes(self.state_path, save(trainer.state(), header))
        provenance = Provenance(
            command=self.command,
            method=self.method,
            commit=source_commit(),
            seed=trainer.config.seed,
            steps=trainer.iteration,
            demonstrations=trainer.demos.episodes,
            data_sha256=trainer.demos.sha256,
            actions=trainer.demos.action_source.value,
        )
        rate_hz = load_task(self.task).control_rate_hz
        checkpoint = Checkpoint(
            self.task,
            trainer.policy,
            trainer.normaliser,
            rate_hz,
            provenance,
            ensemble_decay=trainer.config.ensemble_decay,
            wrist_view=trainer.demos.wrist_view,
        )
        save_checkpoint(self.checkpoint_path, checkpoint, trainer.shipped_weights)
        write_model_card(self.checkpoint_path)

    def resume(self) -> None:
        """Go on from the saved state, when there is one. Raises VitalError when it is of another run."""
        if not self.state_path.is_file():
            log.info("no state in %s, starting at iteration 0", self.folder)
            return
        source = Source(
            str(self.state_path), ErrorCode.BAD_PARAMETER, "give the same data and settings, or another --out"
        )
        data = weight_file.read_file(self.state_path, source)
        told = weight_file.parse_header(data, source).metadata
        if told.get("identity") != self._identity:
            raise source.refuse("is of a run with other data or settings")
        iteration = schema.from_json(told.get("iteration", ""), Count, source)
        try:
            self.trainer.restore(load(data), iteration)
        except (KeyError, RuntimeError, ValueError) as error:
            raise source.refuse(f"has other tensors than this run ({error})") from error
        log.info("resumed at iteration %d", self.trainer.iteration)

    def append(self, record: dict[str, Any]) -> None:
        """One line more in the log of losses."""
        with open(self.folder / f"{self.task}.log.jsonl", "a") as file:
            file.write(json.dumps(record) + "\n")

    def _board(self, record: dict[str, Any]) -> None:
        """The same for TensorBoard: `tensorboard --logdir <folder>`."""
        for name in ("loss", "validation_loss", "learning_rate", "iterations_per_s"):
            if record[name] is not None:
                self._writer.add_scalar(f"{self.task}/{name}", record[name], record["iteration"])
        for phase, by_dimension in (record["r_squared"] or {}).items():
            told = {name: value for name, value in by_dimension.items() if value is not None}
            self._writer.add_scalars(f"{self.task}/r_squared_{phase}", told, record["iteration"])
        self._writer.flush()

    def train(self, save_every_s: float) -> None:
        """Run to the last iteration; the first process reports and saves."""
        if not self.trainer.fabric.is_global_zero:
            while self.trainer.iteration < self.trainer.config.iterations:
                self.trainer.step()
            return
        trainer, total = self.trainer, self.trainer.config.iterations
        saved = logged = time.monotonic()
        losses: list[float] = []
        while trainer.iteration < total:
            losses.append(trainer.step())
            if not math.isfinite(losses[-1]):
                raise VitalError(ErrorCode.INTERNAL, f"loss is {losses[-1]} at iteration {trainer.iteration}")
            if trainer.iteration % LOG_EVERY == 0 or trainer.iteration == total:
                now = time.monotonic()
                self._report(losses, now - logged)
                losses, logged = [], now
            if time.monotonic() - saved > save_every_s:
                self.save()
                saved = time.monotonic()
        self.save()
        log.info("wrote %s", self.checkpoint_path)

    def _report(self, losses: list[float], elapsed_s: float) -> None:
        trainer, total = self.trainer, self.trainer.config.iterations
        rate = len(losses) / elapsed_s
        validation, found = math.nan, None
        if trainer.iteration % VALIDATE_EVERY == 0 or trainer.iteration == total:
            validation, found = trainer.validate()
        mean = sum(losses) / len(losses)
        record = {
            "iteration": trainer.iteration,
            "loss": mean,
            "validation_loss": None if math.isnan(validation) else validation,
            "r_squared": found,
            "learning_rate": learning_rate(trainer.config, trainer.iteration - 1),
            "iterations_per_s": rate,
            "losses": losses,
        }
        self.append(record)
        self._board(record)
        held_out = "" if found is None else f"  held out {validation:.5f} {line_of(found)}"
        remaining_min = (total - trainer.iteration) / rate / 60
        log.info(
            "%6d / %d  loss %.5f%s  %.2f it/s  %.0f min to go",
            trainer.iteration, total, mean, held_out, rate, remaining_min,
        )  # fmt: skip


def source_commit() -> str:
    """Commit of the source tree, or 'unknown' where there is none."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="train_bc", description="Train a local policy by behaviour cloning.")
    parser.add_argument("--task", required=True)
    parser.add_argument(
        "--demos", type=Path, nargs="+", required=True, help="recorded sessions, or folders of `collect_demos`"
    )
    parser.add_argument(
        "--actions",
        "--label",
        choices=[source.value for source in ActionSource],
        help="where an action leads to (default: demonstrated where every episode tells it, commanded otherwise)",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoint, state and log")
    parser.add_argument("--preset", choices=sorted(PRESETS), default="cpu")
    parser.add_argument("--iterations", type=int)
    parser.add_argument("--coarse-iterations", type=int, help="of them, the first ones on images of half the size")
    parser.add_argument("--batch", type=int)
    parser.add_argument("--learning-rate", type=float)
    parser.add_argument("--loss", choices=[loss.value for loss in Loss], help="how errors are weighed")
    parser.add_argument(
        "--answer-at", choices=POINTS, help="whose way the network answers with, beside the hand's turn (default: tcp)"
    )
    parser.add_argument("--still", choices=AXES, nargs="+", help="along or about which the hand is not moved")
    parser.add_argument("--motion-share", type=float, help="of a batch, drawn by motion across the main direction")
    parser.add_argument("--shift-px", type=int, help="images are shifted by up to so much each way")
    parser.add_argument(
        "--blur-px", type=float, help="half of the images are out of focus by a Gaussian of up to so much"
    )
    parser.add_argument("--precision", choices=PRECISIONS, help="of matrix products; cpu: the fastest here")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--holdout", type=int, help="episodes kept for validation (default 2)")
    parser.add_argument(
        "--method",
        choices=sorted(METHODS),
        default="vital_bc",
        help="baku: image; visk: image and touch; visual_bc and vital_bc (default): the same before other backgrounds",
    )
    parser.add_argument("--init", type=Path, help="begin with the weights of this checkpoint of the same network")
    parser.add_argument(
        "--keep-normalisation", action="store_true", help="with --init: the checkpoint's instead of the data's own"
    )
    parser.add_argument(
        "--other-normalisation",
        action="store_true",
        help="with --init: whatever its own; another task's checkpoint too",
    )
    parser.add_argument("--resume", action="store_true", help="go on from the state in --out")
    parser.add_argument("--save-every", type=float, default=180.0, metavar="SECONDS")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--device", choices=DEVICES, default="auto")
    parser.add_argument("--processes", type=int, help="on this machine (default: what torchrun started)")
    return parser.parse_args(arguments)


def configure(options: argparse.Namespace) -> TrainConfig:
    """The preset with the options given in its place. Raises VitalError(BAD_PARAMETER)."""
    config = PRESETS[options.preset]
    given = {
        "iterations": options.iterations,
        "coarse_iterations": options.coarse_iterations,
        "batch": options.batch,
        "learning_rate": options.learning_rate,
        "seed": options.seed,
        "holdout_episodes": options.holdout,
        "loss": None if options.loss is None else Loss(options.loss),
        "motion_share": options.motion_share,
        "still": tuple(options.still) if options.still else None,
        "precision": options.precision,
    }
    if options.preset == "cpu" and options.precision is None:
        given["precision"] = fastest_precision(device_of(options.device))
    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    try:
        config = config.with_method(options.method).with_task(load_task(options.task))
        seen = {"pad_px": options.shift_px, "blur_px": options.blur_px}
        seen = {name: value for name, value in seen.items() if value is not None}
        changes["augmentation"] = dataclasses.replace(config.augmentation, **seen)
        return dataclasses.replace(config, **changes)
    except ValueError as error:
        raise VitalError(ErrorCode.BAD_PARAMETER, str(error)) from error


def joined_processes() -> int:
    """How many processes on this machine `torchrun` has started, this one among them."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def keep_memory() -> None:
    """Let the C library keep what is freed: handing 33 MB maps back to Linux in each step costs a fifth of it."""
    mmap_max, trim_threshold = -4, -1  # M_MMAP_MAX and M_TRIM_THRESHOLD of glibc's malloc.h
    try:
        libc = ctypes.CDLL(None)
        libc.mallopt(mmap_max, 0)
        libc.mallopt(trim_threshold, 2**31 - 1)
    except (OSError, AttributeError):
        log.debug("no mallopt in this C library")


def train(options: argparse.Namespace, command: str) -> None:
    """Read the demonstrations, then train from the start or from where the run was."""
    load_task(options.task)
    if (options.keep_normalisation or options.other_normalisation) and options.init is None:
        raise VitalError(
            ErrorCode.BAD_PARAMETER, "--keep-normalisation and --other-normalisation need --init: say whose"
        )
    if options.keep_normalisation and options.other_normalisation:
        raise VitalError(ErrorCode.BAD_PARAMETER, "--keep-normalisation and --other-normalisation exclude each other")
    if options.keep_normalisation and options.answer_at is not None:
        raise VitalError(
            ErrorCode.BAD_PARAMETER, "--answer-at is told by the checkpoint under --keep-normalisation: leave one out"
        )
    config = configure(options)
    torch.set_num_threads(options.threads)
    keep_memory()
    fabric = engine(options.device, precision=config.precision, processes=options.processes or joined_processes())
    if config.precision == "bfloat16" and fabric.device.type == "cpu":
        fused_norm.enable()
    source = ActionSource(options.actions) if options.actions else None
    foreground = config.background_share > 0.0
    demos = load_demonstrations(options.demos, options.task, config.policy.chunk, source, foreground=foreground)
    if options.answer_at == TIP:
        demos = demos.normalised_at(config.tip_m)
    if options.keep_normalisation:
        demos = dataclasses.replace(demos, normaliser=load_checkpoint(options.init, task=options.task).normaliser)
    try:
        trainer = Trainer(config, demos, fabric)
    except ValueError as error:
        raise VitalError(ErrorCode.BAD_PARAMETER, str(error)) from error
    log.info(
        "%s, %s: %d frames of %d episodes, %d held out, %s actions; %d parameters",
        options.task, options.method, len(demos), demos.episodes, config.holdout_episodes, demos.action_source.value,
        trainer.policy.parameter_count(),
    )  # fmt: skip
    options.out.mkdir(parents=True, exist_ok=True)
    if options.init:
        _begin_with(trainer, options)
    run = Run(trainer, options.task, options.method, options.out, command)
    if options.resume:
        run.resume()
    try:
        run.train(options.save_every)
    except (torch.AcceleratorError, torch.OutOfMemoryError) as error:
        raise VitalError(
            ErrorCode.DEVICE_LOST,
            f"{fabric.device} failed in iteration {trainer.iteration} ({str(error).splitlines()[0]}): what was saved "
            "is kept; see that it is there and has room, and go on with --resume",
        ) from error


def _begin_with(trainer: Trainer, options: argparse.Namespace) -> None:
    other = options.other_normalisation
    checkpoint = load_checkpoint(options.init, task=None if other else options.task)
    try:
        trainer.begin_with(checkpoint.policy, checkpoint.normaliser, other_scale=other)
    except ValueError as error:
        raise VitalError(ErrorCode.BAD_CHECKPOINT, f"checkpoint {options.init}: {error}") from error


def main(arguments: list[str] | None = None) -> None:
    """Entry point."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    given = sys.argv[1:] if arguments is None else arguments
    try:
        train(_parse(arguments), " ".join(["ros2 run vital_policy train_bc", *given]))
    except VitalError as error:
        log.error("%s", error)
        sys.exit(EXIT_REFUSED)
    except KeyboardInterrupt:
        log.info("interrupted; go on with --resume")
        sys.exit(130)


if __name__ == "__main__":
    main()
