"""The gripper: its bodies in the model, and what it does with an object.

It holds one in a compliant grasp, its fingers at rest, or pinches one between two driven fingers. Its frame is
`link_tcp`, z out of the fingers, fingers closing along y. Movements and loads are (6,): m and N along the TCP's axes,
then rad and Nm about them.
"""

from typing import Protocol

import mujoco
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

from vital_core.arm.xarm7 import FLANGE_TO_TCP_M
from vital_core.pose import Pose
from vital_sim.world.boxes import HeldObject, add_box
from vital_sim.world.contact import UNTOUCHABLE, ContactConfig, Side, contact_fields

BOX = mujoco.mjtGeom.mjGEOM_BOX
SLIDE, HINGE = mujoco.mjtJoint.mjJNT_SLIDE, mujoco.mjtJoint.mjJNT_HINGE
GRASP_JOINTS = ("grasp_x", "grasp_y", "grasp_z", "grasp_rx", "grasp_ry", "grasp_rz")
FINGER_JOINTS = ("finger_left", "finger_right")
PAD_JOINTS = ("pad_left_x", "pad_left_y", "pad_left_z")
GRIPPER_MASS_KG = 0.8
PAD_THICKNESS_M = 0.003
# The xArm gripper opens by 84 mm.
STROKE_M = 0.042
FINGER_STIFFNESS_N_M = 4000.0
FINGER_INERTIA_KG = 0.2
DARK, BLACK = [0.15, 0.15, 0.16, 1.0], [0.05, 0.05, 0.05, 1.0]
SIDES = (("left", 1.0), ("right", -1.0))
# An object that has slid this far between the fingers is lost, and so is one whose gripper opens this much.
LOST_M = 0.012
OPEN = 0.5
# Sum of the squares of six displacements over their limits, below which none is beyond its own.
SURELY_WITHIN = 0.99
Vector6 = NDArray[np.float64]


def _add_palm(link7: mujoco.MjsBody) -> mujoco.MjsBody:
    gripper = link7.add_body(name="gripper", pos=[0, 0, FLANGE_TO_TCP_M], gravcomp=1.0)
    gripper.add_site(name="tcp", size=[0.001] * 3)
    size, fields = [0.035, 0.055, 0.05], {"mass": GRIPPER_MASS_KG, "rgba": DARK, **UNTOUCHABLE}
    gripper.add_geom(name="gripper_palm", type=BOX, pos=[0, 0, -0.122], size=size, **fields)
    return gripper


def _add_finger(body: mujoco.MjsBody, name: str, y_m: float, contact: ContactConfig) -> None:
    fields = {"mass": 0.03, "rgba": DARK, **contact_fields(contact, Side.HAND)}
    body.add_geom(name=f"finger_{name}", type=BOX, pos=[0, y_m, -0.034], size=[0.011, 0.006, 0.040], **fields)


def _add_pad(body: mujoco.MjsBody, name: str, y_m: float, **fields: object) -> None:
    size = [0.010, PAD_THICKNESS_M / 2, 0.010]
    body.add_geom(name=f"pad_{name}", type=BOX, pos=[0, y_m, -0.006], size=size, mass=0.002, rgba=BLACK, **fields)


def add_holding_hand(link7: mujoco.MjsBody, held: HeldObject, contact: ContactConfig) -> None:
    """Fingers at rest on an object that gives way in the grasp along six springs."""
    gripper = _add_palm(link7)
    inner = held.grip_m[1] / 2 + PAD_THICKNESS_M
    for name, sign in SIDES:
        _add_finger(gripper, name, sign * (inner + 0.006), contact)
        _add_pad(gripper, name, sign * (inner - PAD_THICKNESS_M / 2), **UNTOUCHABLE)
    _add_held_object(gripper, held, contact)


