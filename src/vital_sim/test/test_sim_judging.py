"""Success and failure at their edges: what the task's figures ask for is what world and environment call it."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from vital_core import pose as pose_of
from vital_core.arm import kinematics
from vital_core.task import load_task, task_names
from vital_sim.gym.env import VitalEnv
from vital_sim.gym.outcome import SUCCESS_HELD_S, Judge, Outcome
from vital_sim.world.fixtures import CARD_READER
from vital_sim.world.variation import EXACT
from vital_sim.world.world import World, WorldConfig

INSERTIONS = tuple(name for name in task_names() if load_task(name).skill == "insert")
EDGE_M = 2e-5
STILL = np.array([0, 0, 0, 0, 0, 0, 1.0])
angles = st.floats(-3.1, 3.1)


@pytest.fixture(scope="module")
def worlds():
    return {name: World(load_task(name), config=WorldConfig(variation=EXACT)) for name in task_names()}


@pytest.fixture(scope="module")
def env():
    made = VitalEnv("usb_insertion", config=WorldConfig(variation=EXACT), dense=True)
    yield made
    made.close()


def put_target(world, tip_in_target_m, yaw_rad=0.0):
    """Lay the target where the tip is at (3,) in the target's frame; nothing moves."""
    turn = pose_of.from_vector(np.zeros(3), (0.0, 0.0, yaw_rad))[:3, :3]
    world.place_target(world.site_pose("tip")[:3, 3] - turn @ np.asarray(tip_in_target_m), yaw_rad)


@pytest.mark.parametrize("task", INSERTIONS)
@given(depth_m=st.floats(-0.02, 0.02), lateral_m=st.floats(0.0, 0.004), around=angles, yaw=angles)
@settings(max_examples=40, deadline=None)
def test_insertion_succeeds_from_its_depth_on_within_its_lateral_error(worlds, task, depth_m, lateral_m, around, yaw):
    world = worlds[task]
    goal_m, most_m = world.task.success_depth_m, world.task.success_lateral_m
    assume(abs(depth_m - goal_m) > EDGE_M and abs(lateral_m - most_m) > EDGE_M)
    world.reset(0)
    put_target(world, [lateral_m * np.cos(around), lateral_m * np.sin(around), -depth_m], yaw)
    truth = world.truth()
    assert truth.depth_m == pytest.approx(depth_m, abs=1e-9)
    assert truth.lateral_m == pytest.approx(lateral_m, abs=1e-9)
    assert truth.success == (depth_m > goal_m and lateral_m < most_m)


@pytest.mark.parametrize("task", INSERTIONS)
def test_insertion_succeeds_at_its_edges(worlds, task):
    world = worlds[task]
    goal_m, most_m = world.task.success_depth_m, world.task.success_lateral_m
    for deeper_m, aside_m, success in ((1, -1, True), (-1, -1, False), (1, 1, False)):
        world.reset(0)
        put_target(world, [most_m + aside_m * EDGE_M, 0.0, -goal_m - deeper_m * EDGE_M])
        assert world.truth().success is success


@given(st.floats(-0.05, 0.05), st.floats(-0.002, 0.002), st.floats(0.0, 0.012), angles)
@settings(max_examples=40, deadline=None)
def test_card_in_the_slot_that_has_not_been_drawn_has_not_been_swiped(worlds, along_m, aside_m, depth_m, yaw):
    world = worlds["card_swipe"]
    world.reset(0)
    put_target(world, [along_m, aside_m, -depth_m], yaw)
    truth = world.truth()
    assert not truth.success and truth.travel_m == 0.0
    assert truth.lateral_m == pytest.approx(abs(aside_m), abs=1e-9)


