"""What stands on the table, from depth: nothing that is there is missed, the arm and the target are left out."""

from dataclasses import replace
from functools import partial

import depth_scenes
import numpy as np
import pytest
from depth_scenes import upright
from hypothesis import given, settings
from hypothesis import strategies as st

from vital_core import pose as pose_of
from vital_core.arm import kinematics
from vital_core.arm.xarm7 import HOME_RAD
from vital_core.errors import ErrorCode, VitalError
from vital_core.task import load_task
from vital_vlm_reach.localisation.camera import Camera
from vital_vlm_reach.obstacles.arm_shapes import ArmShapes
from vital_vlm_reach.obstacles.height_map import TABLE_M, TOP_M, UNSEEN_TOP_M, Area, DepthView, height_map
from vital_vlm_reach.obstacles.rehearsal import CrowdedTable
from vital_vlm_reach.obstacles.seen_obstacles import boxes, seen_obstacles, table_top
from vital_vlm_reach.planning.embedded_planner import EmbeddedPlanner
from vital_vlm_reach.planning.planner import ReachProblem
from vital_vlm_reach.planning.robot_model import CollisionScene, Obstacle, RobotModel
from vital_vlm_reach.start_pose import sample_start_pose

TASK = load_task("usb_insertion")
AREA = Area.of_task(TASK)
ROBOT = RobotModel()
CAMERA = Camera(320, 240, np.array([[305.0, 0, 160], [0, 305.0, 120], [0, 0, 1]]))
# In front of the table, looking down at its middle by some 45 degrees.
T_BASE_CAMERA = pose_of.from_rpy((1.05, 0.0, 0.60), (np.deg2rad(-135), 0.0, np.pi / 2))
TARGET = np.array([0.45, 0.0, 0.035])
PROBLEM = ReachProblem(TASK, HOME_RAD, sample_start_pose(TASK, upright(TARGET), 1), TARGET)


def nothing(points_m: np.ndarray) -> np.ndarray:
    return np.zeros(len(points_m), bool)


def depth_of(things, t_base_camera=T_BASE_CAMERA) -> np.ndarray:
    return depth_scenes.depth_of(things, CAMERA, t_base_camera)


def view_of(*things) -> DepthView:
    return DepthView(depth_of(things), CAMERA, T_BASE_CAMERA)


def covered(point_m, obstacles) -> bool:
    return any((np.abs(np.subtract(point_m, o.centre_m)) <= np.array(o.size_m) / 2 + 1e-9).all() for o in obstacles)


def thing(x, y, width, depth, height) -> Obstacle:
    return Obstacle("thing", (x, y, height / 2), (width, depth, height))


things = st.builds(
    thing, st.floats(0.3, 0.6), st.floats(-0.2, 0.2), st.floats(0.02, 0.12), st.floats(0.02, 0.12),
    st.floats(0.03, 0.30),
)  # fmt: skip


