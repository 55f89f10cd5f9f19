"""The wrist fisheye and the scene's RGB-D camera: mounts, lenses, noise, rendering on demand.

Optical frames have z along the view, x to the right and y down. A renderer belongs to the thread that made it.
"""

from collections.abc import Callable

import cv2
import mujoco
import numpy as np
from numpy.typing import ArrayLike, NDArray

from vital_core import pose as pose_of
from vital_core.observation import IMAGE_SIZE_PX
from vital_core.pose import Pose
from vital_core.task import Task
from vital_sim.world.mounts import (
    FISHEYE_RAD,
    SCENE_FOCAL_PX,
    SCENE_HEIGHT_PX,
    SCENE_WIDTH_PX,
    T_BASE_SCENE_CAMERA,
    WRIST_MARGIN_RAD,
    WristOptics,
    t_tcp_wrist_camera,
    wrist_optics,
)

DEPTH_NOISE_M = 0.0012
DEPTH_RANGE_M = (0.2, 3.0)
# Bodies that a task is about; the rest of an image is background.
FOREGROUND = ("gripper", "finger_left", "finger_right", "pad_left", "pad_right", "held_object", "target")


class _Renderer:
    def __init__(self, model: mujoco.MjModel, camera: str, width_px: int, height_px: int) -> None:
        self._renderer = mujoco.Renderer(model, height_px, width_px)
        self._camera = model.camera(camera).id
        self._numbered: NDArray[np.bool_] | None = None
        self._option = mujoco.MjvOption()
        # Sites mark the truth and must not be seen.
        self._option.sitegroup[:] = 0
        flags = self._renderer.scene.flags
        for flag in (mujoco.mjtRndFlag.mjRND_SHADOW, mujoco.mjtRndFlag.mjRND_REFLECTION):
            flags[flag] = 0

    def colour(self, data: mujoco.MjData) -> NDArray[np.uint8]:
        self._renderer.update_scene(data, self._camera, self._option)
        return self._renderer.render()

    def depth(self, data: mujoco.MjData) -> NDArray[np.float32]:
        self._renderer.enable_depth_rendering()
        self._renderer.update_scene(data, self._camera, self._option)
        depth = self._renderer.render().copy()
        self._renderer.disable_depth_rendering()
        return depth

    def shows(self, data: mujoco.MjData, geoms: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """(H, W) where one of the ``geoms`` (ngeom,) is what is seen."""
        flags = self._renderer.scene.flags
        flags[mujoco.mjtRndFlag.mjRND_SEGMENT] = flags[mujoco.mjtRndFlag.mjRND_IDCOLOR] = 1
        colour = self.colour(data)
        flags[mujoco.mjtRndFlag.mjRND_SEGMENT] = flags[mujoco.mjtRndFlag.mjRND_IDCOLOR] = 0
        number = colour[..., 0] + 256 * colour[..., 1].astype(np.int32)
        return self._by_number(geoms)[number]

    def _by_number(self, geoms: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Whether a number in the image is of one of the ``geoms``; 0 is nothing. The scene keeps its order."""
        if self._numbered is None or len(self._numbered) <= self._renderer.scene.ngeom:
            scene = self._renderer.scene
            self._numbered = np.zeros(scene.ngeom + 1, bool)
            for geom in scene.geoms[: scene.ngeom]:
                if geom.segid >= 0 and geom.objtype == mujoco.mjtObj.mjOBJ_GEOM:
                    self._numbered[geom.segid + 1] = geoms[geom.objid]
        return self._numbered

    def close(self) -> None:
        self._renderer.close()


class _Exposure:
    """Auto-exposure that wanders a little, and the sensor's noise."""

    def __init__(self, shape: tuple[int, ...], noise_levels: float, seed: int) -> None:
        self._shape = shape
        self._bank = (noise_levels * np.random.default_rng(7).standard_normal(2 * int(np.prod(shape)))).astype(np.int8)
        self.reset(seed)

    def reset(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._gain = 1.0 + 0.06 * self._rng.uniform(-1, 1)
        self._drift = 0.0

    def apply(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        self._drift = 0.95 * self._drift + 0.008 * self._rng.standard_normal()
        table = np.clip(np.arange(256) * (self._gain + self._drift), 0, 255).astype(np.uint8)
        start = int(self._rng.integers(self._bank.size // 2))
        noise = self._bank[start : start + image.size].reshape(self._shape)
        # Sums saturate at 0 and 255.
        return np.asarray(cv2.add(cv2.LUT(image, table), noise, dtype=cv2.CV_8U), np.uint8)


def _body_names(model: mujoco.MjModel) -> set[str]:
    return {model.body(i).name for i in range(model.nbody)}


class WristCamera:
    """Fisheye on the gripper: (128, 128, 3) uint8 RGB, what the task's view shows of an equidistant lens (r = f theta).

    MuJoCo has pinholes alone: one is drawn, a little wider, and bent. Beyond the lens' circle the image is black.
    """

    frame_id = "wrist_camera_optical_frame"

    def __init__(self, model: mujoco.MjModel, task: Task, seed: int = 0) -> None:
        size, optics = IMAGE_SIZE_PX, wrist_optics(task)
        self._renderer = _Renderer(model, "wrist_camera", optics.render_px, optics.render_px)
        self._exposure = _Exposure((size, size, 3), 2.0, seed)
        self.t_tcp_camera, self.camera_matrix = t_tcp_wrist_camera(task), optics.matrix
        self._map, self._window_px = self._fisheye_map(optics), optics.window_px
        bodies = [model.body(name).id for name in FOREGROUND if name in _body_names(model)]
        self._foreground = np.isin(model.geom_bodyid, bodies)

    @staticmethod
    def _fisheye_map(optics: WristOptics) -> NDArray[np.float32]:
        """(128, 128, 2): where each pixel of the fisheye lies in the pinhole image; outside of it where it is black."""
        grid = np.stack(np.meshgrid(*[np.arange(IMAGE_SIZE_PX) + 0.5 - IMAGE_SIZE_PX / 2] * 2), axis=-1)
        radius = np.maximum(np.linalg.norm(grid, axis=-1, keepdims=True), 1e-9)
        half_rad = (optics.span_rad + WRIST_MARGIN_RAD) / 2
        angle = radius / optics.focal_px
        # A window cut out of a lens is full to its corners; a whole lens shows a circle.
        beyond = (angle > half_rad) & (optics.span_rad >= FISHEYE_RAD)
        pinhole_focal = (optics.render_px / 2) / np.tan(half_rad)
        scaled = grid / radius * np.tan(np.where(beyond, 0.0, angle)) * pinhole_focal
        return np.where(beyond, -IMAGE_SIZE_PX, scaled + optics.render_px / 2 - 0.5).astype(np.float32)

    def reset(self, seed: int) -> None:
        """A new episode's exposure."""
        self._exposure.reset(seed)

    def render(self, data: mujoco.MjData) -> NDArray[np.uint8]:
        """The image as it is now."""
        pinhole = self._renderer.colour(data)
        fisheye = cv2.remap(pinhole, self._map, None, cv2.INTER_LINEAR)  # type: ignore[call-overload]
        return self._shown(self._exposure.apply(fisheye), cv2.INTER_LINEAR)

    def _shown(self, sensor: NDArray[np.uint8], interpolation: int) -> NDArray[np.uint8]:
        """What the view shows of the sensor's image."""
        if self._window_px is None:
            return sensor
        left, upper, width, height = self._window_px
        part = sensor[upper : upper + height, left : left + width]
        return np.asarray(cv2.resize(part, (IMAGE_SIZE_PX, IMAGE_SIZE_PX), interpolation=interpolation), np.uint8)

    def foreground(self, data: mujoco.MjData) -> NDArray[np.bool_]:
        """(128, 128) where the image shows gripper, held object or target: the simulator's truth, to train with."""
        seen = self._renderer.shows(data, self._foreground).astype(np.uint8)
        bent = cv2.remap(seen, self._map, None, cv2.INTER_NEAREST)  # type: ignore[call-overload]
        return self._shown(bent, cv2.INTER_NEAREST).astype(bool)

    def project(self, point_tcp: ArrayLike) -> tuple[float, float]:
        """Pixel (u, v) of a point (3,) in the TCP frame."""
        x, y, z = (pose_of.inverse(self.t_tcp_camera) @ [*np.asarray(point_tcp, float), 1.0])[:3]
        radius, angle = np.hypot(x, y), np.arctan2(np.hypot(x, y), z)
        scale = angle / radius if radius > 1e-12 else 1.0 / z
        u, v, _ = self.camera_matrix @ [scale * x, scale * y, 1.0]
        return float(u), float(v)

    def close(self) -> None:
        """Free the renderer."""
        self._renderer.close()


class LabelledWristCamera:
    """A wrist camera that gives the image and, while ``wanted()``, its foreground: (image, foreground or None)."""

    def __init__(self, model: mujoco.MjModel, task: Task, wanted: Callable[[], bool]) -> None:
        self.lens = WristCamera(model, task)
        self.reset, self.close = self.lens.reset, self.lens.close
        self._wanted = wanted

    def render(self, data: mujoco.MjData) -> tuple[NDArray[np.uint8], NDArray[np.bool_] | None]:
        """The image as it is now, with its foreground."""
        return self.lens.render(data), self.lens.foreground(data) if self._wanted() else None


class SceneCamera:
    """RealSense-like RGB-D view of the table: (480, 640, 3) uint8 and (480, 640) uint16 mm, 0 = no reading."""

    frame_id = "camera_color_optical_frame"

    def __init__(self, model: mujoco.MjModel, seed: int = 0, *, calibration_error_m: float = 0.001) -> None:
        self._renderer = _Renderer(model, "scene_camera", SCENE_WIDTH_PX, SCENE_HEIGHT_PX)
        self._exposure = _Exposure((SCENE_HEIGHT_PX, SCENE_WIDTH_PX, 3), 2.0, seed)
        centre = (SCENE_WIDTH_PX / 2, SCENE_HEIGHT_PX / 2)
        self.camera_matrix = np.array([[SCENE_FOCAL_PX, 0, centre[0]], [0, SCENE_FOCAL_PX, centre[1]], [0, 0, 1.0]])
        rng = np.random.default_rng(20)
        error = pose_of.from_vector(calibration_error_m * rng.standard_normal(3), 0.001 * rng.standard_normal(3))
        # What a calibration would have found: the true mount, a millimetre and a milliradian off.
        self.t_base_camera: Pose = T_BASE_SCENE_CAMERA @ error
        self._bank = DEPTH_NOISE_M * np.random.default_rng(8).standard_normal(SCENE_WIDTH_PX * SCENE_HEIGHT_PX * 2)
        self.reset(seed)

    def reset(self, seed: int) -> None:
        """A new episode's exposure."""
        self._exposure.reset(seed)
        self._rng = np.random.default_rng(seed)

    def render_colour(self, data: mujoco.MjData) -> NDArray[np.uint8]:
        """The colour image alone."""
        return self._exposure.apply(self._renderer.colour(data))

    def render_depth_m(self, data: mujoco.MjData) -> NDArray[np.float32]:
        """(480, 640) distance along the view, m, without noise or gaps."""
        return self._renderer.depth(data)

    def render(self, data: mujoco.MjData) -> tuple[NDArray[np.uint8], NDArray[np.uint16]]:
        """Colour and depth as they are now."""
        return self.render_colour(data), self._as_measured(self.render_depth_m(data))

    def _as_measured(self, depth: NDArray[np.float32]) -> NDArray[np.uint16]:
        """Noise that grows with distance, and no reading along steep edges or out of range."""
        start = int(self._rng.integers(depth.size))
        noise = self._bank[start : start + depth.size].reshape(depth.shape)
        noisy = depth + noise * depth / 0.7
        edges = cv2.morphologyEx(depth, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0.04
        lost = edges | (depth < DEPTH_RANGE_M[0]) | (depth > DEPTH_RANGE_M[1])
        return np.where(lost, 0, np.rint(1000.0 * noisy)).astype(np.uint16)

    @staticmethod
    def project(point_base: ArrayLike) -> tuple[float, float, float]:
        """Pixel (u, v) and distance along the view (m) of a point (3,) in `link_base`, by the true mount."""
        x, y, z = (pose_of.inverse(T_BASE_SCENE_CAMERA) @ [*np.asarray(point_base, float), 1.0])[:3]
        return SCENE_WIDTH_PX / 2 + SCENE_FOCAL_PX * x / z, SCENE_HEIGHT_PX / 2 + SCENE_FOCAL_PX * y / z, float(z)

    def close(self) -> None:
        """Free the renderer."""
        self._renderer.close()
