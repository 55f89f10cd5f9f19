"""One task as a Gymnasium environment: 6 Hz, wrist image and touch in, TCP deltas out.

| | |
|---|---|
| action | (7,) float32: TCP-frame translation (m), rotation vector (rad), gripper (0 open, 1 closed) |
| observation | image (128, 128, 3) uint8 RGB; tactile (15,) float32, µT, field minus the episode's baseline |
| reward | 1 when the episode succeeds, otherwise 0; with ``dense`` minus the L1 distance (m) of tip to goal |
| terminated | success that has lasted `outcome.SUCCESS_HELD_S`, touch beyond the task's limit, or the object lost |
| truncated | the task's episode length is over |

With ``patience_s`` it terminates too when what was in the target has been out of it for so long (`outcome.Judge`).

With ``perturbation`` one thing is otherwise than where policies are trained (`perturbation.PERTURBATIONS`).

What the image shows is said by ``wrist_view`` (`vital_core.task.Task`): the task's window of the lens, or all of it.

info["t_base_tcp"]: (4, 4), where the arm's joints say that `link_tcp` is, in `link_base`.
info["foreground"], with ``foreground``: (128, 16) uint8, where the image shows gripper, held object or target.
info["outcome"] is one of `outcome.Outcome`. With ``locate`` the start region lies where the target was located from the
scene camera; where that fails, or the start is out of reach, the episode is over as it begins, with outcome not_located
or unreachable, and info["problem"] says why.

A step follows the law of the command gate: target = measured TCP pose times the delta. An action that breaks a rule
(`vital_core.command_rules`, the gate's own) is refused whole, the gripper too: ``info["refused"]`` says why. One whose
target leaves the workspace box is carried out along it: ``info["projected_m"]`` says how far beyond it was, and
``info["executed"]`` (7,) what was carried out (of a refused action: the action).
"""

import math
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from vital_core import pose as pose_of
from vital_core.arm import kinematics
from vital_core.command_rules import Admitted, CommandRules, Refusal
from vital_core.errors import ErrorCode, VitalError
from vital_core.observation import IMAGE_SIZE_PX, TACTILE_VALUES, Action
from vital_core.pose import Pose
from vital_core.task import WINDOW, load_task
from vital_sim.cameras.cameras import SceneCamera, WristCamera
from vital_sim.demonstrator.expert import ScriptedExpert
from vital_sim.demonstrator.rollout import PERIOD_S, RATE_HZ
from vital_sim.gym.outcome import Judge, Outcome
from vital_sim.gym.perturbation import NONE, Delay, perturbation_of
from vital_sim.gym.scene_look import Locator, SceneLook
from vital_sim.scenery.look import SceneConfig
from vital_sim.world.motion import follow, track, way_to
from vital_sim.world.tactile import largest_field_ut
from vital_sim.world.truth import Truth
from vital_sim.world.variation import SETTINGS, variants_of
from vital_sim.world.world import World, WorldConfig

ENDS = (Outcome.SUCCESS, Outcome.FORCE_LIMIT, Outcome.DROPPED)
STILL = Action.still()
OUT_OF_REACH = "target is out of the arm's reach"
TAKES_OVER = 6007  # tells a person's errors from every other draw of a seed
BASELINE_SAMPLES = 5
TACTILE_RANGE_UT = 50_000.0


@dataclass(frozen=True)
class Carried:
    """What became of an action."""

    action: Action
    """As it was carried out; of a refused one, the action itself."""
    refused: str = ""
    """Why it was not; empty: it was."""
    projected_m: float = 0.0
    """How far its target was beyond the workspace box, and so brought back onto it."""


