"""What an error costs, which frames are drawn, and what the held-out scores tell."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vital_core import pose as pose_of
from vital_data.dataset.normalisation import Normaliser
from vital_policy.cloning.held_out import DIMENSIONS, PHASES, line_of, phases_of, r_squared, scores
from vital_policy.cloning.loss import (
    GRIPPER,
    LEAST_DEVIATION,
    Loss,
    action_groups,
    at_tip,
    chunk_loss,
    no_motion,
    relative_weights,
    variance_weights,
)
from vital_policy.cloning.sampling import draw_frames, motion_odds
from vital_policy.cloning.trainer import TrainConfig
from vital_policy.precision import PRECISIONS, fastest_precision

INSERTION = ((0, 1), (2,), (3, 4, 5), (6,))
FLOOR = 0.08


def one_way_normaliser(axis: int = 2, reach_m: float = -0.02) -> Normaliser:
    """Of a task that moves only one way along an axis, as down into a socket: no motion is at its range's end."""
    actions = np.zeros((50, 7))
    actions[:, axis] = np.linspace(0.0, reach_m, 50)
    actions[:, 6] = 1.0
    return Normaliser.fit(actions, np.zeros((50, 15)))


def of_motion(normaliser: Normaliser, motion: np.ndarray) -> torch.Tensor:
    """(1, K, 7) normalised actions of (K, 7) in m, rad, with the gripper as the demonstrations have it."""
    return torch.from_numpy(normaliser.normalise_actions(motion))[None]


def test_loss_leaves_out_what_is_masked():
    target, predicted = torch.zeros(2, 3, 7), torch.zeros(2, 3, 7)
    predicted[:, 2] = 100.0
    predicted[0, 0] = 1.0
    mask = torch.tensor([[True, True, False], [True, True, False]])
    assert chunk_loss(predicted, target, mask).item() == pytest.approx(0.25)


@given(st.integers(0, 2), st.sampled_from([-0.02, 0.02, 0.004]))
@settings(deadline=None)
def test_a_hand_at_rest_weighs_most_in_every_direction_also_where_the_task_moves_only_one_way(axis, reach_m):
    normaliser = one_way_normaliser(axis, reach_m)
    still = np.zeros((4, 7))
    still[:, 6] = 1.0
    weights = relative_weights(
        of_motion(normaliser, still), torch.ones(1, 4, dtype=torch.bool), no_motion(normaliser), FLOOR, INSERTION
    )
    assert weights.shape == (1, 1, 7)
    torch.testing.assert_close(weights, torch.full((1, 1, 7), 1.0 / FLOOR**2))


def test_half_a_slow_motion_missed_costs_what_half_a_fast_one_does_in_metres():
    normaliser, mask = one_way_normaliser(), torch.ones(1, 4, dtype=torch.bool)
    cost = []
    for step_m in (-0.016, -0.004):
        motion, short = np.zeros((4, 7)), np.zeros((4, 7))
        motion[:, 2], short[:, 2] = step_m, 0.5 * step_m
        target, predicted = of_motion(normaliser, motion), of_motion(normaliser, short)
        weights = relative_weights(target, mask, no_motion(normaliser), 0.01, INSERTION)
        cost.append(chunk_loss(predicted, target, mask, weights).item())
    assert cost[0] == pytest.approx(cost[1], rel=0.02)


def test_relative_weights_know_no_padding():
    target = torch.zeros(1, 2, 7)
    target[0, 1] = 1.0
    weights = relative_weights(target, torch.tensor([[True, False]]), torch.zeros(7), 0.1, INSERTION)
    assert torch.allclose(weights, torch.tensor(100.0))


def test_no_motion_is_zero_metres_and_radians_whatever_the_range():
    normaliser = one_way_normaliser()
    restored = normaliser.restore_actions(no_motion(normaliser).numpy())
    np.testing.assert_allclose(restored[:GRIPPER], 0.0, atol=1e-9)
    assert restored[GRIPPER] == pytest.approx(1.0)


