"""The gripper of the model: closed on an object in a compliant grasp, or open with fingers that move.

Its frame is `link_tcp`, z out of the fingers, fingers closing along y.
"""

import mujoco
import numpy as np

from vital_core.arm.xarm7 import FLANGE_TO_TCP_M
from vital_sim.world.contact import UNTOUCHABLE, ContactConfig, Side, add_box, contact_fields
from vital_sim.world.fixtures import Held

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


def add_holding_hand(link7: mujoco.MjsBody, held: Held, contact: ContactConfig) -> None:
    """Fingers at rest on an object that gives way in the grasp along six springs."""
    gripper = _add_palm(link7)
    inner = held.grip_m[1] / 2 + PAD_THICKNESS_M
    for name, sign in SIDES:
        _add_finger(gripper, name, sign * (inner + 0.006), contact)
        _add_pad(gripper, name, sign * (inner - PAD_THICKNESS_M / 2), **UNTOUCHABLE)
    _add_held_object(gripper, held, contact)


def _add_held_object(gripper: mujoco.MjsBody, held: Held, contact: ContactConfig) -> None:
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
