"""How well yaw, place and normal of the five simulated targets are found from the scene camera.

    ./vital shell -c "python bench/target_yaw.py [--task usb_insertion] [--scenes 200] [--pointing exact]"

Scenes have targets turned any way, anywhere in view, a fifth each: on the green screen, with other things and another
target under other light, on plain tables of any colour, on patterned ones with things close to the target, and
these with half of the depth readings missing. `--pointing exact` takes the true place's pixel, 2 px off each way;
`embedded` the shipped network's. Beside ours: the rectangle of least area around the surface, and its principal
direction, both up to a quarter of a turn. The simulator's truth is for the figures alone. JSON lines, then a table.
"""

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from vital_core.arm.xarm7 import HOME_RAD
from vital_core.errors import VitalError
from vital_core.task import load_task, task_names
from vital_sim.cameras.cameras import SceneCamera
from vital_sim.scenery.look import SceneConfig
from vital_sim.world.variation import Variation, variation_of
from vital_sim.world.world import World, WorldConfig
from vital_vlm_reach.localisation.lifting import lift_pixel
from vital_vlm_reach.localisation.localization import target_turn
from vital_vlm_reach.localisation.references import References
from vital_vlm_reach.localisation.render_references import simulated_view
from vital_vlm_reach.localisation.top_view import surface_plane, top_view
from vital_vlm_reach.pointing.embedded import EmbeddedPointing

FIRST_SEED = 700_000
PIXEL_ERROR_PX = 2.0
OTHER_TARGETS = {
    "usb_insertion": "plug",
    "plug_in_socket": "usb_stick",
    "key_in_lock": "card",
    "card_swipe": "key",
    "pick_block": "usb_stick",
}


def looks(task):
    """(name, scene, share of depth readings that are missing)."""
    clutter = SceneConfig("clutter", distractors=5, clearance_m=0.065, light_variation=0.3)
    other = SceneConfig(distractors=3, extra_target=OTHER_TARGETS[task], light_variation=0.3, colour_variation=0.3)
    plain = SceneConfig("plain", distractors=2, light_variation=0.3)
    return (
        ("green", SceneConfig(), 0.0), ("others", other, 0.0), ("plain", plain, 0.0),
        ("clutter", clutter, 0.0), ("holes", plain, 0.5),
    )  # fmt: skip


def wrapped_deg(angle_rad, period_rad):
    """An angle's distance from 0, up to whole periods, in degrees."""
    return float(np.rad2deg((angle_rad + period_rad / 2) % period_rad - period_rad / 2))


