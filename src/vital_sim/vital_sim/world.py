"""The contact world of one task: arm, compliant grasp, target, touch. The same world serves ROS and Gymnasium."""

from dataclasses import dataclass, field

import mujoco
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

from vital_core import kinematics
from vital_core import pose as pose_of
from vital_core.pose import Pose
from vital_core.task import Task
from vital_core.xarm7 import HOME_RAD
from vital_sim import model as modelling
from vital_sim import scene as scenery
from vital_sim.arm import ArmConfig, TrackingFilter
from vital_sim.connectors import Connector, connector_for
from vital_sim.model import ARM_JOINTS, GRASP_JOINTS, ContactConfig
from vital_sim.scene import SceneConfig
from vital_sim.tactile import TactileConfig, TactilePad

SERVO_PERIOD_S = 0.004


@dataclass(frozen=True)
class Variation:
    """What changes from episode to episode: centre and half range of uniform draws, m and rad, in `link_base`.

    target_*: centre of the opening and its yaw. offset_*: in-hand offset of the object about nominal.
    """

    target_x_m: tuple[float, float] = (0.45, 0.04)
    target_y_m: tuple[float, float] = (0.0, 0.04)
    target_z_m: tuple[float, float] = (0.035, 0.005)
    target_yaw_rad: tuple[float, float] = (0.0, float(np.deg2rad(2.0)))
    offset_m: float = 0.0015
    offset_rad: float = float(np.deg2rad(4.0))


EXACT = Variation(offset_m=0.0, offset_rad=0.0)


@dataclass(frozen=True)
class Truth:
    """What only the simulation knows; for measuring, never for a policy.

    depth_m: of the tip below the mouth of the opening. lateral_m: distance of the tip from the opening's
    axis. contact_force_n: norm of the sum of contact forces on the target. penetration_m: deepest now.
    """

    success: bool
    depth_m: float
    lateral_m: float
    contact_force_n: float
    penetration_m: float
    t_base_target: Pose
    t_base_tip: Pose
    t_base_tcp: Pose
    t_tcp_object: Pose


@dataclass(frozen=True)
class WorldConfig:
    """Everything about the world that is not the task or its look. connector: instead of the task's own."""

    contact: ContactConfig = field(default_factory=ContactConfig)
    arm: ArmConfig = field(default_factory=ArmConfig)
    tactile: TactileConfig = field(default_factory=TactileConfig)
    variation: Variation = field(default_factory=Variation)
    connector: Connector | None = None


