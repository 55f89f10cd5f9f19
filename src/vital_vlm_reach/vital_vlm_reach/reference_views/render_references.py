"""`ros2 run vital_vlm_reach render_references`: the simulated targets' reference views, as they lie in demonstrations.

Each is the median of views from several places on the table, the target not turned.
"""

import argparse
from pathlib import Path

import numpy as np

from vital_core.arm.xarm7 import HOME_RAD
from vital_core.task import load_task, task_names
from vital_sim.cameras.cameras import SceneCamera
from vital_sim.scenery.look import SceneConfig
from vital_sim.world.world import World
from vital_vlm_reach.localisation.camera import Camera, View
from vital_vlm_reach.localisation.surface_plane import surface_plane
from vital_vlm_reach.localisation.target_view import TargetView, median_view, save_view
from vital_vlm_reach.localisation.top_view import top_view

PLACES_M = (
    (0.45, 0.0), (0.42, -0.05), (0.48, 0.05), (0.43, 0.06), (0.50, -0.04), (0.47, -0.10), (0.40, 0.03), (0.52, 0.08),
)  # fmt: skip


def simulated_view(world: World, camera: SceneCamera) -> View:
    """What the scene camera sees of a world."""
    rgb, depth_mm = camera.render(world.data)
    height, width = depth_mm.shape
    return View(rgb, depth_mm, Camera(width, height, camera.camera_matrix), camera.frame_id)


def rendered_reference(task: str) -> TargetView:
    """The reference view of a task's simulated target."""
    world = World(load_task(task), scene=SceneConfig(light_variation=0.0, colour_variation=0.0))
    camera = SceneCamera(world.model)
    views = []
    for seed, (x, y) in enumerate(PLACES_M):
        world.reset(seed, joints_rad=HOME_RAD)
        place = np.array([x, y, world.site_pose("target_opening")[2, 3]])
        world.place_target(place, 0.0)
        camera.reset(seed)
        view = simulated_view(world, camera)
        plane = surface_plane(view, camera.t_base_camera, place)
        views.append(top_view(view, camera.t_base_camera, plane)[0])
    camera.close()
    return median_view(views)


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="render_references", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the views go, one PNG a task")
    folder = parser.parse_args().folder
    for task in task_names():
        save_view(folder / f"{task}.png", rendered_reference(task))


if __name__ == "__main__":
    main()
