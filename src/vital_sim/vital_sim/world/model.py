"""The MuJoCo model of table, target and xArm 7, piece by piece; `World` puts the pieces together."""

import mujoco
import numpy as np
from scipy.spatial.transform import Rotation

from vital_core.arm.xarm7 import JOINTS
from vital_sim.scenery.look import BLOCK_COLOUR
from vital_sim.world.arm import ArmConfig
from vital_sim.world.boxes import Target, add_box
from vital_sim.world.contact import UNTOUCHABLE, ContactConfig, Side, contact_fields

BOX, CAPSULE, CYLINDER = mujoco.mjtGeom.mjGEOM_BOX, mujoco.mjtGeom.mjGEOM_CAPSULE, mujoco.mjtGeom.mjGEOM_CYLINDER
ARM_JOINTS = tuple(j.name for j in JOINTS)
# Approximate masses (kg) of link1..link7; gravity on them is compensated, so only their inertia counts.
LINK_MASS_KG = (2.4, 1.9, 1.7, 1.8, 1.4, 1.4, 0.2)
LOOSE_JOINT = "block"


def empty(contact: ContactConfig) -> mujoco.MjSpec:
    """A model under construction with the table alone, and how physics is stepped."""
    spec = mujoco.MjSpec()
    option = spec.option
    option.timestep = contact.timestep_s
    option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    option.impratio = contact.impedance_ratio
    option.iterations = 50
    spec.compiler.degree = False
    _add_table(spec, contact)
    return spec


def _add_table(spec: mujoco.MjSpec, contact: ContactConfig) -> None:
    spec.worldbody.add_geom(
        name="table",
        type=BOX,
        pos=[0.45, 0.0, -0.02],
        size=[0.40, 0.60, 0.02],
        rgba=[0.6, 0.5, 0.4, 1.0],
        **contact_fields(contact, Side.SCENE),
    )


def add_target(spec: mujoco.MjSpec, target: Target, contact: ContactConfig) -> None:
    """What the held object goes into, fixed on the table."""
    body = spec.worldbody.add_body(name="target", pos=[0.45, 0.0, 0.035])
    for box in target.target_boxes():
        add_box(body, "target", box, [0.2, 0.2, 0.22, 1.0], mass=0.0, **contact_fields(contact, Side.SCENE))
    body.add_site(name="target_opening", pos=[0.0, 0.0, 0.0], size=[0.001] * 3)


def add_loose_target(spec: mujoco.MjSpec, target: Target, contact: ContactConfig) -> None:
    """What lies on the table to be picked up, touched by table and pads."""
    boxes = target.target_boxes()
    body = spec.worldbody.add_body(name="target", pos=[0.45, 0.0, 2 * boxes[0].half_m[2]])
    body.add_freejoint(name=LOOSE_JOINT)
    fields = contact_fields(contact, Side.BOTH)
    for box in boxes:
        add_box(body, "target", box, [*BLOCK_COLOUR, 1.0], mass=target.object_mass_kg, **fields)
    body.add_site(name="target_opening", pos=[0.0, 0.0, 0.0], size=[0.001] * 3)


def add_arm(spec: mujoco.MjSpec, arm: ArmConfig) -> mujoco.MjsBody:
    """The arm with its servos; returns the last link, which the gripper is on."""
    parent = spec.worldbody.add_body(name="link_base")
    parent.add_geom(
        name="link_base_column",
        type=CYLINDER,
        fromto=[0, 0, 0, 0, 0, 0.2],
        size=[0.06, 0, 0],
        rgba=[0.9, 0.9, 0.9, 1.0],
        **UNTOUCHABLE,
    )
    for i, joint in enumerate(JOINTS):
        x, y, z, w = Rotation.from_euler("xyz", joint.rpy).as_quat()
        body = parent.add_body(name=f"link{i + 1}", pos=list(map(float, joint.xyz)), quat=[w, x, y, z], gravcomp=1.0)
        following = JOINTS[i + 1].xyz if i < 6 else (0.0, 0.0, 0.02)
        _add_link(body, i, np.array(following, dtype=float))
        _add_servo(spec, body, i, arm)
        parent = body
    return parent


def _add_link(body: mujoco.MjsBody, index: int, end: np.ndarray) -> None:
    length = float(np.linalg.norm(end))
    radius = (0.055, 0.055, 0.050, 0.050, 0.045, 0.045, 0.037)[index]
    fields = {"mass": LINK_MASS_KG[index], "rgba": [0.92, 0.92, 0.93, 1.0], **UNTOUCHABLE}
    name = f"link{index + 1}_shell"
    if length < 0.01:
        body.add_geom(name=name, type=mujoco.mjtGeom.mjGEOM_SPHERE, size=[radius, 0, 0], **fields)
    else:
        body.add_geom(name=name, type=CAPSULE, fromto=[0, 0, 0, *end], size=[radius, 0, 0], **fields)


def _add_servo(spec: mujoco.MjSpec, body: mujoco.MjsBody, index: int, arm: ArmConfig) -> None:
    joint = JOINTS[index]
    body.add_joint(
        name=joint.name,
        type=mujoco.mjtJoint.mjJNT_HINGE,
        axis=[0, 0, 1],
        armature=arm.armature_kgm2[index],
    )
    stiffness, damping = arm.stiffness_nm[index], float(arm.damping_nms()[index])
    actuator = spec.add_actuator(
        name=joint.name, target=joint.name, trntype=mujoco.mjtTrn.mjTRN_JOINT, forcelimited=True
    )
    actuator.forcerange = [-joint.effort_nm, joint.effort_nm]
    actuator.gainprm[0] = stiffness
    actuator.biastype = mujoco.mjtBias.mjBIAS_AFFINE
    actuator.biasprm[1:3] = [-stiffness, -damping]
