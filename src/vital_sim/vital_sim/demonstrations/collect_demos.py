"""`ros2 run vital_sim collect_demos`: demonstrations by the scripted expert, one file an episode.

The expert drives the same motion law as the command gate at 30 Hz with a person's errors, from a start that is turned
wrongly, and is disturbed on its way (`disturbance`), so that corrections are shown all along it. A file holds what a
recording on the robot would, with where the demonstrator's own hand moves to within a policy period, whatever the arm
is disturbed by (`t_base_tcp_demonstrated`), and what only a simulation knows: where it would move if it misjudged
nothing (`t_base_tcp_intended`), and the images' foreground, eight pixels a byte.

With `--after` a policy acts first, until a moment that is drawn for each episode, and the expert shows how to go on
from where the hand is then (after DAgger, Ross et al. 2011): only what it shows is kept. `--push` moves every action of
such an episode by the same little, as a residual does that has just begun to learn. With `--perturbation` the world is
otherwise in one thing, by the same names as where a policy is tried under it.
"""

import argparse
import multiprocessing
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import cv2
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track as progress
from safetensors import safe_open
from safetensors.numpy import save

from vital_core.errors import ErrorCode, VitalError
from vital_core.files import safe_file, schema, weight_file
from vital_core.files.schema import Name, Source, Text
from vital_core.observation import Observation
from vital_core.seeds import MAX_ATTEMPTS, RETRY_STRIDE
from vital_core.task import WINDOW, WRIST_VIEWS, Task, WristView, load_task
from vital_sim.cameras.cameras import WristCamera
from vital_sim.demonstrations.forerunner import Forerunner
from vital_sim.demonstrator.disturbance import UNDISTURBED, Disturbance
from vital_sim.demonstrator.expert import ScriptedExpert
from vital_sim.demonstrator.rollout import PERIOD_S, RATE_HZ
from vital_sim.gym.perturbation import NONE, world_otherwise
from vital_sim.scenery.look import SceneConfig
from vital_sim.world.motion import track
from vital_sim.world.world import World, WorldConfig

FORMAT = "vital_demo/1"
BASELINE_SAMPLES = 5
HOLD_FRAMES = 15
LIMIT_S = 20.0
DISTURBED = ("start_yaw_deg", "noise", "strays", "push", "stray_turn_deg")


@dataclass(frozen=True)
class Job:
    """One episode to record: its place in the folder and the first seed to try."""

    task: str
    index: int
    seed: int
    folder: Path
    background: str
    disturbance: Disturbance
    wrist_view: str = WINDOW
    after: Path | None = None
    """Checkpoint of the policy that acts first."""
    after_sha256: str = ""
    perturbation: str = NONE

    @property
    def path(self) -> Path:
        """The episode's file."""
        return self.folder / f"episode_{self.index:04d}.safetensors"


class Recorder:
    """Records episodes of one task in one world."""

    def __init__(
        self,
        task: Task,
        background: str,
        disturbance: Disturbance = UNDISTURBED,
        after: Path | None = None,
        perturbation: str = NONE,
    ) -> None:
        self.task, self.disturbance = task, disturbance
        scene, config = SceneConfig(background=background), WorldConfig(**world_otherwise(perturbation, task))
        self._forerunner = None if after is None else Forerunner(task, scene, after, disturbance, config)
        self.world = World(task, scene=scene, config=config) if self._forerunner is None else self._forerunner.world
        self.camera = WristCamera(self.world.model, self.task)

    def record(self, seed: int) -> dict[str, NDArray] | None:
        """Tensors of one episode, None when the expert did not succeed."""
        world = self.world
        world.begin(seed, self.disturbance.start_yaw_rad(seed))
        self.camera.reset(seed)
        baseline = self._baseline()
        if self._forerunner is not None:
            self._forerunner.act(seed, lambda: self._seen(baseline))
        start_s = world.time_s
        rng = np.random.default_rng([seed, 1])
        told = self.disturbance
        turn_rad = float(np.deg2rad(told.stray_turn_deg))
        expert = ScriptedExpert(
            world, rng, human_like=True, noise=told.noise, strays=told.strays, stray_turn_rad=turn_rad
        )
        frames: list[dict[str, NDArray]] = []
        held = 0
        while world.time_s - start_s < LIMIT_S and held < HOLD_FRAMES:
            command = expert.command()
            frames.append(
                {
                    "image": self.camera.render(world.data),
                    "foreground": np.packbits(self.camera.foreground(world.data), axis=-1),
                    "tactile_ut": (world.tactile_ut() - baseline).astype(np.float32),
                    "t_base_tcp": world.t_base_tcp(),
                    "t_base_tcp_target": command.target.copy(),
                    "t_base_tcp_intended": command.intended.copy(),
                    "t_base_tcp_demonstrated": command.demonstrated.copy(),
                    "gripper": np.array(command.gripper, np.float32),
                }
            )
            world.command_gripper(command.gripper)
            track(world, command.target, PERIOD_S)
            held = held + 1 if world.truth().success else 0
        if held < HOLD_FRAMES:
            return None
        return {name: np.stack([f[name] for f in frames]) for name in frames[0]}

    def _seen(self, baseline: NDArray[np.float32]) -> Observation:
        tactile = (self.world.tactile_ut() - baseline).astype(np.float32)
        return Observation(self.camera.render(self.world.data), tactile)

    def _baseline(self) -> NDArray[np.float32]:
        readings = []
        for _ in range(BASELINE_SAMPLES):
            self.world.advance(0.01)
            readings.append(self.world.tactile_ut())
        return np.median(readings, axis=0).astype(np.float32)