def test_cards_travel_counts_from_where_it_entered(worlds):
    """The reader is drawn along under the card: only what is in the slot, deep enough, counts."""
    world, task = worlds["card_swipe"], load_task("card_swipe")
    world.reset(0)
    low, travels = -task.success_depth_m - 0.002, []
    for ahead_m, height_m in ((-0.02, low), (0.005, low), (0.025, low), (0.025, 0.01), (0.030, low)):
        put_target(world, [CARD_READER.entry_m + ahead_m, 0.0, height_m])
        world.advance(world.model.opt.timestep)
        travels.append(world.truth().travel_m)
    assert travels == pytest.approx([0.0, 0.0, 0.02, 0.0, 0.0], abs=1e-5)


@given(st.floats(0.0, 0.2))
@settings(max_examples=30, deadline=None)
def test_block_has_travelled_as_far_as_it_was_lifted(worlds, lifted_m):
    world = worlds["pick_block"]
    world.reset(0)
    joint = world.data.joint("block")
    joint.qpos[2] += lifted_m
    world.advance(world.model.opt.timestep)
    assert world.truth().travel_m == pytest.approx(lifted_m, abs=1e-4)


def start(env, tip_in_target_m):
    env.reset(seed=0)
    put_target(env.world, tip_in_target_m)
    return env.world.site_pose("target_opening")


def ends(env, before_s=0.05):
    """The last step of an episode."""
    env.world.data.time = env.task.episode_s - before_s
    return env.step(STILL)


def test_success_is_called_when_it_has_lasted_and_not_before(env):
    start(env, [0.0, 0.0, -env.task.success_depth_m - 0.0005])
    steps = 1 + int(np.ceil(SUCCESS_HELD_S / env.task.period_s - 1e-6))
    first_s = env.world.time_s + env.task.period_s
    outcomes = []
    for _ in range(steps):
        _, reward, terminated, truncated, info = env.step(STILL)
        assert info["success"] and not truncated
        outcomes.append((info["outcome"], terminated, reward > 0.5))
    assert outcomes == [("running", False, False)] * (steps - 1) + [("success", True, True)]
    assert env.world.time_s - first_s == pytest.approx(SUCCESS_HELD_S, abs=1e-3)


@pytest.mark.parametrize(
    ("tip_m", "outcome"),
    [
        ([0.0, 0.0, -0.004], "jammed"),
        ([0.0, 0.0, 0.02], "time_out"),
        ([0.05, 0.0, 0.03], "time_out"),
    ],
)
def test_end_of_the_time_tells_where_the_tip_is(env, tip_m, outcome):
    start(env, tip_m)
    _, reward, terminated, truncated, info = ends(env)
    assert (terminated, truncated, info["outcome"]) == (False, True, outcome)
    assert reward == -info["distance_m"]


def test_episode_that_touched_the_rim_and_stayed_out_has_missed(env):
    start(env, [0.004, 0.0, 0.003])
    for _ in range(3):
        *_, info = env.step(np.array([0, 0, 0.003, 0, 0, 0, 1.0]))
    assert info["contact_force_n"] > 1.0 and info["outcome"] == "running"
    *_, truncated, info = ends(env)
    assert truncated and info["outcome"] == "missed"


def test_success_that_has_not_lasted_when_the_time_is_over_is_none(env):
    start(env, [0.0, 0.0, -env.task.success_depth_m - 0.0005])
    _, reward, terminated, truncated, info = ends(env)
    assert info["success"] and (terminated, truncated) == (False, True)
    assert info["outcome"] == "late" and reward <= 0.0


def judged(world, *tips_in_target_m, table_m=None):
    """What an episode comes to that ends with the last of these states; a block's table is so far below it."""
    judge, task = Judge(world.task), world.task
    for number, tip_m in enumerate(tips_in_target_m):
        world.reset(0)
        put_target(world, tip_m)
        if table_m is not None:
            raise_block(world, table_m[number])
        time_s = task.episode_s - 0.1 * (len(tips_in_target_m) - 1 - number)
        outcome = judge.see(world.truth(), time_s, inside=world.inside(), field_ut=0.0, dropped=False)
    return outcome