class VitalEnv(gymnasium.Env[dict[str, NDArray], NDArray]):
    """The environment of one task; see the module's table."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 6}  # noqa: RUF012

    def __init__(
        self,
        task: str,
        *,
        setting: str = "in_domain",
        scene: SceneConfig | None = None,
        config: WorldConfig | None = None,
        dense: bool = False,
        foreground: bool = False,
        locate: Locator | None = None,
        wrist_view: str = WINDOW,
        patience_s: float = math.inf,
        perturbation: str = NONE,
        render_mode: str | None = None,
    ) -> None:
        self.task = load_task(task).seen_through(wrist_view)
        self._perturbation = perturbation_of(perturbation)
        if perturbation != NONE and (setting != SETTINGS[0] or config is not None):
            text = f"a perturbation is of the world {SETTINGS[0]}, the setting is '{setting}': leave one of them out"
            raise VitalError(ErrorCode.BAD_PARAMETER, text)
        if otherwise := self._perturbation.world(self.task):
            config = WorldConfig(**otherwise)
        self._delay = Delay(self._perturbation.late_ticks)
        self._rules = CommandRules(self.task)
        self.variants = variants_of(self.task.name, setting) if scene is None and config is None else ()
        self.variant = 0
        self.world = World(self.task, scene=scene, config=config)
        self.dense, self.foreground, self.render_mode = dense, foreground, render_mode
        self._camera = WristCamera(self.world.model, self.task)
        self._locate = locate
        self._scene_camera = SceneCamera(self.world.model) if locate is not None else None
        self._image = np.zeros((IMAGE_SIZE_PX, IMAGE_SIZE_PX, 3), np.uint8)
        self._baseline = np.zeros(TACTILE_VALUES, np.float32)
        self._judge = Judge(self.task, patience_s)
        self._episode = 0
        self._person: ScriptedExpert | None = None
        step = [*[self.task.max_step_m] * 3, *[self.task.max_step_rad] * 3]
        low, high = np.array([*(-np.array(step)), 0.0]), np.array([*step, 1.0])
        self.action_space = spaces.Box(low.astype(np.float32), high.astype(np.float32))
        self.observation_space = spaces.Dict(  # type: ignore[assignment]
            {
                "image": spaces.Box(0, 255, self._image.shape, np.uint8),
                "tactile": spaces.Box(-TACTILE_RANGE_UT, TACTILE_RANGE_UT, (TACTILE_VALUES,), np.float32),
            }
        )

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, NDArray], dict[str, Any]]:
        """A new target, in-hand offset, look and start pose; all follow from ``seed``.

        A setting with several variants takes them in turn: seed s gets variant s modulo their number.
        """
        super().reset(seed=seed)
        episode = int(self.np_random.integers(2**31)) if seed is None else seed
        if self.variants:
            self.variant = episode % len(self.variants)
            chosen = self.variants[self.variant]
            self.world.stage(chosen.scene, chosen.variation)
        outcome, problem = self._begin(episode)
        self._camera.reset(episode)
        self._episode = episode
        self._judge.begin()
        self._delay.begin()
        self._person = None
        readings = []
        for _ in range(BASELINE_SAMPLES):
            self.world.advance(0.01)
            readings.append(self.world.tactile_ut())
        self._baseline = np.median(readings, axis=0).astype(np.float32)
        return self._observe(), self._info(self.world.truth(), outcome, Carried(STILL)) | {"problem": problem}

    def _begin(self, episode: int) -> tuple[Outcome, str]:
        """Lay the scene and put the arm at its start: the outcome so far, and why there is no start."""
        try:
            self.world.begin(episode, locate=None if self._locate is None else lambda: self._located(episode))
        except VitalError as error:
            none = Outcome.UNREACHABLE if error.code is ErrorCode.UNREACHABLE else Outcome.NOT_LOCATED
            return none, str(error)
        return Outcome.RUNNING, ""

    def _located(self, episode: int) -> Pose:
        """The target's frame as the scene camera shows it, the arm at home."""
        assert self._locate is not None and self._scene_camera is not None
        camera = self._scene_camera
        camera.reset(episode)
        rgb, depth_mm = camera.render(self.world.data)
        hand = self.world.t_base_tcp()
        return self._locate(SceneLook(rgb, depth_mm, camera.camera_matrix, camera.t_base_camera, hand))

    def step(self, action: NDArray) -> tuple[dict[str, NDArray], float, bool, bool, dict[str, Any]]:
        """One control period (1/6 s)."""
        return self._after(self.carry_out(self._delay.next(Action.from_array(action))))

    def demonstrate(self) -> tuple[dict[str, NDArray], float, bool, bool, dict[str, Any]]:
        """One control period like that of `step`, but a scripted person has the arm, who errs as one.

        info["executed"] says where it went. For a training in which somebody helps (`demonstrator.expert`).
        """
        if self._person is None:
            rng = np.random.default_rng((self._episode, TAKES_OVER))
            self._person = ScriptedExpert(self.world, rng, human_like=True)
        before = self.world.t_base_tcp()
        for _ in range(round(self.task.period_s * RATE_HZ)):
            command = self._person.command()
            self.world.command_gripper(command.gripper)
            track(self.world, command.target, PERIOD_S)
        moved = pose_of.to_vector(pose_of.inverse(before) @ self.world.t_base_tcp())
        return self._after(Carried(Action(moved[:3], moved[3:], command.gripper)))

    def _after(self, carried: Carried) -> tuple[dict[str, NDArray], float, bool, bool, dict[str, Any]]:
        """What is seen at the end of a control period, and what it comes to."""
        observation, truth = self._observe(), self.world.truth()
        outcome = self._judge.see(
            truth,
            self.world.time_s,
            inside=self.world.inside(),
            field_ut=largest_field_ut(observation["tactile"]),
            dropped=self.world.dropped,
        )
        succeeded = outcome is Outcome.SUCCESS
        over = self.world.time_s >= self.task.episode_s - 1e-6
        terminated = outcome in ENDS or (outcome is Outcome.SLIPPED_OUT and not over)
        reward = float(succeeded) - (self._distance_m(truth) if self.dense else 0.0)
        return observation, reward, terminated, over and not terminated, self._info(truth, outcome, carried)

    def carry_out(self, action: Action) -> Carried:
        """Move, or stand still and say why."""
        world, period_s = self.world, self.task.period_s
        admitted = self._admit(action)
        way = None if isinstance(admitted, Refusal) else way_to(world, admitted.t_base_target, period_s)
        if isinstance(admitted, Refusal) or way is None:
            world.advance(period_s)
            return Carried(action, admitted.text if isinstance(admitted, Refusal) else OUT_OF_REACH)
        executed = admitted.executed(action, world.t_base_tcp())
        world.command_gripper(min(1.0, max(0.0, action.gripper)))
        follow(world, way, period_s)
        return Carried(executed, projected_m=admitted.projected_m)

    def _admit(self, action: Action) -> Admitted | Refusal:
        if (refusal := self._rules.refuse_action(action)) is not None:
            return refusal
        sent, target = kinematics.forward(self.world.commanded_joints), self.world.t_base_tcp() @ action.delta_tcp
        return self._rules.admit_motion(sent, target, self.task.period_s)

    def _observe(self) -> dict[str, NDArray]:
        self._image = self._perturbation.perceived(self._camera.render(self.world.data), self._episode)
        tactile = (self.world.tactile_ut() - self._baseline).astype(np.float32)
        return {"image": self._image, "tactile": tactile}

    def _distance_m(self, truth: Truth) -> float:
        """L1 distance of the tip from where it is fully in, and what is left of the swipe or the lift."""
        goal = truth.t_base_target @ pose_of.from_vector((0, 0, -self.task.success_depth_m), (0, 0, 0))
        apart = np.abs(goal[:3, :3].T @ (truth.t_base_tip[:3, 3] - goal[:3, 3]))
        if self.task.skill == "swipe":
            # Once in the slot, the way along it is the travel's.
            apart[0] = max(0.0, -float((goal[:3, :3].T @ (truth.t_base_tip[:3, 3] - goal[:3, 3]))[0]))
        return float(apart.sum()) + max(0.0, self.task.success_travel_m - truth.travel_m)

    def _info(self, truth: Truth, outcome: Outcome, carried: Carried) -> dict[str, Any]:
        info = {
            "outcome": str(outcome),
            "variant": self.variant,
            "refused": carried.refused,
            "projected_m": carried.projected_m,
            "executed": carried.action.to_array().astype(np.float32),
            "t_base_tcp": self.world.t_base_tcp(),
            "success": truth.success,
            "depth_m": truth.depth_m,
            "lateral_m": truth.lateral_m,
            "travel_m": truth.travel_m,
            "contact_force_n": truth.contact_force_n,
            "distance_m": self._distance_m(truth),
            "time_s": self.world.time_s,
        }
        if self.foreground:
            info["foreground"] = np.packbits(self._camera.foreground(self.world.data), axis=-1)
        return info

    def render(self) -> NDArray[np.uint8]:
        """The wrist image of the last observation."""
        return self._image

    def close(self) -> None:
        """Free the renderer."""
        self._camera.close()
        if self._scene_camera is not None:
            self._scene_camera.close()
