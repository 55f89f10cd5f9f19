"""The MuJoCo model: xArm 7, gripper, held object in a compliant grasp, table and target."""

from dataclasses import dataclass

import mujoco
import numpy as np
from scipy.spatial.transform import Rotation

from vital_core.xarm7 import FLANGE_TO_TCP_M, JOINTS
from vital_sim import scene as scenery
from vital_sim.arm import ArmConfig
from vital_sim.connectors import Box, Connector, housing_boxes, object_boxes
from vital_sim.mounts import add_cameras
from vital_sim.scene import SceneConfig

BOX, CAPSULE, CYLINDER, PLANE = (
    mujoco.mjtGeom.mjGEOM_BOX,
    mujoco.mjtGeom.mjGEOM_CAPSULE,
    mujoco.mjtGeom.mjGEOM_CYLINDER,
    mujoco.mjtGeom.mjGEOM_PLANE,
)
GRASP_JOINTS = ("grasp_x", "grasp_y", "grasp_z", "grasp_rx", "grasp_ry", "grasp_rz")
ARM_JOINTS = tuple(j.name for j in JOINTS)
# Approximate masses (kg) of link1..link7; gravity on them is compensated, so only their inertia counts.
LINK_MASS_KG = (2.4, 1.9, 1.7, 1.8, 1.4, 1.4, 0.2)
GRIPPER_MASS_KG = 0.8
PAD_THICKNESS_M = 0.003