def raise_block(world, height_m):
    """The block stays, and counts as lifted by so much."""
    where_m = world.site_pose("target_opening")[:3, 3]
    world.place_target(where_m - [0.0, 0.0, height_m], 0.0)
    world.data.joint("block").qpos[2] += height_m
    world.advance(world.model.opt.timestep)


IN_HAND = -0.027


@pytest.mark.parametrize(
    ("tips_m", "lifted_m", "outcome"),
    [
        ([(0.013, 0.0, IN_HAND)], [0.18], Outcome.ASKEW),  # hangs 18 cm in the air, 13 mm aside
        ([(0.0, 0.0, IN_HAND)], [0.18], Outcome.LATE),
        ([(0.0, 0.0, IN_HAND)], [0.03], Outcome.NOT_LIFTED),
        ([(0.02, 0.0, IN_HAND)], [0.0], Outcome.NOT_LIFTED),
        ([(0.0, 0.0, IN_HAND), (0.0, 0.0, 0.05)], [0.03, 0.0], Outcome.SLIPPED_OUT),
        ([(0.03, 0.0, IN_HAND)], [0.0], Outcome.TIME_OUT),  # beside it
    ],
)
def test_how_a_block_was_not_picked(worlds, tips_m, lifted_m, outcome):
    assert judged(worlds["pick_block"], *tips_m, table_m=lifted_m) is outcome


ENTRY_M = CARD_READER.entry_m
LOW = -load_task("card_swipe").success_depth_m - 0.002


@pytest.mark.parametrize(
    ("tips_m", "outcome"),
    [
        ([(ENTRY_M + 0.02, 0.0, LOW)], Outcome.JAMMED),
        ([(ENTRY_M + 0.2, 0.0, LOW)], Outcome.TIME_OUT),  # 20 cm beyond its reader, where it has never been in
        ([(ENTRY_M + 0.02, 0.0, LOW), (ENTRY_M + 0.2, 0.0, LOW)], Outcome.SLIPPED_OUT),
        ([(ENTRY_M + 0.02, 0.0, LOW), (ENTRY_M + 0.02, 0.0, 0.02)], Outcome.SLIPPED_OUT),
        ([(ENTRY_M - 0.01, 0.0, LOW)], Outcome.TIME_OUT),
        ([(ENTRY_M + 0.0002, 0.0, LOW), (ENTRY_M - 0.0002, 0.0, LOW)], Outcome.TIME_OUT),  # leans on its front
    ],
)
def test_how_a_card_was_not_swiped(worlds, tips_m, outcome):
    assert judged(worlds["card_swipe"], *tips_m) is outcome


@pytest.mark.parametrize("task", INSERTIONS)
@pytest.mark.parametrize(
    ("tips_m", "outcome"),
    [
        ([(0.0, 0.0, -0.004)], Outcome.JAMMED),
        ([(0.0, 0.0, -0.004), (0.0, 0.0, 0.02)], Outcome.SLIPPED_OUT),
        ([(0.0, 0.0, 0.02)], Outcome.TIME_OUT),
        ([(0.05, 0.0, -0.004)], Outcome.TIME_OUT),  # beside the housing
    ],
)
def test_how_an_insertion_failed(worlds, task, tips_m, outcome):
    assert judged(worlds[task], *tips_m) is outcome


def test_who_has_no_patience_ends_an_episode_when_what_was_in_stays_out():
    env = VitalEnv("usb_insertion", config=WorldConfig(variation=EXACT), patience_s=0.5)
    try:
        start(env, [0.0, 0.0, -0.004])
        for heights_m in ([-0.004], [0.02, 0.02], [-0.004], [0.02, 0.02]):  # back in within the half second
            for height_m in heights_m:
                put_target(env.world, [0.0, 0.0, height_m])
                _, reward, terminated, truncated, info = env.step(STILL)
                assert (terminated, truncated, info["outcome"], reward) == (False, False, "running", 0.0)
        put_target(env.world, [0.0, 0.0, 0.02])
        _, reward, terminated, truncated, info = env.step(STILL)
        assert (terminated, truncated, info["outcome"], reward) == (True, False, "slipped_out", 0.0)
        start(env, [0.0, 0.0, 0.02])  # it was never in: it has its time
        for _ in range(5):
            *_, terminated, truncated, info = env.step(STILL)
            assert (terminated, truncated) == (False, False)
    finally:
        env.close()