@given(st.lists(things, min_size=1, max_size=4), st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_every_point_of_what_stands_there_is_in_an_obstacle(stands, seed):
    seen = (table_top(AREA), *boxes(height_map(view_of(*stands), AREA, nothing), AREA))
    rng = np.random.default_rng(seed)
    for one in stands:
        for share in rng.uniform(-0.5, 0.5, (40, 3)):
            point = np.array(one.centre_m) + share * one.size_m
            if (point[:2] > AREA.lower_m).all() and (point[:2] < AREA.upper_m).all():
                assert covered(point, seen), (one, point)


def test_an_empty_table_is_free_where_it_is_seen():
    heights = height_map(view_of(), AREA, nothing)
    centres = AREA.centres_m().reshape(*AREA.cells, 2)
    inside = (centres >= np.array(TASK.workspace_lower_m[:2])).all(-1)
    inside &= (centres <= np.array(TASK.workspace_upper_m[:2])).all(-1)
    assert heights[inside].max() == 0.0


def test_what_a_thing_hides_counts_as_part_of_it_and_no_more():
    box = thing(0.45, 0.0, 0.05, 0.05, 0.20)
    heights = height_map(view_of(box), AREA, nothing)
    row = heights[:, AREA.cells[1] // 2]
    x = AREA.lower_m[0] + 0.015 * (np.arange(len(row)) + 0.5)
    behind = (x < 0.42) & (x > 0.24)
    # The line of sight over the far edge of the box: where it comes down is the end of what is hidden.
    slope = (0.60 - 0.20) / (1.05 - 0.425)
    hidden = 0.20 - slope * (0.425 - x[behind])
    assert (row[behind] >= np.minimum(hidden, 0.2) - 0.011).all()
    assert (row[behind] <= np.maximum(hidden, 0.0) + 0.045).all()
    assert (row[x > 0.50] == 0.0).all()


def test_where_nothing_was_read_a_thing_of_bounded_height_is_taken_to_stand():
    depth = depth_of([])
    depth[:, :160] = 0
    heights = height_map(DepthView(depth, CAMERA, T_BASE_CAMERA), AREA, nothing)
    x = AREA.cells[0] // 2
    assert UNSEEN_TOP_M < heights[x, 0] < UNSEEN_TOP_M + 0.03 or heights[x, -1] > UNSEEN_TOP_M
    assert heights[x].min() == 0.0 and heights.max() < TOP_M


def test_speckles_without_a_reading_hide_nothing():
    depth = depth_of([])
    rng = np.random.default_rng(5)
    depth[rng.random(depth.shape) < 0.05] = 0
    centre = height_map(DepthView(depth, CAMERA, T_BASE_CAMERA), AREA, nothing)[10:-10, 10:-10]
    assert centre.max() == 0.0


def test_stray_readings_are_no_thing():
    depth = depth_of([])
    depth[120, 160] = 700
    assert height_map(DepthView(depth, CAMERA, T_BASE_CAMERA), AREA, nothing)[10:-10, 10:-10].max() < 0.06


@given(st.lists(st.floats(0.0, 0.5), min_size=12, max_size=12))
@settings(max_examples=60, deadline=None)
def test_boxes_cover_every_cell_to_its_height(values):
    area = Area((0.3, 0.0), (0.3 + 4 * 0.015, 3 * 0.015))
    heights = np.reshape(values, (4, 3))
    found = list(boxes(heights, area))
    for (i, k), height in np.ndenumerate(heights):
        if height > TABLE_M:
            centre = area.centres_m().reshape(4, 3, 2)[i, k]
            assert covered((*centre, height), found) and covered((*centre, 0.0), found)
    assert len({o.name for o in found}) == len(found) <= 12
    lows = [o for o in found if o.size_m[2] > heights.max() + 0.04]
    assert not lows


@pytest.fixture(scope="module")
def table() -> CrowdedTable:
    return CrowdedTable(TASK)


def test_arm_and_held_object_are_left_out_wherever_the_arm_is(table):
    for seed in range(6):
        problem, _ = table.set_out(seed, 0)
        arm = ArmShapes(ROBOT, problem.start_rad, TASK.tip_offset_m)
        view = table.look()
        heights = height_map(view, AREA, partial(arm.within, distance_m=0.025))
        seen = seen_obstacles(view, TASK, problem.start_rad, ROBOT, problem.keep_out)
        scene = CollisionScene(ROBOT, seen, tip_offset_m=TASK.tip_offset_m)
        assert scene.touching(problem.start_rad) == []
        assert heights.max() <= UNSEEN_TOP_M + 0.03, "nothing stands there: only what the arm hides may count"


def test_the_target_in_its_column_is_left_out_and_a_thing_on_it_is_not(table):
    problem, _ = table.set_out(3, 0)
    seen = seen_obstacles(table.look(), TASK, problem.start_rad, ROBOT, problem.keep_out)
    above = (*problem.target_m[:2], problem.target_m[2] + 0.015)
    assert not covered(above, seen)
    tall = thing(*problem.target_m[:2], 0.05, 0.05, 0.15)
    view = DepthView(depth_of([tall]), CAMERA, T_BASE_CAMERA)
    assert covered((*problem.target_m[:2], 0.12), seen_obstacles(view, TASK, HOME_RAD, ROBOT, problem.keep_out))


def test_points_near_the_arm_are_told_from_others():
    arm = ArmShapes(ROBOT, HOME_RAD, TASK.tip_offset_m)
    tcp = kinematics.forward(HOME_RAD)[:3, 3]
    points = np.add(tcp, [[0, 0, 0], [0, 0, -0.035], [0, 0, -0.07], [0, 0, 0.12], [0.2, 0, 0]])
    assert arm.within(points, 0.01).tolist() == [True, True, False, True, False]


def test_a_card_that_is_held_out_ahead_is_no_thing_in_the_way():
    """It was, 360 mm high, and no card was ever brought to its reader."""
    card = load_task("card_swipe")
    t_base_tcp = kinematics.forward(HOME_RAD)
    ahead = (t_base_tcp @ [card.tip_forward_m, 0.0, card.tip_offset_m, 1.0])[:3]
    beyond = (t_base_tcp @ [card.tip_forward_m + 0.05, 0.0, 0.0, 1.0])[:3]
    arm = ArmShapes(ROBOT, HOME_RAD, card.tip_offset_m, card.tip_forward_m)
    assert arm.within(np.array([ahead, beyond]), 0.01).tolist() == [True, False]


@pytest.mark.parametrize(
    ("depth", "code", "told"),
    [
        (np.zeros((240, 320), np.uint16), ErrorCode.NO_DEPTH, "0 % of the depth image"),
        (np.full((120, 320), 800, np.uint16), ErrorCode.BAD_OBSERVATION, "aligned"),
        (depth_of([], pose_of.from_rpy((1.05, 0.0, 0.57), (np.deg2rad(-135), 0.0, np.pi / 2))),
         ErrorCode.NO_CALIBRATION, r"the table \+3\d mm from where"),
    ],
)  # fmt: skip
def test_what_cannot_tell_what_stands_there_is_refused(depth, code, told):
    with pytest.raises(VitalError, match=told) as refusal:
        seen_obstacles(DepthView(depth, CAMERA, T_BASE_CAMERA), TASK, HOME_RAD, ROBOT, PROBLEM.keep_out)
    assert refusal.value.code is code


@pytest.mark.parametrize("count", [0, 3, 6])
def test_no_planned_motion_comes_near_what_stands_there(table, count):
    planner = EmbeddedPlanner()
    trials = [table.rehearse(planner, seed, count) for seed in range(4)]
    found = [trial for trial in trials if trial.code is ErrorCode.OK]
    assert len(found) >= 3, trials
    assert all(trial.clearance_m > 0.005 for trial in found)


@pytest.mark.slow
def test_no_collision_in_two_hundred_crowded_scenes(table):
    planner = EmbeddedPlanner()
    trials = [table.rehearse(planner, seed, count) for count in (3, 6) for seed in range(100, 200)]
    found = [trial for trial in trials if trial.code is ErrorCode.OK]
    assert min(trial.clearance_m for trial in found) > 0.005
    assert len(found) >= 170
    assert {trial.code for trial in trials} <= {ErrorCode.OK, ErrorCode.IN_COLLISION, ErrorCode.PLAN_FAILED}


def test_a_plan_goes_over_what_stands_between(table):
    start = kinematics.solve(pose_of.point_down((0.45, 0.22, 0.18)), HOME_RAD)
    wall = thing(0.45, 0.13, 0.2, 0.02, 0.16)
    seen = seen_obstacles(view_of(wall), TASK, start, ROBOT, PROBLEM.keep_out)
    problem = replace(PROBLEM, start_rad=start, seen=seen)
    plan = EmbeddedPlanner().plan(problem)
    scene = CollisionScene(ROBOT, [wall], tip_offset_m=TASK.tip_offset_m)
    assert plan.how == "over" and min(scene.clearance_m(q) for q in plan.motion.sampled(0.005)) > 0.005
