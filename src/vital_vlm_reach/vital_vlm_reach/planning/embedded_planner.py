"""The planner that needs no ROS installation: straight if it can, around obstacles if it must."""

from functools import reduce
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from vital_core.arm.cartesian_motion import joint_waypoints
from vital_core.arm.kinematics import forward
from vital_core.arm.xarm7 import JOINT_NAMES, LOWER_RAD, UPPER_RAD
from vital_core.clock import steady_s
from vital_core.errors import ErrorCode, VitalError
from vital_vlm_reach.planning.box import Box
from vital_vlm_reach.planning.goal_states import check_in_workspace, goal_states
from vital_vlm_reach.planning.joint_path import JointPath, distinct
from vital_vlm_reach.planning.motion import STEP_RAD, JointMotion, at_rest
from vital_vlm_reach.planning.planner import KEEP_OUT, Cancelled, Plan, ReachProblem, check_wanted
from vital_vlm_reach.planning.robot_model import CollisionScene, RobotModel, touching_text
from vital_vlm_reach.planning.sampled_path import find_path
from vital_vlm_reach.planning.state_check import StateCheck
from vital_vlm_reach.planning.timing import MotionLimits, time_path

Array = NDArray[np.float64]

# Distance kept from everything while planning; the result is checked again at its own resolution.
MARGIN_M = 0.005
BUDGET_S = 5.0
CARTESIAN_POINTS = 8
_LIFT_POINTS = 6
_LIFT_CLEARANCE_M = 0.02
_ENCODER_TOLERANCE_RAD = 0.02
_ROUNDINGS = (1.0, 0.5, 0.2)
_SEARCHES = 4
_CHECK_SPACING_S = 0.005


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
        lift = self._lift(problem, start)
        from_rad = start if lift is None else lift.positions_rad[-1]
        check = self._check(problem, from_rad)
        motion, how = self._reach(problem, from_rad, check, cancelled)
        if lift is not None:
            motion, how = lift.then(motion), f"lift, {how}"
        return Plan(motion, how, steady_s() - began_s)

    def _scene(self, problem: ReachProblem, *, keep_out: bool) -> CollisionScene:
        obstacles = [*problem.obstacles, problem.keep_out] if keep_out else problem.obstacles
        return CollisionScene(self._robot, obstacles, tip_offset_m=problem.task.tip_offset_m, margin_m=MARGIN_M)

    def _check(self, problem: ReachProblem, start: Array) -> StateCheck:
        """An arm that starts within the margin of something may leave it, but not touch."""
        scene = self._scene(problem, keep_out=True)
        if scene.in_collision(start):
            scene.margin_m = 0.0
            if scene.in_collision(start):
                raise VitalError(
                    ErrorCode.PLAN_FAILED,
                    f"the arm starts in collision: {touching_text(scene.touching(start))}; move it free by hand",
                )
        return StateCheck(scene, Box.of_task(problem.task), start)

    def _lift(self, problem: ReachProblem, start: Array) -> JointMotion | None:
        """Straight up out of the column over the target when the arm starts in it, as after an insertion."""
        touching = self._scene(problem, keep_out=True).touching(start)
        if not any(KEEP_OUT in pair for pair in touching):
            return None
        column = problem.keep_out
        top = column.centre_m[2] + column.size_m[2] / 2
        pose = forward(start)
        # Fingers and palm start above the held object's tip, so the tip is the last to leave.
        rise = top + problem.task.tip_offset_m + _LIFT_CLEARANCE_M - pose[2, 3]
        target = pose.copy()
        target[2, 3] += max(rise, _LIFT_CLEARANCE_M)
        waypoints = joint_waypoints(start, target, _LIFT_POINTS)
        scene = self._scene(problem, keep_out=False)
        scene.margin_m = 0.0
        check = StateCheck(scene, Box.of_task(problem.task), start)
        if waypoints is not None:
            motion = self._timed(np.vstack([start, waypoints]), check)
            if motion is not None:
                return motion
        raise VitalError(
            ErrorCode.PLAN_FAILED,
            f"the arm starts at the target and cannot be lifted {1000 * rise:.0f} mm straight up: "
            f"{check.problem(start) or 'the way up is blocked or out of reach'}",
        )

    def _reach(
        self, problem: ReachProblem, start: Array, check: StateCheck, cancelled: Cancelled
    ) -> tuple[JointMotion, str]:
        check_wanted(cancelled)
        goals = goal_states(problem.t_base_tcp_goal, start, check.problem, problem.seed)
        for goal in goals:
            check_wanted(cancelled)
            motion = self._timed(np.stack([start, goal]), check)
            if motion is not None:
                return motion, "straight"
        waypoints = joint_waypoints(start, problem.t_base_tcp_goal, CARTESIAN_POINTS)
        if waypoints is not None:
            motion = self._timed(np.vstack([start, waypoints]), check)
            if motion is not None:
                return motion, "cartesian"
        # A sampled path may graze the margin between two of the search's own checks; then another is sought.
        for attempt in range(_SEARCHES):
            seed = _SEARCHES * problem.seed + attempt
            path = find_path(check.allows, start, goals, seed=seed, budget_s=BUDGET_S, cancelled=cancelled)
            check_wanted(cancelled)
            if path is None:
                break
            motion = self._timed(path, check)
            if motion is not None:
                return motion, "sampled"
        at = ", ".join(f"{v:.3f}" for v in problem.t_base_tcp_goal[:3, 3])
        raise VitalError(ErrorCode.PLAN_FAILED, f"found no way around the obstacles to the TCP position ({at}) m")

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
