"""The contact world of one task: arm, compliant grasp, target, touch. The same world serves ROS and Gymnasium."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import mujoco
import numpy as np
from numpy.typing import ArrayLike, NDArray

from vital_core import pose as pose_of
from vital_core.arm import kinematics
from vital_core.arm.xarm7 import HOME_RAD, LOWER_RAD, UPPER_RAD
from vital_core.errors import ErrorCode, VitalError
from vital_core.pose import Pose
from vital_core.task import Task
from vital_sim.scenery.look import SceneConfig
from vital_sim.world import model as modelling
from vital_sim.world import props
from vital_sim.world import scene as scenery
from vital_sim.world.arm import ArmConfig, TrackingFilter
from vital_sim.world.boxes import Housed
from vital_sim.world.contact import ContactConfig
from vital_sim.world.fixtures import HOUSED, TARGET_NAMES, Block, CardReader, Fixture, fixture_for
from vital_sim.world.hand import Grasp, HeldGrasp, PinchGrasp, add_holding_hand, add_open_hand
from vital_sim.world.mounts import add_cameras
from vital_sim.world.tactile import TactileConfig, TactilePad
from vital_sim.world.truth import Truth
from vital_sim.world.variation import Variation, variation_of

SERVO_PERIOD_S = 0.004
ENTERED_M = 0.001
# Around a posture, from which joint positions are looked for: the posture itself first.
_GUESSES_RAD = (0.0, 0.3, 0.3, 0.6, 0.6, 0.6)


@dataclass(frozen=True)
class WorldConfig:
    """Everything about the world that is not the task or its look."""

    contact: ContactConfig = field(default_factory=ContactConfig)
    """Stiffness and friction of whatever touches."""
    arm: ArmConfig = field(default_factory=ArmConfig)
    """How the arm follows its commands."""
    tactile: TactileConfig = field(default_factory=TactileConfig)
    """The pad on the left finger."""
    variation: Variation | None = None
    """Instead of the task's own."""
    fixture: Fixture | None = None
    """Instead of the task's own."""


def assemble(task: Task, fixture: Fixture, config: WorldConfig, scene: SceneConfig) -> mujoco.MjSpec:
    """The uncompiled model of one task."""
    spec = modelling.empty(config.contact)
    link7 = modelling.add_arm(spec, config.arm)
    housings: dict[str, Housed] = {}
    if isinstance(fixture, Block):
        modelling.add_loose_target(spec, fixture, config.contact)
        add_open_hand(spec, link7, config.contact)
    else:
        modelling.add_target(spec, fixture, config.contact)
        add_holding_hand(link7, fixture, config.contact)
        housings[task.held_object] = fixture
    if scene.extra_target is not None:
        housings[scene.extra_target] = HOUSED[scene.extra_target]
    scenery.decorate(spec, scene, task.held_object, housings)
    add_cameras(spec, task)
    return spec


