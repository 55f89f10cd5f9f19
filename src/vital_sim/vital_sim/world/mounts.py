"""Where the two cameras are, and how they see: mounts, windows, focal lengths.

Optical frames have z along the view, x to the right and y down.
"""

import mujoco
import numpy as np
from numpy.typing import ArrayLike

from vital_core import pose as pose_of
from vital_core.pose import Pose
from vital_core.task import Task

# The wrist camera looks past the fingers. Every task takes its own window of the fisheye: that of an insertion keeps
# the opening in view from the start region (tip 10 cm above it, 3 cm aside) to contact, where a pixel is about 0.5 mm.
WRIST_POSITION_M = (0.060, 0.0, -0.060)
WRIST_RENDER_PX = 160
# The pinhole image that the fisheye's window is cut from is this much wider.
WRIST_MARGIN_RAD = float(np.deg2rad(2.0))
SCENE_WIDTH_PX, SCENE_HEIGHT_PX = 640, 480
SCENE_FOCAL_PX = 610.0
SCENE_POSITION_M = (1.02, 0.22, 0.55)
SCENE_LOOKS_AT_M = (0.44, 0.0, 0.05)


def _looking(position: ArrayLike, forward: ArrayLike, right: ArrayLike) -> Pose:
    """Pose of an optical frame from its view direction and the direction to the right of the image."""
    z = np.asarray(forward, dtype=float) / np.linalg.norm(forward)
    x = np.asarray(right, dtype=float)
    x = x - z * (x @ z)
    x /= np.linalg.norm(x)
    pose = np.eye(4)
    pose[:3, :3] = np.stack([x, np.cross(z, x), z], axis=1)
    pose[:3, 3] = position
    return pose


def t_tcp_wrist_camera(task: Task) -> Pose:
    """Pose of the wrist image's optical frame in the TCP frame."""
    tilt = task.wrist_tilt_rad
    return _looking(WRIST_POSITION_M, (-np.sin(tilt), 0.0, np.cos(tilt)), (0.0, -1.0, 0.0))


_TO_SCENE = np.subtract(SCENE_LOOKS_AT_M, SCENE_POSITION_M)
T_BASE_SCENE_CAMERA = _looking(SCENE_POSITION_M, _TO_SCENE, np.cross(_TO_SCENE, (0.0, 0.0, 1.0)))


def add_cameras(spec: mujoco.MjSpec, task: Task) -> None:
    """Add both cameras to a model under construction."""
    for name, body, pose, angle in (
        ("wrist_camera", spec.body("gripper"), t_tcp_wrist_camera(task), task.wrist_window_rad + WRIST_MARGIN_RAD),
        ("scene_camera", spec.worldbody, T_BASE_SCENE_CAMERA, 2 * np.arctan(SCENE_HEIGHT_PX / 2 / SCENE_FOCAL_PX)),
    ):
        # MuJoCo's cameras look along their own -z with y up.
        turned = pose @ pose_of.from_rpy((0, 0, 0), (np.pi, 0, 0))
        x, y, z, w = pose_of.to_quaternion(turned)
        body.add_camera(name=name, pos=list(pose[:3, 3]), quat=[w, x, y, z], fovy=float(np.rad2deg(angle)))