@dataclass(frozen=True)
class ContactConfig:
    """Contact and grasp parameters; every value was chosen by measurement (`ros2 run vital_sim validate`).

    timestep_s: physics step. solref, solimp: MuJoCo's contact time constant and impedance. friction: sliding.
    grasp_stiffness: lateral x, lateral y, axial z (N/m), then about x, y, z (Nm/rad). grasp_damping_ratio: of
    each axis. grasp_inertia: effective mass (kg) and inertia (kg m2) of the pads and fingers that move along.
    grasp_limit: force (N) and torque (Nm) per axis at which the object slips between the fingers.
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


def build(
    connector: Connector, contact: ContactConfig, arm: ArmConfig, scene: SceneConfig, held_object: str
) -> mujoco.MjSpec:
    """The uncompiled model of one task; ``held_object`` names the look of the target."""
    spec = mujoco.MjSpec()
    _set_options(spec, contact)
    _add_table(spec)
    _add_target(spec, connector, contact)
    link7 = _add_arm(spec, arm)
    gripper = _add_gripper(link7, connector)
    _add_held_object(gripper, connector, contact)
    scenery.decorate(spec, scene, held_object)
    add_cameras(spec)
    return spec


def _set_options(spec: mujoco.MjSpec, contact: ContactConfig) -> None:
    option = spec.option
    option.timestep = contact.timestep_s
    option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    option.impratio = contact.impedance_ratio
    option.iterations = 50
    spec.compiler.degree = False


def _contact_fields(contact: ContactConfig | None, *, held: bool) -> dict:
    """Held things meet the scene, and nothing else meets anything."""
    kind = {"contype": 2, "conaffinity": 1} if held else {"contype": 1, "conaffinity": 2}
    if contact is None:
        return kind
    solimp = [*contact.solimp, 0.5, 2.0]
    return kind | {
        "condim": 3,
        "friction": [contact.friction, 0.005, 0.0001],
        "solref": list(contact.solref),
        "solimp": solimp,
    }


_UNTOUCHABLE = {"contype": 0, "conaffinity": 0}


def _add_box(body: mujoco.MjsBody, prefix: str, box: Box, rgba: list[float], **fields: object) -> None:
    x, y, z, w = Rotation.from_rotvec(box.rotation_rad).as_quat()
    body.add_geom(
        name=f"{prefix}_{box.name}",
        type=BOX,
        pos=list(box.centre_m),
        size=list(box.half_m),
        quat=[w, x, y, z],
        rgba=rgba,
        **fields,
    )


def _add_table(spec: mujoco.MjSpec) -> None:
    spec.worldbody.add_geom(
        name="table",
        type=BOX,
        pos=[0.45, 0.0, -0.02],
        size=[0.40, 0.60, 0.02],
        rgba=[0.6, 0.5, 0.4, 1.0],
        **_contact_fields(None, held=False),
    )


def _add_target(spec: mujoco.MjSpec, connector: Connector, contact: ContactConfig) -> None:
    body = spec.worldbody.add_body(name="target", pos=[0.45, 0.0, 0.035])
    for box in housing_boxes(connector):
        _add_box(body, "target", box, [0.2, 0.2, 0.22, 1.0], mass=0.0, **_contact_fields(contact, held=False))
    body.add_site(name="target_opening", pos=[0.0, 0.0, 0.0], size=[0.001] * 3)


def _add_arm(spec: mujoco.MjSpec, arm: ArmConfig) -> mujoco.MjsBody:
    parent = spec.worldbody.add_body(name="link_base")
    parent.add_geom(
        name="link_base_column",
        type=CYLINDER,
        fromto=[0, 0, 0, 0, 0, 0.2],
        size=[0.06, 0, 0],
        rgba=[0.9, 0.9, 0.9, 1.0],
        **_UNTOUCHABLE,
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
    fields = {"mass": LINK_MASS_KG[index], "rgba": [0.92, 0.92, 0.93, 1.0], **_UNTOUCHABLE}
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


def _add_gripper(link7: mujoco.MjsBody, connector: Connector) -> mujoco.MjsBody:
    """The gripper's body; its frame is `link_tcp`, z out of the fingers, fingers closing along y."""
    gripper = link7.add_body(name="gripper", pos=[0, 0, FLANGE_TO_TCP_M], gravcomp=1.0)
    gripper.add_site(name="tcp", size=[0.001] * 3)
    dark = [0.15, 0.15, 0.16, 1.0]
    gripper.add_geom(
        name="gripper_palm",
        type=BOX,
        pos=[0, 0, -0.122],
        size=[0.035, 0.055, 0.05],
        mass=GRIPPER_MASS_KG,
        rgba=dark,
        **_UNTOUCHABLE,
    )
    inner = connector.grip_m[1] / 2 + PAD_THICKNESS_M
    for name, sign in (("left", 1.0), ("right", -1.0)):
        gripper.add_geom(
            name=f"finger_{name}",
            type=BOX,
            pos=[0, sign * (inner + 0.006), -0.034],
            size=[0.011, 0.006, 0.040],
            mass=0.03,
            rgba=dark,
            **_contact_fields(None, held=True),
        )
        gripper.add_geom(
            name=f"pad_{name}",
            type=BOX,
            pos=[0, sign * (inner - PAD_THICKNESS_M / 2), -0.006],
            size=[0.010, PAD_THICKNESS_M / 2, 0.010],
            mass=0.002,
            rgba=[0.05, 0.05, 0.05, 1.0],
            **_UNTOUCHABLE,
        )
    return gripper


def _add_held_object(gripper: mujoco.MjsBody, connector: Connector, contact: ContactConfig) -> None:
    held = gripper.add_body(name="held_object")
    for i, name in enumerate(GRASP_JOINTS):
        stiffness, inertia = contact.grasp_stiffness[i], contact.grasp_inertia[i]
        kind = mujoco.mjtJoint.mjJNT_SLIDE if i < 3 else mujoco.mjtJoint.mjJNT_HINGE
        axis = [0.0, 0.0, 0.0]
        axis[i % 3] = 1.0
        joint = held.add_joint(name=name, type=kind, axis=axis, armature=inertia)
        joint.stiffness[0] = stiffness
        joint.damping[0] = 2.0 * contact.grasp_damping_ratio * float(np.sqrt(stiffness * inertia))
    boxes = object_boxes(connector)
    volumes = np.array([8 * np.prod(box.half_m) for box in boxes])
    for box, share in zip(boxes, volumes / volumes.sum(), strict=True):
        mass = float(share) * connector.object_mass_kg
        colour = [0.1, 0.25, 0.6, 1.0] if box.name == "grip" else [0.75, 0.75, 0.78, 1.0]
        _add_box(held, "held", box, colour, mass=mass, **_contact_fields(contact, held=True))
    held.add_site(name="tip", pos=[0, 0, connector.tip_m], size=[0.001] * 3)