@dataclass(frozen=True)
class DemoHeader:
    """A demonstration's metadata, text all of it."""

    format: Literal["vital_demo/1"]
    task: Name
    seed: Annotated[str, Meta(pattern="^-?[0-9]{1,12}$")]
    rate_hz: Name
    success: Literal["true", "false"]
    frame: Name
    background: Name
    start_yaw_deg: Name = "0"
    noise: Name = "0"
    strays: Name = "0"
    push: Name = "0"
    stray_turn_deg: Name = "0"
    wrist_view: WristView = WINDOW
    after: Text = ""
    perturbation: Text = NONE


def is_whole(path: Path) -> bool:
    """Whether an episode's file is there and can be read to its end."""
    return _metadata(path).get("format") == FORMAT


def _metadata(path: Path) -> dict[str, str]:
    try:
        return weight_file.read_header(path, _source(path)).metadata
    except VitalError:  # torn, missing, or no such file
        return {}


def _source(path: Path) -> Source:
    return Source(f"demonstration {path}", ErrorCode.BAD_DATASET, "record it again")


def _is_recorded(job: Job) -> bool:
    """Whether the job's file is there; a whole file of another recording is refused, never kept or replaced."""
    metadata = _metadata(job.path)
    if metadata.get("format") != FORMAT:
        return False
    told = schema.checked(metadata, DemoHeader, _source(job.path))
    attempt, other_seed = divmod(int(told.seed) - job.seed, RETRY_STRIDE)
    disturbed = tuple(getattr(told, name) for name in DISTURBED)
    found = (told.task, told.background, *disturbed, told.wrist_view, told.after, told.perturbation)
    disturbed = _texts(job.disturbance)
    expected = (job.task, job.background, *disturbed, job.wrist_view, job.after_sha256, job.perturbation)
    if found != expected or other_seed or attempt not in range(MAX_ATTEMPTS):
        raise VitalError(
            ErrorCode.BAD_PARAMETER,
            f"{job.path} is of (task, background, start yaw, noise, strays, push, stray turn, view, after, "
            f"perturbation) {found}, seed {told.seed}, expected {expected}, seed {job.seed}; record into another "
            "folder",
        )
    return True


def _texts(disturbance: Disturbance) -> tuple[str, ...]:
    """Of `DISTURBED`."""
    return tuple(f"{getattr(disturbance, name):g}" for name in DISTURBED)


_recorders: dict[tuple[str, str, Disturbance, str, str, str], Recorder] = {}


def record_job(job: Job) -> int:
    """Record one episode, trying further seeds after failures; returns how many failed."""
    key = (job.task, job.background, job.disturbance, job.wrist_view, job.after_sha256, job.perturbation)
    if key not in _recorders:
        task = load_task(job.task).seen_through(job.wrist_view)
        _recorders[key] = Recorder(task, job.background, job.disturbance, job.after, job.perturbation)
    failures = 0
    while (tensors := _recorders[key].record(seed := job.seed + RETRY_STRIDE * failures)) is None:
        failures += 1
        if failures >= MAX_ATTEMPTS:
            raise VitalError(
                ErrorCode.BAD_PARAMETER,
                f"episode {job.index} of {job.task}: the expert failed {failures} times from seed {job.seed} on, "
                "expected a task that it can do; see `ros2 run vital_sim validate`",
            )
    header = {
        "format": FORMAT,
        "task": job.task,
        "seed": str(seed),
        "rate_hz": f"{RATE_HZ:g}",
        "success": "true",
        "frame": "link_tcp",
        "background": job.background,
        "wrist_view": job.wrist_view,
        "after": job.after_sha256,
        "perturbation": job.perturbation,
        **dict(zip(DISTURBED, _texts(job.disturbance), strict=True)),
    }
    safe_file.write_bytes(job.path, save({k: np.ascontiguousarray(v) for k, v in tensors.items()}, header))
    return failures


