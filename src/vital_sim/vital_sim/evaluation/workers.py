"""Trials spread over processes, or over the machines of a Ray cluster. Each worker has its own world and network."""

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

import gymnasium

from vital_core.errors import ErrorCode, VitalError
from vital_core.task import WINDOW
from vital_sim import environment_id
from vital_sim.evaluation.evaluation import TOLD, Trial, run_trials
from vital_sim.evaluation.policies import PolicySpec, load_locator


@dataclass(frozen=True)
class Job:
    """What every worker needs."""

    policy: PolicySpec
    """What is measured, and at which task."""
    setting: str
    """Where."""
    batch: int = 1
    """How many trials a worker runs at a time."""
    start: str = TOLD
    """What says where the target is: `told` by the simulator, or a locator's name."""
    wrist_view: str = WINDOW
    """What the wrist image shows."""
    perturbation: str = ""
    """What is otherwise than where it was trained; the setting is in_domain then."""


def make_env(
    task: str, setting: str, start: str = TOLD, wrist_view: str = WINDOW, perturbation: str = ""
) -> gymnasium.Env:
    """The registered environment of a task. start: what says where the target is, `told` or a locator's name.

    Raises VitalError(BAD_PARAMETER) for an unknown setting, locator, wrist view or perturbation, and for one elsewhere
    than in domain.
    """
    return gymnasium.make(
        environment_id(task),
        setting=setting,
        locate=None if start == TOLD else load_locator(start, task),
        wrist_view=wrist_view,
        perturbation=perturbation,
        disable_env_checker=True,
    ).unwrapped


class Worker:
    """A policy and its environments."""

    def __init__(self, job: Job) -> None:
        _use_one_thread()
        self._policy = job.policy.load()
        self._envs = [
            make_env(job.policy.task, job.setting, job.start, job.wrist_view, job.perturbation)
            for _ in range(job.batch)
        ]

    def run(self, seeds: Sequence[int]) -> list[Trial]:
        """One trial a seed."""
        return list(run_trials(self._envs, self._policy, seeds))


def _use_one_thread() -> None:
    """Workers side by side must not each start a thread a core."""
    try:
        import torch
    except ImportError:
        return
    torch.set_num_threads(1)


def portions(seeds: Sequence[int], batch: int) -> list[Sequence[int]]:
    """Seeds in the pieces that a worker gets: small ones, so that little is lost when it is killed."""
    size = batch if batch == 1 else 2 * batch
    return [seeds[i : i + size] for i in range(0, len(seeds), size)]


_worker: Worker | None = None


def _start(job: Job) -> None:
    global _worker
    _worker = Worker(job)


def _run(seeds: Sequence[int]) -> list[Trial]:
    assert _worker is not None
    return _worker.run(seeds)


def over_processes(job: Job, seeds: Sequence[int], processes: int) -> Iterator[Trial]:
    """Trials as they are done, in any order."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, _start, (job,)) as pool:
        for future in as_completed([pool.submit(_run, piece) for piece in portions(seeds, job.batch)]):
            yield from future.result()


def over_ray(job: Job, seeds: Sequence[int]) -> Iterator[Trial]:
    """Trials as they are done, on every processor of the cluster that `RAY_ADDRESS` names, or of this machine.

    Raises VitalError(BAD_PARAMETER) where Ray is not installed.
    """
    ray = _ray()
    if not ray.is_initialized():
        # A cluster of its own listens on the loopback alone.
        own = {} if os.environ.get("RAY_ADDRESS") else {"_node_ip_address": "127.0.0.1"}
        ray.init(log_to_driver=False, include_dashboard=False, **own)
    pieces = portions(seeds, job.batch)
    count = min(len(pieces), max(1, int(ray.cluster_resources().get("CPU", 1))))
    workers = [ray.remote(num_cpus=1)(Worker).remote(job) for _ in range(count)]
    pool = ray.util.ActorPool(workers)
    for trials in pool.map_unordered(lambda worker, piece: worker.run.remote(piece), pieces):
        yield from trials


def _ray() -> Any:
    try:
        import ray
        import ray.util
    except ImportError as error:
        raise VitalError(
            ErrorCode.BAD_PARAMETER,
            "--ray needs Ray, which is not installed: `.venv/bin/pip install ray`, here and on every machine of the "
            "cluster, or leave --ray out",
        ) from error
    return ray
