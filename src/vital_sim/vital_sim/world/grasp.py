"""What the gripper does with an object: hold it in a compliant grasp, or pinch it between two driven fingers.

Movements and loads are (6,): m and N along the TCP's axes, then rad and Nm about them.
"""

from typing import Protocol

import mujoco
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

from vital_core.pose import Pose
from vital_sim.world.contact import ContactConfig
from vital_sim.world.fixtures import Held
from vital_sim.world.hands import FINGER_JOINTS, GRASP_JOINTS, PAD_JOINTS, STROKE_M

# An object that has slid this far between the fingers is lost, and so is one whose gripper opens this much.
LOST_M = 0.012
OPEN = 0.5
Vector6 = NDArray[np.float64]


class Grasp(Protocol):
    """What the world asks of the hand. closed: where the fingers are, 0 open, 1 closed."""

    closed: float

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

    def __init__(self, model: mujoco.MjModel, data: mujoco.MjData, held: Held, contact: ContactConfig) -> None:
        self._model, self._data, self._held = model, data, held
        self._qpos = np.array([model.joint(name).qposadr[0] for name in GRASP_JOINTS])
        self._stiffness = np.array(contact.grasp_stiffness)
        self._slip = np.array(contact.grasp_limit) / self._stiffness
        self._offset = np.zeros(6)
        self.closed = 1.0

    def reset(self) -> None:
        """The object relaxed where it was placed."""
        self.closed = 1.0
        self._data.qpos[self._qpos] = self._model.qpos_spring[self._qpos]

    def place(self, offset: ArrayLike) -> None:
        """See `Grasp`."""
        self._offset = np.array(offset, dtype=float)
        self._model.qpos_spring[self._qpos] = offset
        self._data.qpos[self._qpos] = offset

    def command(self, closed: float) -> None:
        """The fingers stay where they are; to open them is to lose the object."""
        self.closed = closed

    def step(self, seconds: float) -> None:
        """Beyond the grip's friction the object slides: its rest pose follows."""
        excess = self.displacement()
        excess -= np.clip(excess, -self._slip, self._slip)
        if excess.any():
            self._model.qpos_spring[self._qpos] += excess

    def displacement(self) -> Vector6:
        """See `Grasp`."""
        return self._data.qpos[self._qpos] - self._model.qpos_spring[self._qpos]

    def load(self) -> Vector6:
        """See `Grasp`."""
        return self._stiffness * self.displacement()

    def t_tcp_tip_at_rest(self) -> Pose:
        """See `Grasp`."""
        offset = self._model.qpos_spring[self._qpos]
        tip = np.eye(4)
        # The grasp's hinges turn about x, then y, then z, each carried along by the one before.
        tip[:3, :3] = Rotation.from_euler("XYZ", offset[3:]).as_matrix()
        tip[:3, 3] = offset[:3] + tip[:3, :3] @ [self._held.tip_x_m, 0.0, self._held.tip_m]
        return tip

    @property
    def dropped(self) -> bool:
        """See `Grasp`."""
        slid_m = float(np.linalg.norm((self._model.qpos_spring[self._qpos] - self._offset)[:3]))
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
