"""The embedded planner: every motion it gives is free of collisions, within limits, and ends where it should."""

import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from depth_scenes import upright
from hypothesis import given, settings
from hypothesis import strategies as st

from vital_core import pose as pose_of
from vital_core.arm import kinematics
from vital_core.arm.xarm7 import HOME_RAD, LOWER_RAD, UPPER_RAD
from vital_core.errors import ErrorCode, VitalError
from vital_core.task import load_task
from vital_vlm_reach.planning.droppable_planner import DroppablePlanner
from vital_vlm_reach.planning.embedded_planner import EmbeddedPlanner
from vital_vlm_reach.planning.planner import TABLE, WALLS, Plan, ReachProblem
from vital_vlm_reach.planning.robot_model import CollisionScene, Obstacle, RobotModel
from vital_vlm_reach.planning.timing import MotionLimits
from vital_vlm_reach.start_pose import sample_start_pose

TASK = load_task("usb_insertion")
LIMITS = MotionLimits.scaled(0.5)
SOCKET = np.array([0.45, 0.0, 0.035])
# Between the left and the right of the workspace, low enough to be passed over.
POST = Obstacle("post", (0.45, 0.10, 0.15), (0.30, 0.01, 0.30))
# As far up as the arm reaches: there is no way over it.
PILLAR = Obstacle("pillar", (0.42, 0.10, 0.6), (0.06, 0.02, 1.2))
SHELF = Obstacle("shelf", (0.45, 0.0, 0.25), (0.5, 0.5, 0.02))


@pytest.fixture(scope="module")
def planner() -> EmbeddedPlanner:
    return EmbeddedPlanner()


def joints_at(position_m, yaw_rad: float = 0.0) -> np.ndarray:
    q = kinematics.solve(pose_of.point_down(position_m, yaw_rad), HOME_RAD)
    assert q is not None
    return q


def reach(target=SOCKET, start=HOME_RAD, seed=0, obstacles=(TABLE, *WALLS), goal=None) -> ReachProblem:
    pose = sample_start_pose(TASK, upright(target), seed) if goal is None else goal
    return ReachProblem(TASK, np.asarray(start, float), pose, np.asarray(target, float), seed, tuple(obstacles))


def assert_sound(plan: Plan, problem: ReachProblem) -> None:
    """Sampled every 5 ms: nothing touches, all limits hold, the box is kept, start and goal are met."""
    motion = plan.motion
    scene = CollisionScene(RobotModel(), problem.everything, tip_offset_m=TASK.tip_offset_m)
    states = motion.sampled(0.005)
    assert [scene.touching(q) for q in states if scene.in_collision(q)] == []
    assert (states >= LOWER_RAD - 1e-6).all() and (states <= UPPER_RAD + 1e-6).all()
    tcp = kinematics.tcp_positions(states)
    assert (tcp >= TASK.workspace_lower_m).all() and (tcp <= TASK.workspace_upper_m).all()
    assert np.abs(motion.velocities_rad_s).max() <= LIMITS.speed_rad_s
    assert np.abs(motion.accelerations_rad_s2).max() <= LIMITS.acceleration_rad_s2
    speed = np.abs(np.diff(states, axis=0)).max() / (motion.duration_s / (len(states) - 1))
    assert speed <= 1.01 * LIMITS.speed_rad_s
    np.testing.assert_allclose(states[0], problem.start_rad, atol=1e-9)
    assert np.abs(motion.velocities_rad_s[[0, -1]]).max() == 0.0
    distance_m, angle_rad = pose_of.distance(kinematics.forward(states[-1]), problem.t_base_tcp_goal)
    assert distance_m < 5e-5 and angle_rad < 5e-4


coordinates = st.tuples(st.floats(0.31, 0.61), st.floats(-0.22, 0.22), st.floats(0.20, 0.43))


@given(
    st.tuples(st.floats(0.41, 0.49), st.floats(-0.04, 0.04), st.floats(0.03, 0.04)),
    coordinates, st.floats(-1.0, 1.0), st.integers(0, 10**6),
)  # fmt: skip
@settings(max_examples=25, deadline=None)
def test_any_reach_in_the_workspace_is_sound(target, position, yaw, seed):
    start = kinematics.solve(pose_of.point_down(position, yaw), HOME_RAD)
    if start is None:
        return
    problem = reach(target, start, seed)
    assert_sound(EmbeddedPlanner().plan(problem), problem)