def _add_held_object(gripper: mujoco.MjsBody, held: HeldObject, contact: ContactConfig) -> None:
    body = gripper.add_body(name="held_object")
    for i, name in enumerate(GRASP_JOINTS):
        inertia = contact.grasp_inertia[i]
        joint = body.add_joint(name=name, type=SLIDE if i < 3 else HINGE, axis=_axis(i % 3), armature=inertia)
        _add_spring(joint, contact.grasp_stiffness[i], inertia, contact.grasp_damping_ratio)
    boxes = held.object_boxes()
    volumes = np.array([8 * np.prod(box.half_m) for box in boxes])
    for box, share in zip(boxes, volumes / volumes.sum(), strict=True):
        mass = float(share) * held.object_mass_kg
        colour = [0.1, 0.25, 0.6, 1.0] if box.name == "grip" else [0.75, 0.75, 0.78, 1.0]
        add_box(body, "held", box, colour, mass=mass, **contact_fields(contact, Side.HAND))
    body.add_site(name="tip", pos=[held.tip_x_m, 0, held.tip_m], size=[0.001] * 3)


def _axis(i: int) -> list[float]:
    return [float(i == k) for k in range(3)]


def _add_spring(joint: mujoco.MjsJoint, stiffness: float, inertia: float, damping_ratio: float) -> None:
    joint.stiffness[0] = stiffness
    joint.damping[0] = 2.0 * damping_ratio * float(np.sqrt(stiffness * inertia))


def add_open_hand(spec: mujoco.MjSpec, link7: mujoco.MjsBody, contact: ContactConfig) -> None:
    """Two driven fingers, each with a pad that gives way in x, y and z and grips by friction."""
    gripper = _add_palm(link7)
    gripper.add_site(name="tip", size=[0.001] * 3)
    for name, sign in SIDES:
        place = [0, sign * (STROKE_M + PAD_THICKNESS_M), 0]
        finger = gripper.add_body(name=f"finger_{name}", pos=place, gravcomp=1.0)
        _add_drive(spec, finger, f"finger_{name}", -sign, contact)
        _add_finger(finger, name, sign * 0.006, contact)
        pad = finger.add_body(name=f"pad_{name}", gravcomp=1.0)
        for i, axis in enumerate("xyz"):
            inertia = contact.grasp_inertia[i]
            joint = pad.add_joint(name=f"pad_{name}_{axis}", type=SLIDE, axis=_axis(i), armature=inertia)
            _add_spring(joint, contact.pad_stiffness[i], inertia, contact.grasp_damping_ratio)
        _add_pad(pad, name, -sign * PAD_THICKNESS_M / 2, **contact_fields(contact, Side.HAND, contact.pad_friction))


def _add_drive(spec: mujoco.MjSpec, finger: mujoco.MjsBody, name: str, along_y: float, contact: ContactConfig) -> None:
    """A finger's slide, 0 open, and the motor that follows a position with a force at most."""
    slide = finger.add_joint(name=name, type=SLIDE, axis=[0, along_y, 0], armature=FINGER_INERTIA_KG)
    slide.range, slide.limited = [0.0, STROKE_M], True
    slide.damping[0] = 2.0 * float(np.sqrt(FINGER_STIFFNESS_N_M * FINGER_INERTIA_KG))
    motor = spec.add_actuator(name=name, target=name, trntype=mujoco.mjtTrn.mjTRN_JOINT, forcelimited=True)
    motor.forcerange = [-contact.grip_force_n, contact.grip_force_n]
    motor.gainprm[0] = FINGER_STIFFNESS_N_M
    motor.biastype = mujoco.mjtBias.mjBIAS_AFFINE
    motor.biasprm[1] = -FINGER_STIFFNESS_N_M


class Grasp(Protocol):
    """What the world asks of the hand."""

    closed: float
    """Where the fingers are: 0 open, 1 closed."""

    def reset(self) -> None:
        """At rest, as an episode begins."""

    def place(self, offset: ArrayLike) -> None:
        """Hold the object at ``offset`` (6,)."""

    def command(self, closed: float) -> None:
        """Where the fingers are to go."""

    def step(self, seconds: float) -> None:
        """After the physics has gone on by ``seconds``."""

    def displacement(self) -> Vector6:
        """Movement of the object, as the left pad feels it."""

    def load(self) -> Vector6:
        """Force and torque of the object on the pad."""

    def t_tcp_tip_at_rest(self) -> Pose:
        """Pose of the tip in the TCP frame when nothing pushes on it."""

    @property
    def dropped(self) -> bool:
        """Whether the object that was held is lost."""