def test_the_direction_of_most_motion_is_weighed_by_itself():
    actions = torch.full((4, 3, 7), 0.001)
    mask = torch.ones(4, 3, dtype=torch.bool)
    actions[:, :2, 0] = 0.007
    assert action_groups(actions, mask) == ((1, 2), (0,), (3, 4, 5), (6,))
    actions[:, 2, 2] = 0.05
    assert action_groups(actions, mask) == INSERTION
    mask[:, 2] = False
    assert action_groups(actions, mask) == ((1, 2), (0,), (3, 4, 5), (6,))


def test_under_variance_the_mean_costs_one_in_every_dimension_that_moves():
    torch.manual_seed(0)
    target = torch.randn(400, 3, 7) * torch.tensor([0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0]) + 0.3
    mask = torch.rand(400, 3) > 0.2
    weights = variance_weights(target, mask)
    error = (target - target[mask].mean(0)).square() * weights
    torch.testing.assert_close(error[mask].mean(0), torch.ones(7), rtol=1e-4, atol=1e-4)


def test_a_dimension_that_stands_still_is_not_blown_up():
    weights = variance_weights(torch.zeros(9, 2, 7), torch.ones(9, 2, dtype=torch.bool))
    torch.testing.assert_close(weights, torch.full((7,), 1.0 / LEAST_DEVIATION**2))


def test_a_hand_that_turns_about_its_tip_does_not_move_it():
    tip_m, angle = (0.0756, 0.0, 0.035), 0.02
    turned = pose_of.rotation_matrix([0.0, 0.0, angle])
    way = np.asarray(tip_m) - turned @ tip_m
    action = torch.tensor([*way, 0.0, 0.0, angle, 1.0], dtype=torch.float64)
    moved = at_tip(action, tip_m)
    assert moved[:3].abs().max() < 2e-5 < 1e-3 < action[:3].abs().max()
    torch.testing.assert_close(moved[3:], action[3:])
    torch.testing.assert_close(at_tip(action, (0.0, 0.0, 0.0)), action)


def test_at_the_tip_the_mean_costs_one_in_every_dimension_that_moves():
    torch.manual_seed(0)
    target = at_tip(
        torch.randn(400, 3, 7) * torch.tensor([0.002, 0.004, 0.002, 0.03, 0.04, 0.05, 0.2]), (0.07, 0.0, 0.03)
    )
    mask = torch.rand(400, 3) > 0.2
    error = (target - target[mask].mean(0)).square() * variance_weights(target, mask, torch.full((7,), 0.01))
    torch.testing.assert_close(error[mask].mean(0), torch.ones(7), rtol=1e-4, atol=1e-4)


def test_who_does_not_know_answers_the_mean_under_variance_and_stands_still_under_relative():
    """One frame, two answers a demonstrator gives alike often: stay, or go 0.5. The bias that `loss` tells of."""
    target = torch.zeros(2, 1, 7)
    target[1, 0, 2] = 0.5
    mask = torch.ones(2, 1, dtype=torch.bool)

    def best(weights) -> float:
        answers = torch.linspace(-0.1, 0.6, 701)
        cost = [chunk_loss(torch.full((2, 1, 7), 0.0) + a * torch.eye(7)[2], target, mask, weights) for a in answers]
        return float(answers[torch.stack(cost).argmin()])

    assert best(variance_weights(target, mask)) == pytest.approx(0.25, abs=2e-3)
    assert best(relative_weights(target, mask, torch.zeros(7), FLOOR, INSERTION)) < 0.02


@given(st.integers(1, 30), st.integers(0, 2**20))
@settings(deadline=None)
def test_odds_are_chances_in_proportion_to_motion_across(frames, seed):
    generator = torch.Generator().manual_seed(seed)
    motion = torch.randn(frames, 3, 7, generator=generator)
    motion[0, :, :2] = 0.0
    odds = motion_odds(motion, torch.ones(frames, 3, dtype=torch.bool), (0, 1))
    assert odds.sum().item() == pytest.approx(1.0, abs=1e-5) and (odds >= 0).all()
    assert frames == 1 or odds[0] == 0.0
    size = motion[..., :2].square().sum((1, 2)).sqrt()
    if frames > 1:
        torch.testing.assert_close(odds, size / size.sum())