class World:
    """One task's physics. `reset` first; then `command_joints` and `advance`, and read what is wanted."""

    def __init__(self, task: Task, *, scene: SceneConfig | None = None, config: WorldConfig | None = None) -> None:
        self.task = task
        self.scene = scene or SceneConfig()
        self.config = config or WorldConfig()
        self.fixture = self.config.fixture or fixture_for(task.held_object)
        self.variation = self.config.variation or variation_of(task.name)
        self.spec = assemble(task, self.fixture, self.config, self.scene)
        self.model = self.spec.compile()
        self.data = mujoco.MjData(self.model)
        self._find_parts()
        self._filter = TrackingFilter(self.config.arm)
        self._pad = TactilePad(self.config.tactile)
        self._encoder_error = np.zeros(7)
        self._pending_s = self._travel_m = self._rest_height_m = 0.0
        self._drawn_from_m: float | None = None
        self.rng = np.random.default_rng(0)
        self.reset(0)

    def _find_parts(self) -> None:
        model = self.model
        arm = [model.joint(name) for name in modelling.ARM_JOINTS]
        self._arm_qpos = np.array([j.qposadr[0] for j in arm])
        self._arm_dof = np.array([j.dofadr[0] for j in arm])
        self._sites = {name: model.site(name).id for name in ("tcp", "tip", "target_opening")}
        # Views of what is read and written at every step; to ask MuJoCo's data for them takes as long as to use them.
        data, tip, opening = self.data, self._sites["tip"], self._sites["target_opening"]
        self._servos, self._step_s = data.ctrl[:7], float(model.opt.timestep)
        self._tip_m, self._opening_m = data.site_xpos[tip], data.site_xpos[opening]
        self._opening_axes = data.site_xmat[opening].reshape(3, 3)
        self._target = model.body("target").id
        self._block = model.joint(modelling.LOOSE_JOINT).qposadr[0] if isinstance(self.fixture, Block) else None
        self._grasp: Grasp = (
            PinchGrasp(model, self.data, self.config.contact)
            if isinstance(self.fixture, Block)
            else HeldGrasp(model, self.data, self.fixture, self.config.contact)
        )

    def assembled(self) -> mujoco.MjSpec:
        """The world's parts anew, as they are before a model is made of them."""
        return assemble(self.task, self.fixture, self.config, self.scene)

    def stage(self, scene: SceneConfig, variation: Variation) -> None:
        """Another look and other places, from the next reset on. The model's own parts stay."""
        self.scene, self.variation = replace(scene, extra_target=self.scene.extra_target), variation

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
        scenery.randomise(self.model, self.data, self.scene, self.task.held_object, look)
        self.place_arm(self._start_joints(joints_rad, start))

    def begin(self, seed: int, start_yaw_rad: float = 0.0, locate: Callable[[], Pose] | None = None) -> None:
        """A new episode with the TCP somewhere in the task's start region, which follows from ``seed`` as well.

        locate: tells the target's frame, in which the region lies; called when the scene is laid and the arm at home.
        None: the frame is told, place and tilt as they are and the yaw as it nominally is. start_yaw_rad: by how much
        the hand is turned about the tip against that frame. Raises VitalError: what ``locate`` does, UNREACHABLE; then
        the arm stays at home.
        """
        self.reset(seed)
        frame = self.nominal_target() if locate is None else locate()
        self.reset(seed, start=self._sample_start(frame, start_yaw_rad))

    def nominal_target(self) -> Pose:
        """The target's frame in `link_base`, but turned about its axis as the variation's middle is."""
        yaw = self.variation.target_yaw_rad[0]
        opening = self.site_pose("target_opening")
        if self.variation.target_tilt_rad == 0.0:
            return pose_of.from_vector(opening[:3, 3], (0.0, 0.0, yaw))
        return pose_of.on_surface(opening[:3, 3], opening[:3, 2], yaw)

    def _sample_start(self, t_base_target: Pose, start_yaw_rad: float = 0.0) -> Pose:
        """A TCP pose in the start region, which lies and is turned as the target is."""
        region_m = self.variation.start_share * np.array(self.task.start_region_m)
        offset = self.rng.uniform(-0.5, 0.5, 3) * region_m
        if start_yaw_rad == 0.0:
            return t_base_target @ pose_of.point_down(offset + self.task.start_centre_m)
        tip = pose_of.from_vector(offset + self.task.start_offset_m, (0.0, 0.0, start_yaw_rad))
        return t_base_target @ tip @ pose_of.point_down((-self.task.tip_forward_m, 0.0, self.task.tip_offset_m))

    def _start_joints(self, joints_rad: ArrayLike | None, start: Pose | None) -> NDArray[np.float64]:
        if start is None:
            return np.array(HOME_RAD if joints_rad is None else joints_rad, dtype=float)
        return _joints_at(start, HOME_RAD)

    def place_arm(self, joints_rad: ArrayLike) -> None:
        """Put the arm at encoder reading ``joints_rad`` at once, at rest, the object relaxed in the grasp."""
        self.data.qvel[:] = 0.0
        self.data.qpos[self._arm_qpos] = np.asarray(joints_rad) - self._encoder_error
        self._grasp.reset()
        self._filter.reset(joints_rad)
        self.data.ctrl[:7] = self._filter.reference - self._encoder_error
        self._pending_s = 0.0
        self._travel_m, self._drawn_from_m = 0.0, None
        mujoco.mj_forward(self.model, self.data)

    def place_tcp(self, t_base_tcp: Pose) -> None:
        """Put the arm where its TCP is at ``t_base_tcp``, in a posture like the present one, and let it settle.

        Raises VitalError(UNREACHABLE) when that is out of reach.
        """
        self.place_arm(_joints_at(t_base_tcp, self.joints_rad))
        self.advance(0.1)

    def _place_target(self, rng: np.random.Generator) -> None:
        v = self.variation
        draws = [c + h * rng.uniform(-1, 1) for c, h in (v.target_x_m, v.target_y_m, v.target_z_m)]
        if isinstance(self.fixture, Block):
            draws[2] = self.fixture.size_m[2]
        yaw = v.target_yaw_rad[0] + v.target_yaw_rad[1] * rng.uniform(-1, 1)
        normal = pose_of.leaning(v.target_tilt_rad, rng.uniform(-np.pi, np.pi)) if v.target_tilt_rad else None
        self.place_target(np.array(draws), yaw, normal)

    def place_target(self, position_m: ArrayLike, yaw_rad: float, normal: NDArray[np.float64] | None = None) -> None:
        """Move the opening's centre to ``position_m`` (3,) in `link_base`; call before the arm is near.

        normal: (3,) the opening's axis, about which it is turned; None: straight up.
        """
        turned = [np.cos(yaw_rad / 2), 0.0, 0.0, np.sin(yaw_rad / 2)]
        if normal is not None:
            turned = np.roll(pose_of.to_quaternion(pose_of.on_surface(position_m, normal, yaw_rad)), 1).tolist()
        if self._block is None:
            self.model.body_pos[self._target] = position_m
            self.model.body_quat[self._target] = turned
        else:
            self.data.qpos[self._block : self._block + 7] = [*np.asarray(position_m), *turned]
        self._rest_height_m = float(np.asarray(position_m)[2])
        mujoco.mj_forward(self.model, self.data)

    def _place_object(self, rng: np.random.Generator) -> None:
        v = self.variation
        offset = np.concatenate([rng.uniform(-v.offset_m, v.offset_m, 3), rng.uniform(-v.offset_rad, v.offset_rad, 3)])
        self.place_object(offset)

    def place_object(self, offset: ArrayLike) -> None:
        """Hold the object at ``offset`` (6,): m along the TCP's x, y, z, then rad about them."""
        self._grasp.place(offset)
        mujoco.mj_forward(self.model, self.data)

    def command_joints(self, joints_rad: ArrayLike) -> None:
        """Joint target (7,) of the arm's controller in rad, in encoder angles, at any rate."""
        self._filter.command(joints_rad)

    def command_gripper(self, closed: float) -> None:
        """Where the fingers are to go: 0 open, 1 closed."""
        self._grasp.command(closed)

    @property
    def gripper_closed(self) -> float:
        """Where the fingers are: 0 open, 1 closed."""
        return self._grasp.closed

    @property
    def dropped(self) -> bool:
        """Whether the object that was held is lost."""
        return self._grasp.dropped

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
        return self.data.actuator_force[:7].copy()

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
        steps = int(self._pending_s / self._step_s + 1e-6)
        self._pending_s -= steps * self._step_s
        per_servo = max(1, round(SERVO_PERIOD_S / self._step_s))
        while steps > 0:
            count = min(steps, per_servo)
            self._servos[:] = self._filter.step(count * self._step_s) - self._encoder_error
            mujoco.mj_step(self.model, self.data, nstep=count)
            self._grasp.step(count * self._step_s)
            self._follow_travel()
            steps -= count
        self._pad.advance(seconds)

    def displacement(self) -> NDArray[np.float64]:
        """(6,) movement of the object in the grasp against its rest pose: m, then rad, in the TCP's axes."""
        return self._grasp.displacement()

    def grasp_load(self) -> NDArray[np.float64]:
        """(6,) force (N) and torque (Nm) of the object on the fingers, in the TCP's axes."""
        return self._grasp.load()

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

    def _follow_travel(self) -> None:
        """How far a card has been drawn through without leaving the slot, or a block has been lifted."""
        if self.task.skill == "pick":
            self._travel_m = float(self._opening_m[2]) - self._rest_height_m
        elif self.task.skill == "swipe":
            inside = self._tip_in_target()
            if not self._engaged(-inside[2], abs(inside[1])):
                self._drawn_from_m = None
            elif self._drawn_from_m is None:
                self._drawn_from_m = float(inside[0])
            self._travel_m = 0.0 if self._drawn_from_m is None else float(inside[0]) - self._drawn_from_m

    def _tip_in_target(self) -> NDArray[np.float64]:
        return (self._tip_m - self._opening_m) @ self._opening_axes

    def _engaged(self, depth_m: float, lateral_m: float) -> bool:
        """Whether the object is in the target as deep and as straight as success asks for."""
        in_it = depth_m >= self.task.success_depth_m and lateral_m <= self.task.success_lateral_m
        return in_it and self._along_the_slot(float(self._tip_in_target()[0]))

    def inside(self) -> bool:
        """Whether the tip is in the target, however deep, or the block between the fingers."""
        x_m, y_m, z_m = self._tip_in_target()
        lateral_m = abs(y_m) if self.task.skill == "swipe" else np.hypot(x_m, y_m)
        in_it = -z_m > ENTERED_M and lateral_m < 2 * self.task.success_lateral_m
        return bool(in_it and self._along_the_slot(x_m, ENTERED_M))

    def _along_the_slot(self, x_m: float, in_m: float = 0.0) -> bool:
        """Whether a card's leading edge is so far in that it is between the walls; True for what has no slot."""
        reader = self.fixture
        return not isinstance(reader, CardReader) or in_m <= x_m - reader.entry_m <= reader.slot_m[0] + reader.card_m[0]

    def truth(self) -> Truth:
        """The state of the task as it is."""
        target, tip, tcp = (self.site_pose(n) for n in ("target_opening", "tip", "tcp"))
        inside = self._tip_in_target()
        depth = float(-inside[2])
        lateral = abs(float(inside[1])) if self.task.skill == "swipe" else float(np.hypot(*inside[:2]))
        distances = self.data.contact.dist
        return Truth(
            success=self._engaged(depth, lateral) and self._travel_m >= self.task.success_travel_m,
            depth_m=depth,
            lateral_m=lateral,
            travel_m=self._travel_m,
            contact_force_n=self._contact_force_n(),
            penetration_m=float(max(0.0, -distances.min())) if distances.size else 0.0,
            t_base_target=target,
            t_base_tip=tip,
            t_base_tcp=tcp,
            t_tcp_object=self._t_tcp_object(tcp),
        )

    def _t_tcp_object(self, tcp: Pose) -> Pose:
        body = self.data.body("target" if self._block is not None else "held_object")
        held = np.eye(4)
        held[:3, 3] = body.xpos
        held[:3, :3] = body.xmat.reshape(3, 3)
        return pose_of.inverse(tcp) @ held

    def t_tcp_tip_at_rest(self) -> Pose:
        """Pose of the tip in the TCP frame when nothing pushes on the object."""
        return self._grasp.t_tcp_tip_at_rest()

    def _contact_force_n(self) -> float:
        contact = self.data.contact
        active = contact.efc_address >= 0
        if not active.any():
            return 0.0
        # With elliptic cones the constraint forces of a contact are its forces in its own frame.
        force = self.data.efc_force[contact.efc_address[active][:, None] + np.arange(3)]  # (n, 3)
        frame = contact.frame[active].reshape(-1, 3, 3)
        return float(np.linalg.norm(np.einsum("ni,nij->j", force, frame)))

    def clickable_points(self) -> dict[str, NDArray[np.float64]]:
        """Point to click (3,) in `link_base`, m, of everything on the table, by name; for training and measuring."""
        points = {TARGET_NAMES[self.task.held_object]: self.site_pose("target_opening")[:3, 3].copy()}
        extra = self.scene.extra_target
        if extra is not None and TARGET_NAMES[extra] not in points:
            points[TARGET_NAMES[extra]] = self.model.body("extra_target").pos.copy()
        return points | props.shown_props(self.model)


def _joints_at(t_base_tcp: Pose, posture_rad: ArrayLike) -> NDArray[np.float64]:
    rng, posture = np.random.default_rng(0), np.asarray(posture_rad, dtype=float)
    for spread_rad in _GUESSES_RAD:
        guess = np.clip(posture + spread_rad * rng.standard_normal(7), LOWER_RAD, UPPER_RAD)
        solution = kinematics.solve(t_base_tcp, guess, posture_rad=posture)
        if solution is not None:
            return solution
    raise VitalError(
        ErrorCode.UNREACHABLE,
        f"a TCP pose at {np.round(t_base_tcp[:3, 3], 3)} m is out of the arm's reach in that orientation",
    )