class HeldGrasp:
    """An object between closed fingers on six springs; beyond the grip's friction it slides."""

    def __init__(self, model: mujoco.MjModel, data: mujoco.MjData, held: HeldObject, contact: ContactConfig) -> None:
        self._held = held
        first = model.joint(GRASP_JOINTS[0]).qposadr[0]
        grasp = slice(first, first + len(GRASP_JOINTS))
        # Views of where the springs are and where they rest.
        self._at, self._rest = data.qpos[grasp], model.qpos_spring[grasp]
        self._stiffness = np.array(contact.grasp_stiffness)
        self._slip = np.array(contact.grasp_limit) / self._stiffness
        self._offset = np.zeros(6)
        self.closed = 1.0

    def reset(self) -> None:
        """The object relaxed where it was placed."""
        self.closed = 1.0
        self._at[:] = self._rest

    def place(self, offset: ArrayLike) -> None:
        """See `Grasp`."""
        self._offset = np.array(offset, dtype=float)
        self._rest[:] = self._at[:] = self._offset

    def command(self, closed: float) -> None:
        """The fingers stay where they are; to open them is to lose the object."""
        self.closed = closed

    def step(self, seconds: float) -> None:
        """Beyond the grip's friction the object slides: its rest pose follows."""
        moved = self._at - self._rest
        share = moved / self._slip
        # None is farther than all together, which is told by one product.
        if share.dot(share) > SURELY_WITHIN:
            self._rest += moved - np.clip(moved, -self._slip, self._slip)

    def displacement(self) -> Vector6:
        """See `Grasp`."""
        return self._at - self._rest

    def load(self) -> Vector6:
        """See `Grasp`."""
        return self._stiffness * self.displacement()

    def t_tcp_tip_at_rest(self) -> Pose:
        """See `Grasp`."""
        offset = self._rest
        tip = np.eye(4)
        # The grasp's hinges turn about x, then y, then z, each carried along by the one before.
        tip[:3, :3] = Rotation.from_euler("XYZ", offset[3:]).as_matrix()
        tip[:3, 3] = offset[:3] + tip[:3, :3] @ [self._held.tip_x_m, 0.0, self._held.tip_m]
        return tip

    @property
    def dropped(self) -> bool:
        """See `Grasp`."""
        slid_m = float(np.linalg.norm((self._rest - self._offset)[:3]))
        return slid_m > LOST_M or self.closed < OPEN


class PinchGrasp:
    """Two driven fingers with compliant pads; what is between them is held by friction alone."""

    def __init__(self, model: mujoco.MjModel, data: mujoco.MjData, contact: ContactConfig) -> None:
        self._model, self._data, self._contact = model, data, contact
        self._pads = np.array([model.joint(name).qposadr[0] for name in PAD_JOINTS])
        self._motors = np.array([model.actuator(name).id for name in FINGER_JOINTS])
        self._stiffness = np.array([*contact.pad_stiffness, 0.0, 0.0, 0.0])
        self._wanted, self.closed = 0.0, 0.0

    def reset(self) -> None:
        """Open, as `mj_resetData` leaves it."""
        self._wanted = self.closed = 0.0
        self._data.ctrl[self._motors] = 0.0

    def place(self, offset: ArrayLike) -> None:
        """There is nothing in the hand to be placed."""

    def command(self, closed: float) -> None:
        """See `Grasp`."""
        self._wanted = float(np.clip(closed, 0.0, 1.0))

    def step(self, seconds: float) -> None:
        """The motors follow at the fingers' speed."""
        most = self._contact.finger_speed_m_s * seconds / STROKE_M
        self.closed += float(np.clip(self._wanted - self.closed, -most, most))
        self._data.ctrl[self._motors] = self.closed * STROKE_M

    def displacement(self) -> Vector6:
        """Of the left pad against its finger; it does not turn."""
        return np.concatenate([self._data.qpos[self._pads], np.zeros(3)])

    def load(self) -> Vector6:
        """See `Grasp`."""
        return self._stiffness * self.displacement()

    def t_tcp_tip_at_rest(self) -> Pose:
        """The point between the fingers."""
        return np.eye(4)

    @property
    def dropped(self) -> bool:
        """A block that falls is on the table again, to be grasped once more."""
        return False
