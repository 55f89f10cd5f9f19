"""The planner that needs no ROS installation: straight if it can, around obstacles if it must."""

from collections.abc import Iterator, Sequence
from functools import reduce
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from vital_core.arm.cartesian_motion import joint_waypoints
from vital_core.arm.kinematics import forward
from vital_core.arm.xarm7 import JOINT_NAMES, LOWER_RAD, UPPER_RAD
from vital_core.clock import steady_s
from vital_core.errors import ErrorCode, VitalError
from vital_core.pose import Pose
from vital_vlm_reach.planning.box import Box
from vital_vlm_reach.planning.goal_states import check_in_workspace, goal_states
from vital_vlm_reach.planning.joint_path import JointPath, distinct
from vital_vlm_reach.planning.motion import STEP_RAD, JointMotion, at_rest
from vital_vlm_reach.planning.planner import Cancelled, Plan, ReachProblem, check_wanted
from vital_vlm_reach.planning.robot_model import CollisionScene, Obstacle, RobotModel, touching_text
from vital_vlm_reach.planning.sampled_path import find_path
from vital_vlm_reach.planning.state_check import StateCheck
from vital_vlm_reach.planning.timing import MotionLimits, time_path
from vital_vlm_reach.planning.ways_over import raised, ways_over

Array = NDArray[np.float64]

# Distance kept from everything while planning; the result is checked again at its own resolution.
MARGIN_M = 0.005
BUDGET_S = 5.0
CARTESIAN_POINTS = 8
# Of the last piece, straight down to the goal.
DESCENT_M = 0.06
# A retreat goes up in steps of this until it is free.
_RISE_M = 0.02
_RISE_POINTS = 6
# Between two instants of a retreat; contact may deepen by no more than rounding.
_DEEPER_M = 5e-4
# Vertical part of a hand's axis: nearer to 1 it counts as upright, below it is no hand that points down any more.
_UPRIGHT_HAND, _LEVEL_HAND = float(np.cos(np.deg2rad(6.0))), float(np.cos(np.deg2rad(50.0)))
_ENCODER_TOLERANCE_RAD = 0.02
_ROUNDINGS = (1.0, 0.5, 0.2)
_SEARCHES = 4
_CHECK_SPACING_S = 0.005
_RISE_SPACING_S = 0.02