def test_odds_without_any_motion_or_with_padding_alone_are_alike():
    still = motion_odds(torch.zeros(4, 2, 7), torch.ones(4, 2, dtype=torch.bool), (0, 1))
    padded = motion_odds(torch.ones(4, 2, 7), torch.zeros(4, 2, dtype=torch.bool), (0, 1))
    assert still.tolist() == padded.tolist() == [0.25] * 4


def test_so_much_of_a_batch_is_drawn_by_motion_and_the_rest_alike():
    odds = torch.zeros(1000)
    odds[7] = 1.0
    drawn = draw_frames(odds, 200, 0.25, torch.Generator().manual_seed(1))
    assert (drawn[:50] == 7).all() and (drawn[50:] == 7).sum() < 5 and len(drawn) == 200
    alike = draw_frames(odds, 200, 0.0, torch.Generator().manual_seed(1))
    wanted = torch.randint(1000, (200,), generator=torch.Generator().manual_seed(1))
    assert torch.equal(alike, wanted), "a run without a share by motion draws what it always drew"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"motion_share": 1.2}, "motion_share is 1.2, expected 0 to 1"),
        ({"precision": "half"}, "precision is 'half', expected one of float32, bfloat16"),
        ({"relative_floor": 0.0}, "relative_floor is 0.0, expected more than 0"),
    ],
)
def test_settings_that_mean_nothing_are_refused(changes, said):
    with pytest.raises(ValueError, match=said):
        TrainConfig(**changes)


def test_the_loss_is_plain_text_for_a_header():
    assert dataclasses.replace(TrainConfig(), loss=Loss.VARIANCE).to_dict()["loss"] == "variance"
    assert fastest_precision() in PRECISIONS


def test_r2_is_one_for_the_truth_nothing_for_the_mean_and_below_for_worse():
    rng = np.random.default_rng(0)
    wanted = rng.normal(0, [0.01, 0.01, 0.01, 0.1, 0.1, 0.1, 0.5], (200, 7))
    assert r_squared(wanted, wanted) == pytest.approx([1.0] * 7)
    assert r_squared(np.tile(wanted.mean(0), (200, 1)), wanted) == pytest.approx([0.0] * 7)
    assert max(r_squared(-wanted, wanted)) < -2.5


def test_what_stands_still_or_is_not_there_has_no_r2():
    wanted = np.zeros((30, 7))
    wanted[:, 2] = np.linspace(0.0, 0.01, 30)
    found = r_squared(wanted + 0.001, wanted)
    assert [value is None for value in found] == [True, True, False, True, True, True, True]
    assert r_squared(wanted[:1], wanted[:1]) == [None] * 7


@given(st.lists(st.integers(1, 40), min_size=1, max_size=4))
def test_every_episode_has_its_thirds_in_order(lengths):
    phase = phases_of(np.repeat(np.arange(len(lengths)), lengths))
    start = 0
    for length in lengths:
        ours = phase[start : start + length]
        assert (np.diff(ours) >= 0).all() and ours[0] == 0 and ours.max() <= 2
        assert length < 3 or set(np.bincount(ours, minlength=3)) <= {length // 3, length // 3 + 1}
        start += length


def test_a_dimension_that_is_known_only_at_the_end_shows_there():
    rng = np.random.default_rng(1)
    wanted = rng.normal(0, 0.01, (90, 7))
    phase = phases_of(np.zeros(90, np.int64))
    predicted = np.where((phase == 2)[:, None], wanted, 0.0)
    found = scores(predicted, wanted, phase)
    assert list(found) == list(PHASES) and list(found["all"]) == list(DIMENSIONS)
    assert found["last"]["y"] == pytest.approx(1.0) and abs(found["first"]["y"]) < 0.2
    assert "y 0." in line_of(found)
