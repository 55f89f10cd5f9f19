"""The scripted operator: buttons in their order, and episodes that a plain follower of its hand makes succeed."""

from dataclasses import replace

import numpy as np
import pytest

from vital_core import pose as pose_of
from vital_core.task import load_task
from vital_sim.demonstrator.operator import LIMIT_S, SUCCESS_HELD_S, Button, ScriptedOperator, TruthView
from vital_sim.demonstrator.rollout import PERIOD_S
from vital_sim.ros import sim_messages
from vital_sim.world.motion import track
from vital_sim.world.world import World


def at_start(task: str, seed: int) -> World:
    world = World(load_task(task))
    world.begin(seed)
    return world


@pytest.mark.parametrize("task", ["usb_insertion", "plug_in_socket"])
def test_episode_succeeds_and_ends_with_the_button(task):
    world = at_start(task, 5)
    operator = ScriptedOperator(world.task, world.truth(), 5)
    pressed, recording, jump_m = [], False, 0.0
    hand = world.t_base_tcp()
    while world.time_s < LIMIT_S + 5.0:
        gesture = operator.gesture(world.truth(), recording=recording)
        jump_m = max(jump_m, pose_of.distance(hand, gesture.t_base_hand)[0])
        hand = gesture.t_base_hand
        if gesture.button is not Button.NONE:
            pressed.append(gesture.button)
        recording = recording or gesture.button is Button.START
        if not gesture.clutch:
            break
        track(world, hand, PERIOD_S)
    assert pressed == [Button.START, Button.SUCCESS]
    assert world.truth().success
    assert jump_m < 0.004  # a hand moves at most 0.1 m/s


def test_start_is_pressed_again_until_it_is_heard():
    world = at_start("usb_insertion", 0)
    operator = ScriptedOperator(world.task, world.truth(), 0)
    gestures = [operator.gesture(world.truth(), recording=False) for _ in range(90)]
    assert sum(g.button is Button.START for g in gestures) == 3
    assert all(g.clutch and g.intended is None for g in gestures)
    assert np.ptp([g.t_base_hand[:3, 3] for g in gestures], axis=0).max() == 0.0


def test_arm_that_does_not_follow_is_a_failure():
    world = at_start("usb_insertion", 0)
    operator = ScriptedOperator(world.task, world.truth(), 0)
    gestures = [operator.gesture(world.truth(), recording=True) for _ in range(int(LIMIT_S / PERIOD_S) + 5)]
    assert [g.button for g in gestures if g.button is not Button.NONE] == [Button.FAILURE]
    assert not gestures[-1].clutch


def test_truth_survives_its_message():
    truth = at_start("plug_in_socket", 2).truth()
    back = sim_messages.truth_of(sim_messages.truth_message(truth, "plug_in_socket", 2, 1, None))
    for name, value in vars(truth).items():
        np.testing.assert_allclose(getattr(back, name), value, atol=1e-12, err_msg=name)


@pytest.fixture(scope="module")
def usb_truth():
    return at_start("usb_insertion", 1).truth()


def gestures_of(operator, truths, recording=True):
    return [operator.gesture(truth, recording=recording) for truth in truths]


def test_success_must_last_before_it_is_called(usb_truth):
    operator = ScriptedOperator(load_task("usb_insertion"), usb_truth, 0)
    lasting = int(SUCCESS_HELD_S / PERIOD_S)
    won, lost = replace(usb_truth, success=True), usb_truth
    assert all(g.button is Button.NONE for g in gestures_of(operator, [*[won] * (lasting - 1), lost] * 2))
    buttons = [g.button for g in gestures_of(operator, [won] * lasting)]
    assert buttons == [*[Button.NONE] * (lasting - 1), Button.SUCCESS]


def test_operator_lets_go_of_the_arm_once_it_is_over(usb_truth):
    operator = ScriptedOperator(load_task("usb_insertion"), usb_truth, 0)
    gestures_of(operator, [replace(usb_truth, success=True)] * 30)
    after = gestures_of(operator, [usb_truth] * 10) + gestures_of(operator, [usb_truth] * 10, recording=False)
    assert not any(g.clutch or g.button is not Button.NONE or g.intended is not None for g in after)
    assert np.ptp([g.t_base_hand[:3, 3] for g in after], axis=0).max() == 0.0


def test_intention_is_told_while_it_is_shown_and_only_then(usb_truth):
    operator = ScriptedOperator(load_task("usb_insertion"), usb_truth, 0)
    assert all(g.intended is None for g in gestures_of(operator, [usb_truth] * 5, recording=False))
    assert all(g.intended is not None and g.clutch for g in gestures_of(operator, [usb_truth] * 5))


@pytest.mark.parametrize(("task", "gripper"), [("usb_insertion", 1.0), ("pick_block", 0.0)])
def test_gripper_waits_as_the_task_begins(task, gripper):
    truth = at_start(task, 0).truth()
    waiting = ScriptedOperator(load_task(task), truth, 0).gesture(truth, recording=False)
    assert waiting.gripper == gripper


def test_same_seed_shows_the_same_episode_and_another_one_another(usb_truth):
    hands = []
    for seed in (3, 3, 4):
        operator = ScriptedOperator(load_task("usb_insertion"), usb_truth, seed)
        hands.append(np.array([g.t_base_hand for g in gestures_of(operator, [usb_truth] * 20)]))
    np.testing.assert_array_equal(hands[0], hands[1])
    assert np.abs(hands[0] - hands[2]).max() > 1e-5


def test_view_of_the_truth_is_that_of_the_world_but_for_repeatability():
    world = at_start("plug_in_socket", 3)
    view = TruthView(world.task, world.truth())
    assert view.fixture is world.fixture
    assert pose_of.distance(view.t_base_tcp(), world.t_base_tcp())[0] < 0.0005
    assert pose_of.distance(view.t_tcp_tip_at_rest(), world.t_tcp_tip_at_rest())[0] < 0.0002