@pytest.mark.parametrize(("obstacle", "how"), [(POST, "over"), (PILLAR, "sampled")])
@pytest.mark.parametrize("seed", range(4))
def test_an_obstacle_in_the_straight_way_is_gone_around(planner, seed, obstacle, how):
    start = joints_at((0.45, 0.21, 0.22))
    target = np.array([0.45, -0.06, 0.035])
    problem = reach(target, start, seed, (TABLE, *WALLS, obstacle))
    plan = planner.plan(problem)
    assert plan.how == how
    assert_sound(plan, problem)
    again = planner.plan(problem)
    np.testing.assert_array_equal(plan.motion.positions_rad, again.motion.positions_rad)
    np.testing.assert_array_equal(plan.motion.times_s, again.motion.times_s)


@pytest.mark.parametrize("seen", [(), (Obstacle("beside", (0.45, 0.07, 0.06), (0.08, 0.06, 0.12)),)])
def test_an_arm_that_starts_in_contact_is_lifted_straight_up_before_anything_else(planner, seen):
    start = joints_at(SOCKET + np.array([0, 0, TASK.tip_offset_m - 0.010]))
    problem = replace(reach(start=start), seen=seen)
    with pytest.raises(VitalError, match="starts in collision") as refusal:
        planner.plan(problem)
    assert refusal.value.code is ErrorCode.IN_COLLISION
    retreat = planner.retreat(problem)
    tcp = kinematics.tcp_positions(retreat.sampled(0.005))
    assert np.abs(tcp[:, :2] - SOCKET[:2]).max() < 0.001 and (np.diff(tcp[:, 2]) > -1e-5).all()
    known = CollisionScene(RobotModel(), problem.obstacles, tip_offset_m=TASK.tip_offset_m)
    assert not any(known.in_collision(q) for q in retreat.sampled(0.005))
    lifted = replace(problem, start_rad=retreat.positions_rad[-1])
    assert planner.retreat(lifted) is None
    assert_sound(planner.plan(lifted), lifted)


def test_a_contact_that_the_way_up_would_deepen_is_refused(planner):
    """A thing above the fingers, seen from the side: the hand would take it along."""
    start = joints_at(SOCKET + np.array([0, 0, 0.15]))
    hook = Obstacle("hook", (SOCKET[0], SOCKET[1] + 0.075, 0.40), (0.05, 0.06, 0.02))
    problem = replace(reach(start=start), seen=(hook,))
    assert CollisionScene(RobotModel(), [hook], tip_offset_m=0.035).in_collision(start) is False
    assert planner.retreat(problem) is None
    with pytest.raises(VitalError, match="cannot be lifted") as refusal:
        planner.retreat(replace(problem, seen=(replace(hook, centre_m=(SOCKET[0], SOCKET[1] + 0.075, 0.33)),)))
    assert refusal.value.code is ErrorCode.IN_COLLISION


def test_a_goal_where_the_arm_is_already_is_a_moment_of_rest(planner):
    problem = reach(start=joints_at(sample_start_pose(TASK, upright(SOCKET), 3)[:3, 3]), seed=3)
    plan = planner.plan(problem)
    assert plan.motion.duration_s < 0.5
    assert_sound(plan, problem)


@pytest.mark.parametrize(
    ("problem", "code", "told"),
    [
        (reach(target=(0.9, 0.0, 0.035)), ErrorCode.OUTSIDE_WORKSPACE, "mm outside the workspace of usb_insertion"),
        (reach(target=(0.45, 0.0, 0.5)), ErrorCode.OUTSIDE_WORKSPACE, "mm outside the workspace"),
        (
            reach(goal=pose_of.from_rpy((0.62, 0.24, 0.44), (-2.0, 1.4, 0.3))),
            ErrorCode.UNREACHABLE,
            "m from the shoulder|in the way",
        ),
        (
            reach(obstacles=[TABLE, SHELF], start=joints_at((0.4, 0, 0.44))),
            ErrorCode.IN_COLLISION,
            "shelf",
        ),
        (
            reach(obstacles=[Obstacle("box", (0.4, 0.0, 0.35), (0.1, 0.1, 0.1))]),
            ErrorCode.IN_COLLISION,
            "starts in collision.*box",
        ),
        (reach(start=[0, 0, 0, -0.5, 0, 0, 0]), ErrorCode.PLAN_FAILED, "joint4 stands at -0.500 rad"),
        (reach(start=[float("nan")] * 7), ErrorCode.PLAN_FAILED, "7 finite joint positions"),
        (reach(goal=np.full((4, 4), np.nan)), ErrorCode.BAD_PARAMETER, "not a finite number"),
    ],
)  # fmt: skip
def test_what_cannot_be_planned_is_refused_with_its_reason(planner, problem, code, told):
    with pytest.raises(VitalError, match=told) as refusal:
        planner.plan(problem)
    assert refusal.value.code is code


