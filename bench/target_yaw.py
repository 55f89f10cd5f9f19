"""How well yaw, place and normal of the five simulated targets are found from the scene camera.

    ./vital shell -c "python bench/target_yaw.py [--task usb_insertion] [--scenes 200] [--pointing exact]"
    ./vital shell -c "python bench/target_yaw.py --scenes-of tilt_30 --pointing embedded --scenes 50"
    ./vital shell -c "python bench/target_yaw.py --scenes-of examination --pointing embedded --scenes 40"

`--scenes-of looks` (default): targets turned any way, anywhere in view, a fifth each: on the green screen, with other
things and another target under other light, on plain tables of any colour, on patterned ones with things close to the
target, and these with half of the depth readings missing. `tilt_10`, `tilt_20`, `tilt_30`: those of the evaluation, the
same seeds. `examination`: those of the pointing examination, which training does not know, among the other targets and
things, asked with its sentences, written by hand.

`--pointing exact` takes the true place's pixel, 2 px off each way, and measures what comes after pointing: beside ours
the rectangle of least area around the surface, and its principal direction, both up to a quarter of a turn. `embedded`
measures all that reach does: sentence, pixel, place, yaw, and the start pose of the hand; in `looks` and tilted ones
the sentence is the task's own. The simulator's truth is for the figures alone. Rows go to --out, scene by scene, and a
run that was stopped goes on; a folder belongs to one set of weights. Then a table.
"""

import argparse
import json
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from vital_core import pose as pose_of
from vital_core.arm.xarm7 import BASE_FRAME, HOME_RAD
from vital_core.errors import VitalError
from vital_core.files.safe_file import sha256
from vital_core.pose import Pose
from vital_core.statistics import wilson_interval
from vital_core.task import load_task, task_names
from vital_sim.cameras.cameras import SceneCamera
from vital_sim.scenery.look import SceneConfig
from vital_sim.world.fixtures import TARGET_NAMES
from vital_sim.world.variation import LIE_ON_THE_TABLE, TILTS_DEG, Variation, variants_of, variation_of
from vital_sim.world.world import World, WorldConfig
from vital_vlm_reach.localisation.camera import View
from vital_vlm_reach.localisation.frames import FixedFrames
from vital_vlm_reach.localisation.lifting import lift_pixel
from vital_vlm_reach.localisation.localization import localize, target_turn
from vital_vlm_reach.localisation.references import References
from vital_vlm_reach.localisation.surface_depth import WINDOW_PX
from vital_vlm_reach.localisation.surface_plane import surface_plane
from vital_vlm_reach.localisation.top_view import top_view
from vital_vlm_reach.pointing.embedded import EmbeddedPointing, default_weights
from vital_vlm_reach.pointing.examination.examine import FIRST_SEED as EXAMINATION_SEED
from vital_vlm_reach.pointing.examination.scenes import Stage
from vital_vlm_reach.pointing.examination.sentences import MAY_REFUSE, sentences
from vital_vlm_reach.reference_views.render_references import simulated_view
from vital_vlm_reach.start_pose import sample_start_pose

FIRST_SEED, TILTED_SEED = 700_000, 30_000
PIXEL_ERROR_PX = 2.0
# Nearer than this, the thing that was asked for was found.
FOUND_MM = 10.0
OTHER_TARGETS = {
    "usb_insertion": "plug",
    "plug_in_socket": "usb_stick",
    "key_in_lock": "card",
    "card_swipe": "key",
    "pick_block": "usb_stick",
}
REFERENCES = Path(__file__).parents[1] / "src/vital_vlm_reach/references"


@dataclass(frozen=True)
class Shot:
    """A view, where its camera is said to be, the true pose of the target and its pixel, and what is asked."""

    view: View
    t_base_camera: Pose
    truth: Pose
    pixel_uv: np.ndarray
    sentence: str


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


class Simulated:
    """Shots of a world, seed by seed."""

    def __init__(self, task, scene, variation, missing=0.0):
        self._task, self._missing = load_task(task), missing
        self._world = World(self._task, scene=scene, config=WorldConfig(variation=variation))
        self._camera = SceneCamera(self._world.model)

    def shoot(self, seed):
        self._world.reset(seed, joints_rad=HOME_RAD)
        self._camera.reset(seed)
        view = simulated_view(self._world, self._camera)
        lost = np.random.default_rng(seed).random(view.depth_mm.shape) < self._missing
        view = replace(view, depth_mm=np.where(lost, 0, view.depth_mm).astype(np.uint16))
        truth = self._world.site_pose("target_opening")
        pixel = np.array(self._camera.project(truth[:3, 3])[:2])
        return Shot(view, self._camera.t_base_camera, truth, pixel, self._task.prompt)

    def close(self):
        self._camera.close()


