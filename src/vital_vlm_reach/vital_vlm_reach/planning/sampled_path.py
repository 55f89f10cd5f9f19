"""A joint path around obstacles: RRT-Connect and shortcutting (OMPL), the same for the same seed."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from ompl import base as ob
from ompl import geometric as og
from ompl import util as ou

from vital_core.arm.xarm7 import LOWER_RAD, UPPER_RAD
from vital_core.clock import steady_s
from vital_vlm_reach.planning.motion import STEP_RAD

Array = NDArray[np.float64]

RANGE_RAD = 0.6
# Detours seldom need to swing a joint further beyond start and goal than this.
_DETOUR_RAD = 1.2
_MAX_ROUNDS = 20_000
_SHORTCUT_STEPS = 60

ou.setLogLevel(ou.LOG_NONE)


def find_path(
    allows: Callable[[Array], bool],
    start_rad: Array,
    goals_rad: Sequence[Array],
    *,
    seed: int,
    budget_s: float,
    cancelled: Callable[[], bool] = lambda: False,
) -> Array | None:
    """(n, 7) waypoints from the start to one of the goals through states that ``allows`` (7,), or None.

    The search ends after a fixed number of rounds, or once it is ``cancelled``; ``budget_s`` of wall time only guards
    against a stall.
    """
    goals_rad = [goal for goal in goals_rad if allows(goal)]
    if not goals_rad or not allows(start_rad):
        return None
    ou.RNG.setSeed(seed % (2**31 - 2) + 1)
    setup = _setup(allows, start_rad, goals_rad)
    deadline_s = steady_s() + budget_s
    if setup.solve(_until(deadline_s, _MAX_ROUNDS, cancelled)) != ob.PlannerStatus.EXACT_SOLUTION:
        return None
    path = setup.getSolutionPath()
    simplifier = og.PathSimplifier(setup.getSpaceInformation())
    simplifier.reduceVertices(path, _SHORTCUT_STEPS, _SHORTCUT_STEPS)
    found = _waypoints(path)
    simplifier.partialShortcutPath(path, _SHORTCUT_STEPS, _SHORTCUT_STEPS)
    simplifier.collapseCloseVertices(path, _SHORTCUT_STEPS, _SHORTCUT_STEPS)
    shorter = _waypoints(path)
    # A shortcut begins between two states that were looked at, and may begin in what is not allowed.
    return shorter if all(map(allows, shorter)) else found


def _setup(allows: Callable[[Array], bool], start_rad: Array, goals_rad: Sequence[Array]) -> og.SimpleSetup:
    ends = np.array([start_rad, *goals_rad])
    lower = np.maximum(ends.min(axis=0) - _DETOUR_RAD, LOWER_RAD - 1e-6)
    upper = np.minimum(ends.max(axis=0) + _DETOUR_RAD, UPPER_RAD + 1e-6)
    space = ob.RealVectorStateSpace(len(start_rad))
    bounds = ob.RealVectorBounds(len(start_rad))
    for i, (low, high) in enumerate(zip(lower, upper, strict=True)):
        bounds.setLow(i, float(low))
        bounds.setHigh(i, float(high))
    space.setBounds(bounds)
    setup = og.SimpleSetup(space)
    setup.setStateValidityChecker(lambda state: allows(_joints(state)))
    information = setup.getSpaceInformation()
    information.setStateValidityCheckingResolution(STEP_RAD / space.getMaximumExtent())
    goal = ob.GoalStates(information)
    for q in goals_rad:
        goal.addState(_state(space, q))
    setup.addStartState(_state(space, start_rad))
    setup.setGoal(goal)
    planner = og.RRTConnect(information)
    planner.setRange(RANGE_RAD)
    setup.setPlanner(planner)
    return setup


def _until(deadline_s: float, rounds: int, cancelled: Callable[[], bool]) -> ob.PlannerTerminationCondition:
    left = rounds

    def over() -> bool:
        nonlocal left
        left -= 1
        return left < 0 or cancelled() or steady_s() > deadline_s

    ended: Callable[[], bool] = over
    return ob.PlannerTerminationCondition(ended)


def _waypoints(path: og.PathGeometric) -> Array:
    return np.array([_joints(state) for state in path.getStates()])


def _joints(state: ob.State) -> Array:
    return np.array([state[i] for i in range(7)])


def _state(space: ob.RealVectorStateSpace, joints_rad: Array) -> ob.State:
    state = space.allocState()
    for i, value in enumerate(joints_rad):
        state[i] = float(value)
    return state
