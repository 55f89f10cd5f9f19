"""The world in real time: physics in one thread, each camera in another, sensors on their own schedules.

The world is touched by its thread alone; everything else asks it (`request`), and cameras get copies of its state.
When the machine is too slow the world falls behind the clock instead of skipping physics, and sensor frames are
dropped, counted.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from vital_core.clock import steady_s
from vital_core.errors import VitalError
from vital_core.task import WINDOW, WristView, load_task
from vital_sim.cameras.camera_worker import CameraWorker
from vital_sim.cameras.cameras import LabelledWristCamera, SceneCamera, WristCamera
from vital_sim.cameras.show_camera import ShowCamera
from vital_sim.ros.joint_trajectory import Points, TrajectoryExecution
from vital_sim.ros.sim_sinks import Sinks
from vital_sim.scenery.look import SceneConfig
from vital_sim.world.variation import variants_of
from vital_sim.world.world import World

TICK_S = 0.01
# Further behind the clock than this, the clock is let go: no burst of catching up.
MOST_BEHIND_S = 0.1
REST_RAD_S = 0.02  # a joint slower than this stands
REST_FOR_S = 0.1
# Pictures for people: 80 ms of a busy core each, most of it for the meshes; smooth edges would double that.
SHOW_PASSES, SHOW_SHADOW_PX, SHOW_EDGE_SAMPLES = 1, 1024, 0
CLOSE_S = 0.5  # for a thread to end; a camera that is being set up is not waited for longer


class SimSession:
    """One world and its thread."""

    def __init__(
        self,
        task: str,
        seed: int,
        background: str,
        sinks: Sinks,
        setting: str = "in_domain",
        wrist_view: WristView = WINDOW,
    ) -> None:
        """setting: of `vital_sim.world.variation`, whose variants the seeds take in turn.

        wrist_view: what the wrist images show (`vital_core.task.Task`), whichever task is laid.
        """
        load_task(task)
        self._wrist_view = wrist_view
        variants_of(task, setting)
        self._setting = setting
        self._scene = SceneConfig(background=background)
        self._sinks = sinks
        self._asked: list[tuple[Callable[[], Any], Future]] = []
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._start = (task, seed)
        self.baseline = np.zeros(0, np.float32)
        self.baseline_id = 0
        self.episode = 0
        self.seed = seed
        self.task = task
        self.real_time_factor = 1.0
        self.frames_dropped = 0
        self.failure: BaseException | None = None
        self._sent: dict[str, int] = {}
        self._moved_s = -np.inf
        self._wrist = CameraWorker(self._make_wrist_camera, sinks.wrist)
        self._scene_view = CameraWorker(SceneCamera, sinks.scene)
        self._show = CameraWorker(self._make_show_camera, sinks.show)
        self._shown: mujoco.MjModel | None = None
        self._thread = threading.Thread(target=self._run, name="simulation", daemon=True)
        self._thread.start()

    @property
    def wrist_camera(self) -> WristCamera:
        """For its lens and mount."""
        assert self._wrist.camera is not None
        return self._wrist.camera.lens

    @property
    def scene_camera(self) -> SceneCamera:
        """For its lens and mount."""
        assert self._scene_view.camera is not None
        return self._scene_view.camera

    @property
    def frames_sent(self) -> dict[str, int]:
        """How many messages of each sensor have gone out."""
        return {
            **self._sent,
            "wrist": self._wrist.delivered,
            "scene": self._scene_view.delivered,
            "show": self._show.delivered,
        }

    def request(self, work: Callable[[], Any]) -> Future:
        """Have ``work`` done in the simulation's thread, between two ticks."""
        future: Future = Future()
        with self._lock:
            self._asked.append((work, future))
        return future

    def follow(self, points: Points) -> Future:
        """Carry out a joint trajectory from now on."""
        return self.request(lambda: self._execution.start(points, self.world.time_s))

    def halt(self) -> Future:
        """Bring the arm to rest as a controller does that is switched off."""
        return self.request(lambda: self._execution.halt(self.world.time_s))

    @property
    def at_rest(self) -> bool:
        """Whether the arm's joints have stood for a moment."""
        return steady_s() - self._moved_s > REST_FOR_S

    def grip(self, closed: float) -> Future:
        """Move the fingers from now on: 0 open, 1 closed."""
        return self.request(lambda: self.world.command_gripper(closed))

    @property
    def gripper_closed(self) -> float:
        """Where the fingers are: 0 open, 1 closed."""
        return self.world.gripper_closed

    def reset(self, task: str, seed: int) -> Future:
        """A new scene of ``task``; the future ends after each sensor has shown it once."""
        return self.request(lambda: self._lay_scene(task or self.task, seed))

    def take_baseline(self, samples: int) -> Future:
        """Median of fresh tactile readings (15,), µT."""
        return self.request(lambda: self._take_baseline(samples))

    def close(self) -> None:
        """End the threads."""
        self._stopping.set()
        self._thread.join(CLOSE_S)
        self._wrist.close()
        self._scene_view.close()
        self._show.close()

    def _run(self) -> None:
        try:
            self._build(self._start[0])
            self._lay_scene(*self._start)
            self._loop()
        except Exception as error:  # the node reports it and ends
            self.failure = error

    def _build(self, task: str) -> None:
        self.world = World(load_task(task).seen_through(self._wrist_view), scene=self._scene)
        self._wrist.build(self.world.model)
        self._scene_view.build(self.world.model)
        self.task = task

    def _make_wrist_camera(self, model: mujoco.MjModel) -> LabelledWristCamera:
        return LabelledWristCamera(model, self.world.task, self._sinks.wants_foreground)

    def _make_show_camera(self, _: mujoco.MjModel) -> ShowCamera:
        return ShowCamera(self.world, passes=SHOW_PASSES, shadow_px=SHOW_SHADOW_PX, edge_samples=SHOW_EDGE_SAMPLES)

    def _lay_scene(self, task: str, seed: int) -> int:
        if task != self.task:
            load_task(task)
            self._build(task)
        # The cameras first: none of them renders while the model's looks are changed.
        self._wrist.reset(seed)
        self._scene_view.reset(seed)
        self._show.reset(seed)
        self._stage(seed)
        self.world.reset(seed)
        self._execution = TrajectoryExecution(self.world.commanded_joints)
        self.seed, self.episode = seed, self.episode + 1
        self._due = dict.fromkeys(self._sinks.periods_s, 0.0)
        self._origin_s = steady_s() - self.world.time_s
        self._sinks.reset(self.world.joints_rad)
        for name in ("reference", "joints", "tactile", "truth"):
            self._send(name)
        return self.episode

    def _stage(self, seed: int) -> None:
        """Where the target may be and what lies about it, as the seed's variant of the setting has it."""
        variants = variants_of(self.task, self._setting)
        variant = variants[seed % len(variants)]
        scene = self._scene if variant.scene == SceneConfig() else variant.scene
        self.world.stage(scene, variant.variation)

    def _take_baseline(self, samples: int) -> NDArray[np.float32]:
        readings = []
        for _ in range(samples):
            self._tick()
            readings.append(self.world.tactile_ut())
        self.baseline = np.median(readings, axis=0).astype(np.float32)
        self.baseline_id += 1
        return self.baseline

    def _loop(self) -> None:
        measured_s, simulated_s = steady_s(), self.world.time_s
        while not self._stopping.is_set():
            self._answer()
            self._tick()
            self._send_due()
            behind_s = steady_s() - self._origin_s - self.world.time_s
            if behind_s > MOST_BEHIND_S:
                self._origin_s += behind_s
            elif behind_s < 0.0:
                self._stopping.wait(-behind_s)
            if steady_s() - measured_s >= 1.0:
                advanced_s = self.world.time_s - simulated_s
                if advanced_s > 0.0:
                    self.real_time_factor = advanced_s / (steady_s() - measured_s)
                measured_s, simulated_s = steady_s(), self.world.time_s

    def _answer(self) -> None:
        with self._lock:
            asked, self._asked = self._asked, []
        for work, future in asked:
            try:
                future.set_result(work())
            except (VitalError, ValueError) as error:
                future.set_exception(error)

    def _tick(self) -> None:
        position, _ = self._execution.sample(self.world.time_s + TICK_S)
        self.world.command_joints(position)
        self.world.advance(TICK_S)
        if np.abs(self.world.joint_velocities).max() > REST_RAD_S:
            self._moved_s = steady_s()

    def _send_due(self) -> None:
        now_s = self.world.time_s
        for name, period_s in self._sinks.periods_s.items():
            if now_s + 1e-6 >= self._due[name]:
                missed = int((now_s - self._due[name]) / period_s)
                self.frames_dropped += missed
                self._due[name] += (missed + 1) * period_s
                self._send(name)

    def _send(self, name: str) -> None:
        sinks, world = self._sinks, self.world
        if name == "joints":
            sinks.joints(world.joints_rad, world.joint_velocities)
        elif name == "reference":
            sinks.reference(*self._execution.sample(world.time_s))
        elif name == "tactile":
            reading = world.tactile_ut()
            sinks.tactile(reading, bool(world.tactile_valid(reading)))
        elif name == "truth":
            sinks.truth(world.truth(), self.seed, self.episode)
        elif name == "wrist":
            self._offer(self._wrist, sinks.wants_wrist())
            return
        elif name == "scene":
            self._offer(self._scene_view, sinks.wants_scene())
            return
        elif name == "show":
            self._offer_show(sinks.wants_show())
            return
        self._sent[name] = self._sent.get(name, 0) + 1

    def _offer_show(self, wanted: bool) -> None:
        """Of the pictures for people none is missed: their camera is made when the first one is wanted."""
        if self._show.failure is not None:
            raise self._show.failure
        if wanted and self._shown is not self.world.model:
            self._shown = self.world.model
            self._show.begin(self._shown)
        elif wanted:
            self._show.offer(self.world.data, self._sinks.stamp())

    def _offer(self, camera: CameraWorker, wanted: bool) -> None:
        if camera.failure is not None:
            raise camera.failure
        if wanted and not camera.offer(self.world.data, self._sinks.stamp()):
            self.frames_dropped += 1