def test_a_goal_walled_in_on_all_sides_fails_in_time(planner):
    x, y = SOCKET[:2]
    walls = [
        Obstacle("cage", (x + dx, y + dy, 0.28), size)
        for dx, dy, size in (
            (0.15, 0.0, (0.01, 0.3, 0.56)), (-0.15, 0.0, (0.01, 0.3, 0.56)),
            (0.0, 0.15, (0.3, 0.01, 0.56)), (0.0, -0.15, (0.3, 0.01, 0.56)),
        )
    ]  # fmt: skip
    with pytest.raises(VitalError) as refusal:
        planner.plan(reach(start=joints_at((0.45, 0.22, 0.25)), obstacles=[TABLE, *walls]))
    assert refusal.value.code in (ErrorCode.PLAN_FAILED, ErrorCode.IN_COLLISION)


def test_a_search_that_is_cancelled_ends_long_before_its_budget(planner):
    start = joints_at((0.45, 0.21, 0.22))
    problem = reach(np.array([0.45, -0.06, 0.035]), start, 0, (TABLE, *WALLS, PILLAR))
    asked = iter(range(10**9))
    began_s = time.monotonic()
    with pytest.raises(VitalError, match="the arm has not moved") as refusal:
        planner.plan(problem, lambda: next(asked) > 20)
    assert refusal.value.code is ErrorCode.CANCELLED and time.monotonic() - began_s < 4.0


class Stuck:
    """A planner that never asks whether it is still wanted."""

    def __init__(self) -> None:
        self.ended, self.calls = threading.Event(), 0

    def plan(self, problem, cancelled):
        self.calls += 1
        assert self.ended.wait(30.0)
        return "a plan"


def test_nobody_waits_for_a_plan_that_was_dropped_and_the_next_waits_for_its_end():
    stuck, cancelled = Stuck(), threading.Event()
    planner = DroppablePlanner(stuck)
    threading.Timer(0.1, cancelled.set).start()
    with pytest.raises(VitalError) as refusal:
        planner.plan(reach(), cancelled.is_set)
    assert refusal.value.code is ErrorCode.CANCELLED and not stuck.ended.is_set()
    threading.Timer(0.1, stuck.ended.set).start()
    assert planner.plan(reach(), lambda: False) == "a plan" and stuck.calls == 2


def test_what_a_planner_refuses_comes_through():
    with pytest.raises(VitalError) as refusal:
        DroppablePlanner(EmbeddedPlanner()).plan(reach(np.array([0.9, 0.0, 0.03])), lambda: False)
    assert refusal.value.code is ErrorCode.OUTSIDE_WORKSPACE


def test_shapes_that_always_touch_are_not_checked():
    scene = CollisionScene(RobotModel(), (TABLE,), tip_offset_m=TASK.tip_offset_m)
    rng, counts, n = np.random.default_rng(0), {}, 300
    for q in rng.uniform(LOWER_RAD, UPPER_RAD, (n, 7)):
        for pair in scene.touching(q):
            counts[pair] = counts.get(pair, 0) + 1
    assert max(counts.values()) < n / 3
    assert scene.touching(HOME_RAD) == []


def test_a_hand_folded_back_onto_the_forearm_is_a_collision():
    scene = CollisionScene(RobotModel(), (), tip_offset_m=TASK.tip_offset_m)
    assert scene.touching([0.0, 0.0, 0.0, 2.4, 0.0, -1.5, 0.0]) == [("link4", "link7")]
    assert not scene.in_collision([0.0, 0.0, 0.0, 2.4, 0.0, 0.0, 0.0])


def test_the_margin_counts_as_touching():
    above = Obstacle("plate", (0.4, 0.0, 0.30), (0.2, 0.2, 0.02))  # the held object's tip is at 0.315 m
    scene = CollisionScene(RobotModel(), (above,), tip_offset_m=TASK.tip_offset_m)
    assert not scene.in_collision(HOME_RAD)
    scene.margin_m = 0.010
    assert scene.touching(HOME_RAD) == [("held_object", "plate")]