def scenes(task, count):
    """Yields (look, view, pose of the camera, true pose of the target, its pixel, seed)."""
    wide = Variation((0.46, 0.09), (0.0, 0.17), variation_of(task).target_z_m, (0.0, np.pi))
    for i, (name, scene, missing) in enumerate(looks(task)):
        world = World(load_task(task), scene=scene, config=WorldConfig(variation=wide))
        camera = SceneCamera(world.model)
        for seed in range(FIRST_SEED + 1000 * i, FIRST_SEED + 1000 * i + count // 5):
            world.reset(seed, joints_rad=HOME_RAD)
            camera.reset(seed)
            view = simulated_view(world, camera)
            lost = np.random.default_rng(seed).random(view.depth_mm.shape) < missing
            view = replace(view, depth_mm=np.where(lost, 0, view.depth_mm).astype(np.uint16))
            truth = world.site_pose("target_opening")
            yield name, view, camera.t_base_camera, truth, np.array(camera.project(truth[:3, 3])[:2]), seed
        camera.close()


def by_outline(view, t_base_camera, point_m, true_yaw_rad):
    """Errors, degrees, of the least rectangle and the principal direction; up to a quarter of a turn."""
    seen, _ = top_view(view, t_base_camera, surface_plane(view, t_base_camera, point_m))
    rows, columns = np.nonzero(seen.surface())
    if len(rows) < 10:
        return None, None
    cells = np.stack([columns, rows], axis=1).astype(np.float32)
    rectangle_rad = np.deg2rad(cv2.minAreaRect(cells)[2])
    along = np.linalg.svd(cells - cells.mean(axis=0), full_matrices=False)[2][0]
    return tuple(wrapped_deg(a - true_yaw_rad, np.pi / 2) for a in (rectangle_rad, np.arctan2(along[1], along[0])))


def measure(task, count, pointing):
    """One row for each scene."""
    reference = References(Path(__file__).parents[1] / "src/vital_vlm_reach/references").of(task)
    model, sentence = EmbeddedPointing.load() if pointing == "embedded" else None, load_task(task).prompt
    for look, view, t_base_camera, truth, true_pixel, seed in scenes(task, count):
        row = {"task": task, "look": look, "seed": seed}
        pixel = true_pixel + PIXEL_ERROR_PX * np.random.default_rng(seed).standard_normal(2)
        if model is not None:
            pixel = model.point(view.rgb, sentence).pixel_uv
        if pixel is None:
            yield row | {"refused": "not in view"}
            continue
        yaw_rad, start_s = float(np.arctan2(truth[1, 0], truth[0, 0])), time.process_time()
        try:
            lifted = lift_pixel(pixel, view.depth_mm, view.camera, t_base_camera)
            turn = target_turn(view, t_base_camera, lifted.point_m, reference)
        except VitalError as error:
            yield row | {"refused": str(error)}
            continue
        row |= {"cpu_s": round(time.process_time() - start_s, 3), "tilt_deg": float(np.rad2deg(turn.plane.tilt_rad))}
        row |= {"pointed_mm": float(1000 * np.linalg.norm(lifted.point_m - truth[:3, 3])), "level": turn.plane.level}
        if not turn.known:
            yield row | {"refused": turn.message}
            continue
        rectangle, principal = by_outline(view, t_base_camera, lifted.point_m, yaw_rad)
        yield row | {
            "yaw_deg": wrapped_deg(turn.yaw_rad - yaw_rad, 2 * np.pi / turn.symmetry),
            "std_deg": float(np.rad2deg(turn.yaw_std_rad)),
            "symmetry": turn.symmetry,
            "place_mm": float(1000 * np.linalg.norm(turn.origin_m - truth[:3, 3])),
            "rectangle_deg": rectangle,
            "principal_deg": principal,
        }


def summary(task, rows):
    """A row of the table: medians, 90 % and worst of sizes."""

    def spread(key):
        values = np.abs([row[key] for row in rows if row.get(key) is not None])
        return " / ".join(f"{v:.1f}" for v in np.percentile(values, [50, 90, 100])) if len(values) else "-"

    known = [row for row in rows if "yaw_deg" in row]
    symmetries = sorted({row["symmetry"] for row in known})
    counted = ", ".join(f"{s}: {sum(row['symmetry'] == s for row in known)}" for s in symmetries)
    covered = sum(abs(row["yaw_deg"]) < 2 * row["std_deg"] for row in known)
    columns = ("yaw_deg", "rectangle_deg", "principal_deg", "pointed_mm", "place_mm", "tilt_deg")
    return " | ".join(
        [f"| {task}", str(len(rows)), str(len(known)), counted, *map(spread, columns), f"{covered} of {len(known)} |"]
    )


def main():
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", choices=[*task_names(), "all"], default="all")
    parser.add_argument("--scenes", type=int, default=200, help="for each target")
    parser.add_argument("--pointing", choices=("exact", "embedded"), default="exact")
    given = parser.parse_args()
    table = []
    for task in task_names() if given.task == "all" else [given.task]:
        rows = []
        for row in measure(task, given.scenes, given.pointing):
            print(json.dumps(row), flush=True)
            rows.append(row)
        table.append(summary(task, rows))
    print("\n".join(table))


if __name__ == "__main__":
    main()
