"""The scripted operator: buttons in their order, and episodes that a plain follower of its hand makes succeed."""

import numpy as np
import pytest

from vital_core import pose as pose_of
from vital_core.task import load_task
from vital_sim.demonstrator.operator import LIMIT_S, Button, ScriptedOperator
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
