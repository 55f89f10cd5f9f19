"""The scene: the arm and where it works, target and start region, the planned path, what the depth camera sees."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import viser
from numpy.typing import NDArray

from vital_core import pose as pose_of
from vital_core.arm.arm_meshes import arm_meshes
from vital_core.task import Task
from vital_monitor.drawing.links import Link, Shape
from vital_monitor.drawing.meshes import triangles
from vital_monitor.state.heard import Array

BLUE, GREEN, RED, GREY = (47, 111, 178), (46, 139, 87), (214, 64, 43), (138, 146, 155)
# Planks of oak, each of its own tone, on four legs; its middle in `link_base`.
TABLE_M, TABLE_AT_M = (0.9, 0.9, 0.025), (0.3, 0.0)
OAK, TONES, GAP_M = np.array([201.0, 168.0, 126.0]), (0.96, 1.04, 1.0, 0.93, 1.02, 0.98), 0.0015
LEG_M, LEG_COLOUR = (0.05, 0.05, 0.55), (74, 78, 84)
SKY, GROUND = (255, 253, 248), (186, 176, 164)
POINT_M = 0.004
# What nobody would see is not sent.
LEAST_TURN_RAD = 1e-4
# Corners of a box by their sides, and the pairs of them that are joined.
CORNERS = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], float)
EDGES = [(i, j) for i in range(8) for j in range(i + 1, 8) if np.abs(CORNERS[i] - CORNERS[j]).sum() == 1]


def wxyz(pose: Array) -> Array:
    """(4,) quaternion of a pose, w first."""
    return np.roll(pose_of.to_quaternion(pose), 1)


def box_edges(lower_m: Array, upper_m: Array) -> Array:
    """(12, 2, 3) the edges of a box."""
    corners = lower_m + CORNERS * (upper_m - lower_m)
    return np.stack([corners[[i, j]] for i, j in EDGES])


def _lifted(colour: tuple[float, float, float]) -> NDArray[np.uint8]:
    """A colour, 0 to 1, so that what is nearly black shows its edges."""
    return np.round(30 + 225 * np.array(colour)).astype(np.uint8)


class SceneView:
    """Shows the arm of ``links`` and what surrounds it; only what has changed is sent."""

    def __init__(self, scene: viser.SceneApi, task: Task, links: list[Link]) -> None:
        self._scene, self._task = scene, task
        self._meshes = {mesh.link: mesh for mesh in arm_meshes()}
        self._moving = [link for link in links if link.axis is not None]
        self._frames: dict[str, viser.FrameHandle] = {}
        self._shown: dict[str, Array] = {}
        self._angles: dict[str, float] = {}
        self._set_stage()
        paths: dict[str, str] = {"": ""}
        for link in links:
            paths[link.name] = f"{paths.get(link.parent, '')}/{link.name}"
            self._add_link(link, paths[link.name])

    def _set_stage(self) -> None:
        self._scene.world_axes.visible = False
        self._scene.set_up_direction("+z")
        self._scene.configure_environment_map(None)
        # Light of a room: from everywhere, warmer from below, and a little of it from where one looks.
        self._scene.add_light_hemisphere("/light/around", sky_color=SKY, ground_color=GROUND, intensity=2.1)
        self._scene.add_light_directional("/light/above", intensity=1.1, position=(0.4, -1.0, 2.0))
        self._scene.add_light_directional("/light/behind", intensity=0.4, position=(-1.0, 1.0, 1.0))
        self._scene.configure_default_lights(enabled=False)
        self._set_table()

    def _set_table(self) -> None:
        (length, width, height), (x, y) = TABLE_M, TABLE_AT_M
        across = width / len(TONES)
        for i, tone in enumerate(TONES):
            colour = tuple(np.clip(tone * OAK, 0, 255).astype(int).tolist())
            place = (x, y - width / 2 + (i + 0.5) * across, -0.001 - height / 2)
            size = (length, across - GAP_M, height)
            self._scene.add_box(f"/table/plank{i}", colour, size, position=place, cast_shadow=False)
        for i, (along, aside) in enumerate(((1, 1), (1, -1), (-1, 1), (-1, -1))):
            place = (x + along * (length / 2 - 0.05), y + aside * (width / 2 - 0.05), -height - LEG_M[2] / 2)
            self._scene.add_box(f"/table/leg{i}", LEG_COLOUR, LEG_M, position=place, cast_shadow=False)

    def _add_link(self, link: Link, path: str) -> None:
        at = link.t_parent_link
        self._frames[link.name] = self._scene.add_frame(path, show_axes=False, wxyz=wxyz(at), position=at[:3, 3])
        mesh = self._meshes.get(link.name)
        drawn = None if mesh is None else triangles(mesh.path)
        if mesh is not None and drawn is not None:
            self._scene.add_mesh_simple(f"{path}/mesh", *drawn, color=_lifted(mesh.colour))
            return
        for i, shape in enumerate(link.shapes):
            self._add_shape(f"{path}/shape{i}", shape)

    def _add_shape(self, path: str, shape: Shape) -> None:
        colour = _lifted(shape.colour)
        place: dict[str, Any] = {"wxyz": wxyz(shape.t_link_shape), "position": shape.t_link_shape[:3, 3]}
        if shape.kind == "box":
            self._scene.add_box(path, colour, np.array(shape.size), **place)
        elif shape.kind == "cylinder":
            self._scene.add_cylinder(path, shape.size[0], shape.size[1], colour, **place)
        else:
            self._scene.add_icosphere(path, shape.size[0], colour, **place)

    def move(self, joints_rad: Mapping[str, float]) -> None:
        """Turn the links to these joint positions."""
        for link in self._moving:
            angle = joints_rad.get(link.joint, 0.0)
            if abs(angle - self._angles.get(link.name, math.inf)) > LEAST_TURN_RAD:
                self._angles[link.name] = angle
                self._frames[link.name].wxyz = link.wxyz(angle)

    def show_workspace(self, lower_m: Array, upper_m: Array) -> None:
        """The box in which the TCP may move."""
        if self._changed("workspace", np.stack([lower_m, upper_m])) and (upper_m > lower_m).all():
            self._scene.add_line_segments("/workspace", box_edges(lower_m, upper_m), GREY, thickness=0.002)

    def show_target(self, target_m: Array | None) -> None:
        """What was found, and the box above it in which the local policy begins."""
        if target_m is None or not self._changed("target", target_m):
            return
        self._scene.add_icosphere("/target", 0.008, RED, position=target_m)
        centre, half = target_m + np.array(self._task.start_centre_m), np.array(self._task.start_region_m) / 2
        self._scene.add_line_segments("/start_region", box_edges(centre - half, centre + half), GREEN, thickness=0.003)

    def show_path(self, path_m: Array | None) -> None:
        """The way of the TCP (n, 3) along the newest planned motion."""
        if path_m is None or len(path_m) < 2 or not self._changed("path", path_m):
            return
        segments = np.stack([path_m[:-1], path_m[1:]], axis=1)
        self._scene.add_line_segments("/planned_path", segments, BLUE, thickness=0.004)

    def show_cloud(self, points_m: NDArray[np.float32], colours: NDArray[np.uint8]) -> None:
        """What the depth camera sees; without points it is taken away."""
        if len(points_m):
            self._scene.add_point_cloud("/points", points_m, colours, point_size=POINT_M, precision="float32")
        elif self._scene.get_handle_by_name("/points") is not None:
            self._scene.remove_by_name("/points")

    def _changed(self, name: str, value: Array) -> bool:
        before = self._shown.get(name)
        if before is not None and before.shape == value.shape and np.allclose(before, value, atol=1e-5):
            return False
        self._shown[name] = value.copy()
        return True