class EmbeddedPlanner:
    """See `vital_vlm_reach.planning.planner.Planner`. speed_scale: share of the arm's planning limits that is used."""

    def __init__(self, speed_scale: float = 0.5) -> None:
        self._limits = MotionLimits.scaled(speed_scale)
        self._robot = RobotModel()

    def plan(self, problem: ReachProblem, cancelled: Cancelled = lambda: False) -> Plan:
        """As in `Planner.plan`; the same problem gives the same motion."""
        began_s = steady_s()
        check_in_workspace(problem.t_base_tcp_goal, problem.task)
        start = _within_limits(problem.start_rad)
        check = self._check(problem, start)
        motion, how = self._reach(problem, start, check, cancelled)
        return Plan(motion, how, steady_s() - began_s)

    def retreat(self, problem: ReachProblem) -> JointMotion | None:
        """As in `Planner.retreat`."""
        start = _within_limits(problem.start_rad)
        touching = _names(self._scene(problem, problem.touchable, 0.0).touching(start))
        touched = [o for o in problem.touchable if o.name in touching]
        if not touched:
            return None
        everything = self._scene(problem, problem.everything, MARGIN_M)
        contact = self._scene(problem, touched, 0.0)
        others = self._scene(problem, [o for o in problem.everything if o not in touched], 0.0)
        check = StateCheck(others, Box.of_task(problem.task), start)
        pose = forward(start)
        for direction in _ways_out(pose):
            for rise in np.arange(_RISE_M, Box.of_task(problem.task).upper_m[2] - pose[2, 3], _RISE_M):
                motion = self._outward(start, pose, float(rise) * direction, check)
                if motion is None:
                    break
                if not everything.in_collision(motion.positions_rad[-1]) and _leaves(contact, motion):
                    return motion
        raise VitalError(
            ErrorCode.IN_COLLISION,
            f"the arm starts in contact, {touching_text(contact.touching(start))}, and cannot be lifted straight "
            f"out of it: {check.problem(start) or 'the way out is blocked or out of reach'}; move it free by hand",
        )

    def _outward(self, start: Array, pose: Pose, way_m: Array, check: StateCheck) -> JointMotion | None:
        out = pose.copy()
        out[:3, 3] += way_m
        waypoints = joint_waypoints(start, out, _RISE_POINTS)
        return None if waypoints is None else self._timed(np.vstack([start, waypoints]), check)

    def _scene(self, problem: ReachProblem, obstacles: Sequence[Obstacle], margin_m: float) -> CollisionScene:
        return CollisionScene(self._robot, obstacles, tip_offset_m=problem.task.tip_offset_m, margin_m=margin_m)

    def _check(self, problem: ReachProblem, start: Array) -> StateCheck:
        """An arm that starts within the margin of something may leave it, but not touch."""
        scene = self._scene(problem, problem.everything, MARGIN_M)
        if scene.in_collision(start):
            scene.margin_m = 0.0
            if scene.in_collision(start):
                raise VitalError(
                    ErrorCode.IN_COLLISION,
                    f"the arm starts in collision: {touching_text(scene.touching(start))}; move it free by hand",
                )
        return StateCheck(scene, Box.of_task(problem.task), start)

    def _reach(
        self, problem: ReachProblem, start: Array, check: StateCheck, cancelled: Cancelled
    ) -> tuple[JointMotion, str]:
        check_wanted(cancelled)
        goals = goal_states(problem.t_base_tcp_goal, start, check.problem, problem.seed)
        for how, waypoints in self._simple_ways(problem, start, goals):
            check_wanted(cancelled)
            motion = self._timed(waypoints, check)
            if motion is not None:
                return motion, how
        return self._sampled(problem, start, goals, check, cancelled), "sampled"

    def _simple_ways(self, problem: ReachProblem, start: Array, goals: list[Array]) -> Iterator[tuple[str, Array]]:
        for goal in goals:
            yield "straight", np.stack([start, goal])
        waypoints = joint_waypoints(start, problem.t_base_tcp_goal, CARTESIAN_POINTS)
        if waypoints is not None:
            yield "cartesian", np.vstack([start, waypoints])
        for way in ways_over(start, problem.t_base_tcp_goal, Box.of_task(problem.task).upper_m[2]):
            yield "over", way

    def _sampled(
        self, problem: ReachProblem, start: Array, goals: list[Array], check: StateCheck, cancelled: Cancelled
    ) -> JointMotion:
        """By search: to above the goal and straight down where that is free, else to the goal itself."""
        deadline_s = steady_s() + BUDGET_S
        descent = self._descent(problem, goals, check)
        # A sampled path may graze the margin between two of the search's own checks; then another is sought.
        for attempt in range(_SEARCHES):
            seed, down = _SEARCHES * problem.seed + attempt, descent if attempt < _SEARCHES // 2 else None
            ends = goals if down is None else [down[0]]
            left_s = deadline_s - steady_s()
            path = find_path(check.allows, start, ends, seed=seed, budget_s=left_s, cancelled=cancelled)
            check_wanted(cancelled)
            if path is not None:
                motion = self._timed(path if down is None else np.vstack([path, down[1:]]), check)
                if motion is not None:
                    return motion
            elif down is None:
                break
        at = ", ".join(f"{v:.3f}" for v in problem.t_base_tcp_goal[:3, 3])
        if steady_s() > deadline_s:
            raise VitalError(
                ErrorCode.TIMEOUT, f"found no way to the TCP position ({at}) m within {BUDGET_S:g} s: clear the way"
            )
        raise VitalError(ErrorCode.PLAN_FAILED, f"found no way around the obstacles to the TCP position ({at}) m")

    def _descent(self, problem: ReachProblem, goals: list[Array], check: StateCheck) -> Array | None:
        """(n, 7) straight down to a goal, where that is free."""
        goal = problem.t_base_tcp_goal
        above = raised(goal, min(goal[2, 3] + DESCENT_M, Box.of_task(problem.task).upper_m[2]))
        for end in goals:
            upward = joint_waypoints(end, above, CARTESIAN_POINTS)
            if upward is None:
                continue
            down = np.vstack([upward[::-1], end])
            if all(check.allows_line(a, b) for a, b in pairwise(down)):
                return down
        return None

    def _timed(self, waypoints: Array, check: StateCheck) -> JointMotion | None:
        """The fastest allowed motion through waypoints: corners as round as the scene allows, or a stop at each."""
        points = distinct(waypoints)
        if len(points) < 2:
            return at_rest(points[0])
        if not all(check.allows_line(a, b) for a, b in pairwise(points)):
            return None
        rounded = next(filter(None, (self._allowed(points, r, check) for r in _ROUNDINGS)), None)
        legs = [time_path(JointPath(leg), self._limits) for leg in pairwise(points)]
        stopping = reduce(JointMotion.then, legs)
        if rounded is None or stopping.duration_s < rounded.duration_s:
            return stopping if check.allows_all(stopping.sampled(_CHECK_SPACING_S)) else rounded
        return rounded

    def _allowed(self, points: Array, rounding: float, check: StateCheck) -> JointMotion | None:
        path = JointPath(points, rounding)
        if not check.allows_all(path.positions(STEP_RAD)):
            return None
        motion = time_path(path, self._limits)
        return motion if check.allows_all(motion.sampled(_CHECK_SPACING_S)) else None


def _ways_out(t_base_tcp: Pose) -> list[Array]:
    """(3,) unit vectors: back along the hand's axis, as what it holds came in, where that leads up; and straight up."""
    back, up = -t_base_tcp[:3, 2], np.array([0.0, 0.0, 1.0])
    return [back, up] if _LEVEL_HAND < back[2] < _UPRIGHT_HAND else [up]


def _names(pairs: Sequence[tuple[str, str]]) -> set[str]:
    return {name for pair in pairs for name in pair}


def _leaves(contact: CollisionScene, motion: JointMotion) -> bool:
    """Whether a motion out of a contact presses nowhere deeper than it begins."""
    clearances = [contact.clearance_m(q) for q in motion.sampled(_RISE_SPACING_S)]
    return min(clearances) >= min(clearances[0], 0.0) - _DEEPER_M


def _within_limits(start_rad: Array) -> Array:
    """The start, brought within the joint limits where an encoder reads a little beyond them."""
    start = np.asarray(start_rad, dtype=float)
    if start.shape != (7,) or not np.isfinite(start).all():
        raise VitalError(ErrorCode.PLAN_FAILED, f"the start is {start_rad}, expected 7 finite joint positions in rad")
    beyond = np.maximum(LOWER_RAD - start, start - UPPER_RAD)
    joint = int(beyond.argmax())
    if beyond[joint] > _ENCODER_TOLERANCE_RAD:
        raise VitalError(
            ErrorCode.PLAN_FAILED,
            f"{JOINT_NAMES[joint]} stands at {start[joint]:.3f} rad, outside {LOWER_RAD[joint]:.3f} to "
            f"{UPPER_RAD[joint]:.3f}: move it back by hand",
        )
    return np.clip(start, LOWER_RAD, UPPER_RAD)