class World:
    """One task's physics. `reset` first; then `command_joints` and `advance`, and read what is wanted."""

    def __init__(self, task: Task, *, scene: SceneConfig | None = None, config: WorldConfig | None = None) -> None:
        self.task = task
        self.scene = scene or SceneConfig()
        self.config = config or WorldConfig()
        self.connector = self.config.connector or connector_for(task.held_object)
        self.spec = modelling.build(self.connector, self.config.contact, self.config.arm, self.scene, task.held_object)
        self.model = self.spec.compile()
        self.data = mujoco.MjData(self.model)
        self._find_parts()
        self._filter = TrackingFilter(self.config.arm)
        self._pad = TactilePad(self.config.tactile)
        self._encoder_error = np.zeros(7)
        self._pending_s = 0.0
        self.rng = np.random.default_rng(0)
        self.reset(0)

    def _find_parts(self) -> None:
        model = self.model
        arm = [model.joint(name) for name in ARM_JOINTS]
        grasp = [model.joint(name) for name in GRASP_JOINTS]
        self._arm_qpos = np.array([j.qposadr[0] for j in arm])
        self._arm_dof = np.array([j.dofadr[0] for j in arm])
        self._grasp_qpos = np.array([j.qposadr[0] for j in grasp])
        self._grasp_stiffness = np.array(self.config.contact.grasp_stiffness)
        self._slip = np.array(self.config.contact.grasp_limit) / self._grasp_stiffness
        self._sites = {name: model.site(name).id for name in ("tcp", "tip", "target_opening")}
        self._target = model.body("target").id
        self._held = model.body("held_object").id

    def reset(self, seed: int, *, joints_rad: ArrayLike | None = None, start: Pose | None = None) -> None:
        """A new episode: target, in-hand offset, arm errors, touch and look all follow from ``seed``.

        The arm stands at ``joints_rad``, or with its TCP at ``start``, or at HOME_RAD.
        """
        streams = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(6)]
        target, grasp, arm, touch, look, self.rng = streams
        mujoco.mj_resetData(self.model, self.data)
        self._place_target(target)
        self._place_object(grasp)
        self._encoder_error = self.config.arm.encoder_error_rad * arm.standard_normal(7)
        self._pad.reset(touch)
        scenery.randomise(self.model, self.data, self.scene, look)
        self.place_arm(self._start_joints(joints_rad, start))

    def _start_joints(self, joints_rad: ArrayLike | None, start: Pose | None) -> NDArray[np.float64]:
        if start is None:
            return np.array(HOME_RAD if joints_rad is None else joints_rad, dtype=float)
        solution = kinematics.solve(start, HOME_RAD, posture_rad=HOME_RAD)
        if solution is None:
            raise ValueError(f"start pose at {np.round(start[:3, 3], 3)} m is out of the arm's reach")
        return solution

    def place_arm(self, joints_rad: ArrayLike) -> None:
        """Put the arm at encoder reading ``joints_rad`` at once, at rest, the object relaxed in the grasp."""
        self.data.qvel[:] = 0.0
        self.data.qpos[self._arm_qpos] = np.asarray(joints_rad) - self._encoder_error
        self.data.qpos[self._grasp_qpos] = self.model.qpos_spring[self._grasp_qpos]
        self._filter.reset(joints_rad)
        self.data.ctrl[:] = self._filter.reference - self._encoder_error
        self._pending_s = 0.0
        mujoco.mj_forward(self.model, self.data)

    def _place_target(self, rng: np.random.Generator) -> None:
        v = self.config.variation
        draws = [c + h * rng.uniform(-1, 1) for c, h in (v.target_x_m, v.target_y_m, v.target_z_m)]
        yaw = v.target_yaw_rad[0] + v.target_yaw_rad[1] * rng.uniform(-1, 1)
        self.place_target(np.array(draws), yaw)

    def place_target(self, position_m: ArrayLike, yaw_rad: float) -> None:
        """Move the opening's centre to ``position_m`` (3,) in `link_base`; call before the arm is near."""
        self.model.body_pos[self._target] = position_m
        self.model.body_quat[self._target] = [np.cos(yaw_rad / 2), 0.0, 0.0, np.sin(yaw_rad / 2)]
        mujoco.mj_forward(self.model, self.data)

    def _place_object(self, rng: np.random.Generator) -> None:
        v = self.config.variation
        offset = np.concatenate([rng.uniform(-v.offset_m, v.offset_m, 3), rng.uniform(-v.offset_rad, v.offset_rad, 3)])
        self.place_object(offset)

    def place_object(self, offset: ArrayLike) -> None:
        """Hold the object at ``offset`` (6,): m along the TCP's x, y, z, then rad about them."""
        self.model.qpos_spring[self._grasp_qpos] = offset
        self.data.qpos[self._grasp_qpos] = offset
        mujoco.mj_forward(self.model, self.data)

    def command_joints(self, joints_rad: ArrayLike) -> None:
        """Joint target (7,) of the arm's controller in rad, in encoder angles, at any rate."""
        self._filter.command(joints_rad)

    @property
    def commanded_joints(self) -> NDArray[np.float64]:
        """(7,) last joint command."""
        return self._filter.commanded.copy()

    @property
    def joints_rad(self) -> NDArray[np.float64]:
        """(7,) encoder reading."""
        return self.data.qpos[self._arm_qpos] + self._encoder_error

    @property
    def joint_velocities(self) -> NDArray[np.float64]:
        """(7,) rad/s."""
        return self.data.qvel[self._arm_dof].copy()

    @property
    def joint_efforts(self) -> NDArray[np.float64]:
        """(7,) Nm of the servos, gravity compensation left out."""
        return self.data.actuator_force.copy()

    @property
    def time_s(self) -> float:
        """Simulated seconds since the reset."""
        return float(self.data.time)

    def t_base_tcp(self) -> Pose:
        """Measured pose of the TCP: forward kinematics of the encoders."""
        return kinematics.forward(self.joints_rad)

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass, in whole physics steps; a remainder is carried to the next call."""
        self._pending_s += seconds
        step_s = self.model.opt.timestep
        steps = int(self._pending_s / step_s + 1e-6)
        self._pending_s -= steps * step_s
        per_servo = max(1, round(SERVO_PERIOD_S / step_s))
        while steps > 0:
            count = min(steps, per_servo)
            self.data.ctrl[:] = self._filter.step(count * step_s) - self._encoder_error
            mujoco.mj_step(self.model, self.data, nstep=count)
            self._let_slip()
            steps -= count
        self._pad.advance(seconds)

    def displacement(self) -> NDArray[np.float64]:
        """(6,) movement of the object in the grasp against its rest pose: m, then rad, in the TCP's axes."""
        return self.data.qpos[self._grasp_qpos] - self.model.qpos_spring[self._grasp_qpos]

    def grasp_load(self) -> NDArray[np.float64]:
        """(6,) force (N) and torque (Nm) of the object on the fingers, in the TCP's axes."""
        return self._grasp_stiffness * self.displacement()

    def _let_slip(self) -> None:
        """Beyond the grip's friction the object slides: its rest pose follows."""
        excess = self.displacement()
        excess -= np.clip(excess, -self._slip, self._slip)
        if excess.any():
            self.model.qpos_spring[self._grasp_qpos] += excess

    def tactile_ut(self) -> NDArray[np.float32]:
        """(15,) raw field of the pad, µT; x, y, z of each magnetometer in turn."""
        return self._pad.read_ut(self.displacement())

    def tactile_valid(self, reading_ut: NDArray[np.float32]) -> bool:
        """Whether a reading is within the sensor's range."""
        return not self._pad.saturated(reading_ut)

    def site_pose(self, name: str) -> Pose:
        """Pose in `link_base` of the site `tcp`, `tip` or `target_opening`."""
        site = self._sites[name]
        pose = np.eye(4)
        pose[:3, 3] = self.data.site_xpos[site]
        pose[:3, :3] = self.data.site_xmat[site].reshape(3, 3)
        return pose

    def truth(self) -> Truth:
        """The state of the task as it is."""
        target, tip, tcp = (self.site_pose(n) for n in ("target_opening", "tip", "tcp"))
        inside = (pose_of.inverse(target) @ tip)[:3, 3]
        depth, lateral = float(-inside[2]), float(np.hypot(*inside[:2]))
        distances = self.data.contact.dist
        return Truth(
            success=depth >= self.task.success_depth_m and lateral <= self.task.success_lateral_m,
            depth_m=depth,
            lateral_m=lateral,
            contact_force_n=self._contact_force_n(),
            penetration_m=float(max(0.0, -distances.min())) if distances.size else 0.0,
            t_base_target=target,
            t_base_tip=tip,
            t_base_tcp=tcp,
            t_tcp_object=self._t_tcp_object(tcp),
        )

    def _t_tcp_object(self, tcp: Pose) -> Pose:
        held = np.eye(4)
        held[:3, 3] = self.data.xpos[self._held]
        held[:3, :3] = self.data.xmat[self._held].reshape(3, 3)
        return pose_of.inverse(tcp) @ held

    def t_tcp_tip_at_rest(self) -> Pose:
        """Pose of the tip in the TCP frame when nothing pushes on the object."""
        offset = self.model.qpos_spring[self._grasp_qpos]
        tip = np.eye(4)
        # The grasp's hinges turn about x, then y, then z, each carried along by the one before.
        tip[:3, :3] = Rotation.from_euler("XYZ", offset[3:]).as_matrix()
        tip[:3, 3] = offset[:3] + tip[:3, 2] * self.connector.tip_m
        return tip

    def _contact_force_n(self) -> float:
        contact = self.data.contact
        active = contact.efc_address >= 0
        if not active.any():
            return 0.0
        # With elliptic cones the constraint forces of a contact are its forces in its own frame.
        force = self.data.efc_force[contact.efc_address[active][:, None] + np.arange(3)]  # (n, 3)
        frame = contact.frame[active].reshape(-1, 3, 3)
        return float(np.linalg.norm(np.einsum("ni,nij->j", force, frame)))
