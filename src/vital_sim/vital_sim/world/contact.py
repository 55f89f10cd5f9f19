"""Who touches whom in the contact world, and how stiff that is."""

from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True)
class ContactConfig:
    """Contact and grasp parameters; every value was chosen by measurement (`ros2 run vital_sim validate`).

    Six values of the grasp are along x, y (lateral) and z (axial), then about x, y, z, in the TCP's axes.
    """

    timestep_s: float = 0.0005
    """Physics step."""
    solref: tuple[float, float] = (0.001, 1.0)
    """MuJoCo's contact time constant and damping ratio."""
    solimp: tuple[float, float, float] = (0.995, 0.9999, 0.0001)
    """MuJoCo's contact impedance: least, most, and the penetration (m) between them."""
    friction: float = 0.3
    """Sliding friction of whatever has none of its own."""
    impedance_ratio: float = 5.0
    """Of friction against normal force, MuJoCo's `impratio`."""
    grasp_stiffness: tuple[float, ...] = (6e3, 6e3, 8e3, 4.0, 4.0, 4.0)
    """N/m, then Nm/rad."""
    grasp_damping_ratio: float = 1.0
    """Of each axis."""
    grasp_inertia: tuple[float, ...] = (0.06, 0.06, 0.06, 6e-5, 6e-5, 6e-5)
    """Effective mass (kg) and inertia (kg m2) of the pads and fingers that move along."""
    grasp_limit: tuple[float, ...] = (35.0, 35.0, 45.0, 0.6, 0.6, 0.6)
    """Force (N) and torque (Nm) at which the object slips between the fingers."""
    pad_stiffness: tuple[float, float, float] = (3e3, 8e3, 4e3)
    """Of each pad of an open gripper, N/m along x, y (through the elastomer) and z."""
    pad_friction: float = 1.0
    """Of the silicone pads of an open gripper."""
    grip_force_n: float = 12.0
    """Most that a finger of an open gripper presses."""
    finger_speed_m_s: float = 0.06
    """Of each finger of an open gripper."""


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
