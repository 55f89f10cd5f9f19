"""Who touches whom in the contact world, and how stiff that is."""

from dataclasses import dataclass
from enum import Enum

import mujoco
from scipy.spatial.transform import Rotation

from vital_sim.world.boxes import Box


@dataclass(frozen=True)
class ContactConfig:
    """Contact and grasp parameters; every value was chosen by measurement (`ros2 run vital_sim validate`).

    timestep_s: physics step. solref, solimp: MuJoCo's contact time constant and impedance. friction: sliding.
    grasp_stiffness: lateral x, lateral y, axial z (N/m), then about x, y, z (Nm/rad). grasp_damping_ratio: of
    each axis. grasp_inertia: effective mass (kg) and inertia (kg m2) of the pads and fingers that move along.
    grasp_limit: force (N) and torque (Nm) per axis at which the object slips between the fingers.
    An open gripper has pads of its own: pad_stiffness along x, y (through the elastomer), z (N/m) of each,
    pad_friction, grip_force_n of each finger at most, finger_speed_m_s.
    """

    timestep_s: float = 0.0005
    solref: tuple[float, float] = (0.001, 1.0)
    solimp: tuple[float, float, float] = (0.995, 0.9999, 0.0001)
    friction: float = 0.3
    impedance_ratio: float = 5.0
    grasp_stiffness: tuple[float, ...] = (6e3, 6e3, 8e3, 4.0, 4.0, 4.0)
    grasp_damping_ratio: float = 1.0
    grasp_inertia: tuple[float, ...] = (0.06, 0.06, 0.06, 6e-5, 6e-5, 6e-5)
    grasp_limit: tuple[float, ...] = (35.0, 35.0, 45.0, 0.6, 0.6, 0.6)
    pad_stiffness: tuple[float, float, float] = (3e3, 8e3, 4e3)
    pad_friction: float = 1.0
    grip_force_n: float = 12.0
    finger_speed_m_s: float = 0.06


class Side(Enum):
    """Things of the hand meet things of the scene, and what lies loose meets both; no side meets itself."""

    HAND = (2, 1)
    SCENE = (1, 2)
    BOTH = (3, 3)


UNTOUCHABLE = {"contype": 0, "conaffinity": 0}


def contact_fields(contact: ContactConfig, side: Side, friction: float | None = None) -> dict:
    """Fields of a geom that touches; of two in contact the larger friction counts."""
    contype, conaffinity = side.value
    sliding = contact.friction if friction is None else friction
    return {
        "contype": contype,
        "conaffinity": conaffinity,
        "condim": 3,
        "friction": [sliding, 0.005, 0.0001],
        "solref": list(contact.solref),
        "solimp": [*contact.solimp, 0.5, 2.0],
    }


def add_box(body: mujoco.MjsBody, prefix: str, box: Box, rgba: list[float], **fields: object) -> None:
    """Add a box to a body under construction."""
    x, y, z, w = Rotation.from_rotvec(box.rotation_rad).as_quat()
    body.add_geom(
        name=f"{prefix}_{box.name}",
        type=mujoco.mjtGeom.mjGEOM_BOX,
        pos=list(box.centre_m),
        size=list(box.half_m),
        quat=[w, x, y, z],
        rgba=rgba,
        **fields,
    )