def contact_sheet(folder: Path, columns: int = 8) -> NDArray[np.uint8]:
    """(rows * 128, columns * 128, 3) RGB: evenly spaced images of each episode, one row an episode."""
    rows = []
    for path in sorted(folder.glob("episode_*.safetensors")):
        weight_file.read_header(path, _source(path))
        with safe_open(path, framework="np") as file:
            images = file.get_tensor("image")
        rows.append(np.concatenate(list(images[np.linspace(0, len(images) - 1, columns).astype(int)]), axis=1))
    return np.concatenate(rows)


def _sha256_of(checkpoint: Path) -> str:
    try:
        return safe_file.sha256(checkpoint.read_bytes())
    except OSError as error:
        raise VitalError(ErrorCode.BAD_PARAMETER, f"--after {checkpoint} cannot be read ({error})") from error


def _png(image_rgb: NDArray[np.uint8]) -> bytes:
    return cv2.imencode(".png", image_rgb[:, :, ::-1])[1].tobytes()


def collect(
    task: str,
    episodes: int,
    seed: int,
    folder: Path,
    background: str,
    workers: int,
    disturbance: Disturbance = UNDISTURBED,
    wrist_view: str = WINDOW,
    after: Path | None = None,
    perturbation: str = NONE,
) -> int:
    """Record what is missing of ``episodes`` in ``folder``; returns how many attempts failed."""
    sha256 = "" if after is None else _sha256_of(after)
    shown = background, disturbance, wrist_view, after, sha256, perturbation
    jobs = [Job(task, i, seed + i, folder, *shown) for i in range(episodes)]
    missing = [job for job in jobs if not _is_recorded(job)]
    title = f"{task}: {len(missing)} of {episodes} episodes to record"
    console = Console(stderr=True)
    if workers <= 1:
        return sum(record_job(job) for job in progress(missing, description=title, console=console))
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        done = pool.imap_unordered(record_job, missing)
        return sum(progress(done, description=title, total=len(missing), console=console))


def main(arguments: list[str] | None = None) -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="collect_demos", description=__doc__)
    parser.add_argument("--task", required=True)
    parser.add_argument("--episodes", type=int, help="default: what the task asks for")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--background", default="green")
    usual = Disturbance()
    parser.add_argument(
        "--start-yaw-deg", type=float, default=usual.start_yaw_deg, help="the hand starts turned by up to so much"
    )
    parser.add_argument(
        "--noise", type=float, default=usual.noise, help="on the way, in shares of the usual; the label is without it"
    )
    parser.add_argument("--strays", type=int, default=usual.strays, help="how often the hand is carried off on its way")
    parser.add_argument(
        "--stray-turn-deg",
        type=float,
        default=usual.stray_turn_deg,
        help="about each axis, by each stray (default: 10 about the target's alone)",
    )
    parser.add_argument("--wrist-view", choices=WRIST_VIEWS, default=WINDOW, help="what the wrist image shows")
    parser.add_argument("--after", type=Path, metavar="CHECKPOINT", help="policy that acts first in every episode")
    parser.add_argument(
        "--push", type=float, default=usual.push, help="to one side, of what acts first, in shares of the largest step"
    )
    parser.add_argument(
        "--perturbation", default=NONE, metavar="NAME", help="in_hand_150, friction_half, ...: what is otherwise"
    )
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--sheet", type=Path, help="PNG of images from every episode")
    options = parser.parse_args(arguments)
    console = Console(stderr=True)
    try:
        SceneConfig(background=options.background)
        disturbance = Disturbance(
            options.start_yaw_deg, options.noise, options.strays, options.stray_turn_deg, options.push
        )
        if options.push and options.after is None:
            text = f"--push is {options.push:g} and nobody acts first, expected --after with it"
            raise VitalError(ErrorCode.BAD_PARAMETER, text)
        task = load_task(options.task)
        world_otherwise(options.perturbation, task)
        episodes = task.demonstrations if options.episodes is None else options.episodes
        if episodes < 1:
            raise VitalError(ErrorCode.BAD_PARAMETER, f"--episodes is {episodes}, expected at least 1")
        safe_file.check_writable(options.out / "episodes", "--out")
        if options.sheet:
            safe_file.check_writable(options.sheet, "--sheet")
        where = options.out, options.background, options.workers
        more = options.wrist_view, options.after, options.perturbation
        failed = collect(options.task, episodes, options.seed, *where, disturbance, *more)
        console.print(f"{episodes} episodes in {options.out}; {failed} failed attempts were not kept")
        if options.sheet:
            safe_file.write_bytes(options.sheet, _png(contact_sheet(options.out)))
    except VitalError as error:
        console.print(str(error), style="red", markup=False)
        sys.exit(2)


if __name__ == "__main__":
    main()
