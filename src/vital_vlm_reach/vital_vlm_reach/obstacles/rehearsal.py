"""Planning over a simulated table with boxes on it, as the scene camera sees it: for tests and measurements only.

Every trial follows from its seed: where the target is, what stands about, where the arm starts. The planner is told
what `seen_obstacles` makes of the depth image; the result is measured against the boxes themselves.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import mujoco
import numpy as np
from numpy.typing import NDArray

from vital_core import pose as pose_of
from vital_core.arm import kinematics
from vital_core.arm.xarm7 import HOME_RAD
from vital_core.clock import steady_s
from vital_core.errors import ErrorCode, VitalError
from vital_core.task import Task
from vital_sim.cameras.cameras import SceneCamera
from vital_sim.scenery.look import SceneConfig
from vital_sim.world.world import World
from vital_vlm_reach.localisation.camera import Camera
from vital_vlm_reach.obstacles.height_map import DepthView
from vital_vlm_reach.obstacles.seen_obstacles import seen_obstacles
from vital_vlm_reach.planning.motion import JointMotion
from vital_vlm_reach.planning.planner import Planner, ReachProblem
from vital_vlm_reach.planning.robot_model import CollisionScene, Obstacle, RobotModel
from vital_vlm_reach.start_pose import sample_start_pose

Array = NDArray[np.float64]

MOST_BOXES = 6
# Boxes stand at least this far from the target's centre: the open hand fits between.
_ROOM_M = 0.09
_APART_M = 0.02
# Where the target's reading is within this of its distance, it is in view.
_IN_VIEW_M = 0.03
_SAMPLED_S = 0.005
_TRIES = 500


@dataclass(frozen=True)
class Rehearsal:
    """One trial: its end, how the way was found, times in s, and the smallest true distance to a box on it, m."""

    code: ErrorCode
    message: str
    how: str = ""
    boxes_seen: int = 0
    looking_s: float = float("nan")
    planning_s: float = float("nan")
    clearance_m: float = float("nan")


class CrowdedTable:
    """The task's simulated table, its camera, and up to `MOST_BOXES` boxes in the place of the usual things."""

    def __init__(self, task: Task) -> None:
        self.task, self.robot = task, RobotModel()
        self._world = World(task, scene=SceneConfig(distractors=MOST_BOXES))
        self._camera = SceneCamera(self._world.model)
        names = [self._world.model.body(i).name for i in range(self._world.model.nbody)]
        self._things = [self._world.model.body(name) for name in names if name.startswith("prop_")]

    def set_out(self, seed: int, count: int) -> tuple[ReachProblem, list[Obstacle]]:
        """A problem whose target is in view and whose arm starts clear of ``count`` boxes, and the boxes."""
        rng = np.random.default_rng([seed, count])
        for _ in range(_TRIES):
            target = rng.uniform([0.41, -0.10, 0.03], [0.50, 0.10, 0.04])
            boxes = _random_boxes(rng, target, count)
            start = _random_start(rng)
            if start is None or len(boxes) < count or self._clearance_m([start], boxes) < _APART_M:
                continue
            self._arrange(seed, target, start, boxes)
            if self._in_view(target):
                goal = sample_start_pose(self.task, pose_of.from_vector(target, np.zeros(3)), seed)
                return ReachProblem(self.task, start, goal, target, seed), boxes
        raise ValueError(f"no scene with {count} boxes and the target in view was found for seed {seed}")

    def look(self) -> DepthView:
        """What the scene camera measures."""
        camera = Camera(640, 480, self._camera.camera_matrix)
        return DepthView(self._camera.render(self._world.data)[1], camera, self._camera.t_base_camera)

    def rehearse(self, planner: Planner, seed: int, count: int) -> Rehearsal:
        """Set out, look, retreat where something is touched, plan, and measure the motion against the boxes."""
        problem, boxes = self.set_out(seed, count)
        seen, looking_s = self._seen(problem)
        began_s = steady_s()
        try:
            problem, away = self._out_of_contact(planner, replace(problem, seen=seen))
            plan = planner.plan(problem, lambda: False)
        except VitalError as error:
            return Rehearsal(error.code, error.message, "", len(seen), looking_s, steady_s() - began_s)
        planning_s = steady_s() - began_s
        states = [q for motion in (*away, plan.motion) for q in motion.sampled(_SAMPLED_S)]
        how = f"retreat, {plan.how}" if away else plan.how
        return Rehearsal(ErrorCode.OK, "", how, len(seen), looking_s, planning_s, self._clearance_m(states, boxes))

    def _seen(self, problem: ReachProblem) -> tuple[tuple[Obstacle, ...], float]:
        began_s = steady_s()
        seen = seen_obstacles(self.look(), self.task, problem.start_rad, self.robot, problem.keep_out)
        return seen, steady_s() - began_s

    def _out_of_contact(self, planner: Planner, problem: ReachProblem) -> tuple[ReachProblem, list[JointMotion]]:
        """The problem from where the arm touches nothing that is seen, looked at anew from there."""
        motion = planner.retreat(problem)
        if motion is None:
            return problem, []
        self._world.place_arm(motion.positions_rad[-1])
        moved = replace(problem, start_rad=motion.positions_rad[-1])
        return replace(moved, seen=self._seen(moved)[0]), [motion]

    def _clearance_m(self, states_rad: Iterable[Array], boxes: list[Obstacle]) -> float:
        scene = CollisionScene(self.robot, boxes, tip_offset_m=self.task.tip_offset_m)
        return min(scene.clearance_m(q) for q in states_rad)

    def _arrange(self, seed: int, target: Array, start: Array, boxes: list[Obstacle]) -> None:
        world = self._world
        world.reset(seed, joints_rad=HOME_RAD)
        world.place_target(target, 0.0)
        for i, thing in enumerate(self._things):
            box = boxes[i] if i < len(boxes) else None
            world.model.body_pos[thing.id] = box.centre_m if box else (0.0, 0.0, -0.6)
            world.model.body_quat[thing.id] = (1.0, 0.0, 0.0, 0.0)
            first = world.model.body_geomadr[thing.id]
            for geom in range(first, first + world.model.body_geomnum[thing.id]):
                world.model.geom_type[geom] = mujoco.mjtGeom.mjGEOM_BOX
                world.model.geom_pos[geom] = (0.0, 0.0, 0.0)
                world.model.geom_quat[geom] = (1.0, 0.0, 0.0, 0.0)
                world.model.geom_size[geom] = np.array(box.size_m) / 2 if box else (1e-3, 1e-3, 1e-3)
        world.place_arm(start)
        mujoco.mj_forward(world.model, world.data)

    def _in_view(self, target: Array) -> bool:
        u, v, distance_m = self._camera.project(target)
        depth_m = self._camera.render_depth_m(self._world.data)[round(v), round(u)]
        return bool(abs(depth_m - distance_m) < _IN_VIEW_M)


