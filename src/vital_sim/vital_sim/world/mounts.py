"""Where the two cameras are, and how they see: mounts, windows, focal lengths.

Optical frames have z along the view, x to the right and y down.
"""

from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import ArrayLike, NDArray

from vital_core import pose as pose_of
from vital_core.observation import IMAGE_SIZE_PX
from vital_core.pose import Pose
from vital_core.task import WINDOW, Task

# The wrist camera looks past the fingers. Every task takes its own window of the fisheye: that of an insertion keeps
# the opening in view from the start region (tip 10 cm above it, 3 cm aside) to contact, where a pixel is about 0.5 mm.
WRIST_POSITION_M = (0.060, 0.0, -0.060)
WRIST_RENDER_PX = 160
# The pinhole image that the fisheye's window is cut from is this much wider.
WRIST_MARGIN_RAD = float(np.deg2rad(2.0))
# The whole fisheye is one lens for every task: 150 degrees across its 128 px, its axis that of the insertions' window.
FISHEYE_RAD = float(np.deg2rad(150.0))
FISHEYE_TILT_RAD = 0.3752
FISHEYE_RENDER_PX = 480
FISHEYE_WINDOW_PX = (102, 64)
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


@dataclass(frozen=True)
class WristOptics:
    """An equidistant lens (r = f theta) before a sensor of 128 x 128 px, and the part of its image that is shown."""

    tilt_rad: float
    """Angle from the TCP's z, towards -x, to the axis."""
    span_rad: float
    """Angle across the sensor."""
    render_px: int
    """Size of the pinhole image that the lens is made from."""
    window_px: tuple[int, int, int, int] | None = None
    """Left, upper, width and height of what is shown, scaled to 128 x 128; None: all of it."""

    @property
    def focal_px(self) -> float:
        """Pixels of the sensor a radian."""
        return (IMAGE_SIZE_PX / 2) / (self.span_rad / 2)

    @property
    def matrix(self) -> NDArray[np.float64]:
        """(3, 3) camera matrix of the image that is shown."""
        left, upper, width, height = self.window_px or (0, 0, IMAGE_SIZE_PX, IMAGE_SIZE_PX)
        across, down = IMAGE_SIZE_PX / width, IMAGE_SIZE_PX / height
        middle = IMAGE_SIZE_PX / 2
        return np.array(
            [
                [self.focal_px * across, 0.0, (middle - left) * across],
                [0.0, self.focal_px * down, (middle - upper) * down],
                [0.0, 0.0, 1.0],
            ]
        )


def wrist_optics(task: Task) -> WristOptics:
    """How a task's wrist image is made (`Task.wrist_view`)."""
    if task.wrist_view == WINDOW:
        return WristOptics(task.wrist_tilt_rad, task.wrist_window_rad, WRIST_RENDER_PX)
    whole = WristOptics(FISHEYE_TILT_RAD, FISHEYE_RAD, FISHEYE_RENDER_PX)
    if task.wrist_view == "fisheye":
        return whole
    width, height = FISHEYE_WINDOW_PX
    # What the task is about lies along its own window's middle: above the axis where that is tilted further to -x.
    row = IMAGE_SIZE_PX / 2 - (task.wrist_tilt_rad - FISHEYE_TILT_RAD) * whole.focal_px
    upper = int(np.clip(round(row - height / 2), 0, IMAGE_SIZE_PX - height))
    window = ((IMAGE_SIZE_PX - width) // 2, upper, width, height)
    return WristOptics(FISHEYE_TILT_RAD, FISHEYE_RAD, FISHEYE_RENDER_PX, window)


def t_tcp_wrist_camera(task: Task) -> Pose:
    """Pose of the wrist image's optical frame in the TCP frame."""
    tilt = wrist_optics(task).tilt_rad
    return _looking(WRIST_POSITION_M, (-np.sin(tilt), 0.0, np.cos(tilt)), (0.0, -1.0, 0.0))


_TO_SCENE = np.subtract(SCENE_LOOKS_AT_M, SCENE_POSITION_M)
T_BASE_SCENE_CAMERA = _looking(SCENE_POSITION_M, _TO_SCENE, np.cross(_TO_SCENE, (0.0, 0.0, 1.0)))


def add_cameras(spec: mujoco.MjSpec, task: Task) -> None:
    """Add both cameras to a model under construction."""
    for name, body, pose, angle in (
        (
            "wrist_camera",
            spec.body("gripper"),
            t_tcp_wrist_camera(task),
            wrist_optics(task).span_rad + WRIST_MARGIN_RAD,
        ),
        ("scene_camera", spec.worldbody, T_BASE_SCENE_CAMERA, 2 * np.arctan(SCENE_HEIGHT_PX / 2 / SCENE_FOCAL_PX)),
    ):
        # MuJoCo's cameras look along their own -z with y up.
        turned = pose @ pose_of.from_rpy((0, 0, 0), (np.pi, 0, 0))
        x, y, z, w = pose_of.to_quaternion(turned)
        body.add_camera(name=name, pos=list(pose[:3, 3]), quat=[w, x, y, z], fovy=float(np.rad2deg(angle)))