@pytest.mark.parametrize("patience_s", [0.0, -1.0, float("nan")])
def test_patience_is_a_time(patience_s):
    with pytest.raises(ValueError, match="patience_s"):
        Judge(load_task("card_swipe"), patience_s)


@given(st.tuples(*[st.floats(-0.05, 0.05)] * 2, st.floats(0.02, 0.1)))
@settings(max_examples=15, deadline=None)
def test_distance_is_along_the_targets_axes_to_where_the_tip_is_fully_in(env, tip_m):
    start(env, tip_m)
    *_, info = env.step(STILL)
    truth = env.world.truth()
    x, y, z = (pose_of.inverse(truth.t_base_target) @ truth.t_base_tip)[:3, 3]
    assert info["distance_m"] == pytest.approx(abs(x) + abs(y) + abs(z + env.task.success_depth_m), abs=1e-9)


@pytest.mark.parametrize(("gripper", "accepted"), [(1.04, True), (1.06, False), (-0.06, False)])
def test_gripper_a_little_beyond_its_stroke_means_the_end_of_it(env, gripper, accepted):
    start(env, [0.0, 0.0, 0.05])
    *_, info = env.step(np.array([*STILL[:6], gripper]))
    assert ("expected 0 (open) to 1 (closed)" in info["refused"]) != accepted
    assert env.world.gripper_closed == 1.0


def test_action_out_of_the_box_is_carried_out_along_it(env):
    env.reset(seed=0)
    edge_m = env.task.workspace_upper_m[1]
    env.world.place_tcp(pose_of.point_down([0.45, edge_m - 0.005, 0.2]))
    before = env.world.t_base_tcp()
    # The hand points down: its y is the base's, turned round.
    *_, info = env.step(np.array([0.01, -0.02, 0, 0, 0, 0, 1.0]))
    assert info["refused"] == "" and info["projected_m"] == pytest.approx(0.0155, abs=2e-4)
    sent = kinematics.forward(env.world.commanded_joints)
    np.testing.assert_allclose((sent - before)[:2, 3], [0.01, 0.0045], atol=2e-4)
    np.testing.assert_allclose(info["executed"], [0.01, -0.0045, 0, 0, 0, 0, 1.0], atol=2e-4)
    *_, info = env.step(np.array([0, 0.02, 0, 0, 0, 0, 1.0]))
    assert info["refused"] == "" and info["projected_m"] == 0.0
    np.testing.assert_allclose(info["executed"], [0, 0.02, 0, 0, 0, 0, 1.0], atol=1e-7)


def test_an_arm_outside_the_box_may_come_nearer_alone(env):
    env.reset(seed=0)
    edge_m = env.task.workspace_upper_m[1]
    env.world.place_tcp(pose_of.point_down([0.45, edge_m + 0.025, 0.2]))
    # The hand points down: its y is the base's, turned round.
    for sideways_m, word in ((-0.02, "the box of usb_insertion"), (0.02, "")):
        before = env.world.t_base_tcp()
        *_, info = env.step(np.array([0, sideways_m, 0, 0, 0, 0, 1.0]))
        assert word in info["refused"] and bool(word) == bool(info["refused"])
        moved_m = pose_of.distance(before, env.world.t_base_tcp())[0]
        assert (moved_m > 0.01) == (not word)


@pytest.mark.parametrize("task", task_names())
@given(seed=st.integers(0, 2**31 - 1))
@settings(max_examples=5, deadline=None)
def test_no_episode_begins_done(worlds, task, seed):
    world = worlds[task]
    world.begin(seed)
    truth = world.truth()
    assert not truth.success and not world.dropped and truth.penetration_m < 1e-4
    assert truth.depth_m < 0.0 or task == "card_swipe"