def _random_boxes(rng: np.random.Generator, target: Array, count: int) -> list[Obstacle]:
    """On the table, clear of the target and of each other; fewer where the table is full."""
    boxes: list[Obstacle] = []
    for _ in range(20 * count):
        if len(boxes) == count:
            break
        size = rng.uniform([0.03, 0.03, 0.04], [0.10, 0.10, 0.20])
        centre = np.append(rng.uniform([0.28, -0.26], [0.62, 0.26]), size[2] / 2)
        apart = [np.abs(centre[:2] - b.centre_m[:2]) - (size[:2] + b.size_m[:2]) / 2 for b in boxes]
        apart.append(np.abs(centre[:2] - target[:2]) - size[:2] / 2 - (_ROOM_M - _APART_M))
        if all(gap.max() > _APART_M for gap in apart):
            boxes.append(Obstacle(f"box {len(boxes)}", tuple(map(float, centre)), tuple(map(float, size))))  # type: ignore[arg-type]
    return boxes


def _random_start(rng: np.random.Generator) -> Array | None:
    """Anywhere in the usual tasks' workspace, the tool pointing down."""
    place = rng.uniform([0.31, -0.22, 0.20], [0.60, 0.22, 0.42])
    return kinematics.solve(pose_of.point_down(place, rng.uniform(-0.8, 0.8)), HOME_RAD, posture_rad=HOME_RAD)