class Examined:
    """Shots of the pointing examination's stage, its English sentences in turn."""

    def __init__(self, task):
        self._target = TARGET_NAMES[load_task(task).held_object]
        self._stage = Stage(self._target)
        self._asked = [s.text for s in sentences() if s.target == self._target and s.kind != MAY_REFUSE]

    def shoot(self, seed):
        scene = self._stage.shoot(seed, with_target=True)
        truth = pose_of.from_vector(scene.points_m[self._target], (0.0, 0.0, scene.yaws_rad[self._target]))
        pixel = np.array(scene.pixels_uv[self._target])
        return Shot(scene.view, scene.t_base_camera, truth, pixel, self._asked[seed % len(self._asked)])

    def close(self):
        self._stage.close()


def stages(task, source, count):
    """(look, what makes its stage, seeds) of each look."""
    if source == "examination":
        # Beyond what the examination itself asks about (`examine.py`: 10 000 a target from 800 000 on).
        first = EXAMINATION_SEED + 60_000 + 1000 * task_names().index(task)
        return [(source, lambda: Examined(task), range(first, first + count))]
    if source in TILTS_DEG:
        variant = variants_of(task, source)[0]
        seeds = range(TILTED_SEED, TILTED_SEED + count)
        return [(source, lambda: Simulated(task, variant.scene, variant.variation), seeds)]
    wide = Variation((0.46, 0.09), (0.0, 0.17), variation_of(task).target_z_m, (0.0, np.pi))
    return [
        (name, lambda s=scene, m=missing: Simulated(task, s, wide, m), range(first, first + count // 5))
        for (name, scene, missing), first in zip(looks(task), range(FIRST_SEED, FIRST_SEED + 5000, 1000), strict=True)
    ]


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


def apart(found, truth, symmetry):
    """Errors of a target's frame: yaw about its normal and the normal in degrees, the place in mm."""
    normal = float(np.rad2deg(np.arccos(np.clip(found[:3, 2] @ truth[:3, 2], -1.0, 1.0))))
    turned = found[:3, :3].T @ truth[:3, :3]
    yaw_rad = np.arctan2(turned[1, 0] - turned[0, 1], turned[0, 0] + turned[1, 1])
    place_mm = float(1000 * np.linalg.norm(found[:3, 3] - truth[:3, 3]))
    return {"yaw_deg": wrapped_deg(-yaw_rad, 2 * np.pi / symmetry), "normal_deg": normal, "place_mm": place_mm}


def after_pointing(shot, task, reference, seed):
    """A row: the pixel is told, 2 px off each way."""
    pixel = shot.pixel_uv + PIXEL_ERROR_PX * np.random.default_rng(seed).standard_normal(2)
    lifted = lift_pixel(pixel, shot.view.depth_mm, shot.view.camera, shot.t_base_camera)
    turn = target_turn(shot.view, shot.t_base_camera, lifted.point_m, reference)
    row = {"tilt_deg": float(np.rad2deg(turn.plane.tilt_rad)), "level": turn.plane.level}
    row["pointed_mm"] = float(1000 * np.linalg.norm(lifted.point_m - shot.truth[:3, 3]))
    if not turn.known:
        return row | {"refused": turn.message}
    frame = pose_of.on_surface(turn.origin_m, turn.plane.normal, turn.yaw_rad)
    row |= apart(frame, shot.truth, turn.symmetry)
    if turn.plane.level:
        yaw_rad = float(np.arctan2(shot.truth[1, 0], shot.truth[0, 0]))
        row["rectangle_deg"], row["principal_deg"] = by_outline(shot.view, shot.t_base_camera, lifted.point_m, yaw_rad)
    return row | {"std_deg": float(np.rad2deg(turn.yaw_std_rad)), "symmetry": turn.symmetry}


def as_reach_does(shot, task, reference, model, seed):
    """A row: a sentence and a view in, the hand's start pose out."""
    frames = FixedFrames()
    frames.add(BASE_FRAME, shot.view.frame_id, shot.t_base_camera)
    own = shot.sentence == task.prompt
    target = localize(shot.sentence, shot.view, model, frames, reference, window_px=WINDOW_PX, own_sentence=own).target
    pointed_mm = float(1000 * np.linalg.norm(target.point_m - shot.truth[:3, 3]))
    row = {"sentence": shot.sentence, "pointed_mm": pointed_mm, "tilt_deg": float(np.rad2deg(target.tilt_rad))}
    if target.yaw is None:
        return row | {"refused": "yaw not known"}
    frame = target.frame(target.yaw_for(0.0))
    row |= apart(frame, shot.truth, target.yaw.symmetry)
    # The yaw that a hand would take of those that count as the same, were the truth known.
    best = pose_of.from_vector(np.zeros(3), (0.0, 0.0, np.deg2rad(-row["yaw_deg"])))
    start, true_start = (sample_start_pose(task, f, seed) for f in (frame, _with_turn(frame @ best, shot.truth)))
    row["start_mm"] = float(1000 * np.linalg.norm(start[:3, 3] - true_start[:3, 3]))
    row["start_deg"] = float(np.rad2deg(np.linalg.norm(pose_of.to_vector(pose_of.inverse(start) @ true_start)[3:])))
    return row | {"std_deg": float(np.rad2deg(target.yaw.std_rad)), "symmetry": target.yaw.symmetry}


def _with_turn(turned, truth):
    """The truth's place and normal, with the yaw of another frame."""
    along = truth[:3, :3].T @ turned[:3, 0]
    yaw = np.arctan2(along[1], along[0])
    return truth @ pose_of.from_vector(np.zeros(3), (0.0, 0.0, yaw))


def measure(task_name, source, count, pointing, done, references=REFERENCES):
    """One row for each scene that is not done."""
    task, reference = load_task(task_name), References(references).of(task_name)
    model = EmbeddedPointing.load() if pointing == "embedded" else None
    for look, make, seeds in stages(task_name, source, count):
        waiting = [seed for seed in seeds if (task_name, look, seed) not in done]
        stage = make() if waiting else None
        for seed in waiting:
            shot, start_s = stage.shoot(seed), time.process_time()
            row = {"task": task_name, "look": look, "seed": seed}
            try:
                if model is None:
                    row |= after_pointing(shot, task, reference, seed)
                else:
                    row |= as_reach_does(shot, task, reference, model, seed)
            except VitalError as error:
                row["refused"] = str(error)
            yield row | {"cpu_s": round(time.process_time() - start_s, 3)}
        if stage is not None:
            stage.close()


def spread(rows, key):
    """Median, 90 % and worst of sizes."""
    values = np.abs([row[key] for row in rows if row.get(key) is not None])
    return " / ".join(f"{v:.1f}" for v in np.percentile(values, [50, 90, 100])) if len(values) else "-"


def summary(task, rows, pointing):
    """A row of the table."""
    known = [row for row in rows if "yaw_deg" in row]
    symmetries = sorted({row["symmetry"] for row in known})
    counted = ", ".join(f"{s}: {sum(row['symmetry'] == s for row in known)}" for s in symmetries)
    covered = sum(abs(row["yaw_deg"]) < 2 * row["std_deg"] for row in known)
    columns = ("yaw_deg", "rectangle_deg", "principal_deg", "pointed_mm", "place_mm", "tilt_deg")
    if pointing == "embedded":
        right = [row for row in known if row["place_mm"] <= FOUND_MM]
        low, high = wilson_interval(len(right), len(rows))
        found = f"{len(right)} of {len(rows)} ({100 * low:.0f} to {100 * high:.0f} %)"
        elsewhere = sum("pointed_mm" in row and row["pointed_mm"] > FOUND_MM for row in rows)
        errors = [spread(right, key) for key in ("place_mm", "yaw_deg", "normal_deg", "start_mm", "start_deg")]
        return f"| `{task}` | {found} | {elsewhere} | {' | '.join(errors)} |"
    cells = [f"| {task}", str(len(rows)), str(len(known)), counted, *(spread(rows, c) for c in columns)]
    return " | ".join([*cells, f"{covered} of {len(known)}", f"{spread(known, 'normal_deg')} |"])


COLUMNS = {
    "exact": "target, scenes, yaw told, symmetry, yaw, rectangle, principal direction, pointed place, place, "
    "found tilt, within 2 sigma, normal",
    "embedded": "target, located with yaw, elsewhere, place mm, yaw, normal, start pose mm, start pose degrees",
}


def head(pointing):
    """The table's first lines."""
    names = COLUMNS[pointing].split(", ")
    return f"| {' | '.join(names)} |\n{'|---' * len(names)}|"


def stored(path):
    """Rows of a run that was stopped; a line that was torn off is left out, and its scene done again."""
    rows = []
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            break
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return rows


def main():
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", choices=[*task_names(), "all"], default="all")
    parser.add_argument("--scenes", type=int, default=200, help="for each target")
    parser.add_argument("--scenes-of", choices=("looks", *TILTS_DEG, "examination"), default="looks")
    parser.add_argument("--pointing", choices=("exact", "embedded"), default="exact")
    parser.add_argument("--references", type=Path, default=REFERENCES, help="folder of other views, with another --out")
    parser.add_argument("--out", type=Path, default=Path("runs/target_yaw"))
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    named, of = given.out / "weights.sha256", sha256(default_weights().read_bytes())
    if named.exists() and named.read_text().strip() != of:
        sys.exit(f"{given.out} holds answers of other weights: give another --out")
    named.write_text(of + "\n")
    table = [head(given.pointing)]
    for task in task_names() if given.task == "all" else [given.task]:
        if given.scenes_of in TILTS_DEG and task in LIE_ON_THE_TABLE:
            continue
        path = given.out / f"{task}_{given.scenes_of}_{given.pointing}.jsonl"
        rows = stored(path)
        done = {(row["task"], row["look"], row["seed"]) for row in rows}
        for row in measure(task, given.scenes_of, given.scenes, given.pointing, done, given.references):
            with path.open("a") as file:
                file.write(json.dumps(row) + "\n")
            rows.append(row)
        table.append(summary(task, rows, given.pointing))
        print(table[-1], flush=True)
    print("\n".join(table))


if __name__ == "__main__":
    main()
