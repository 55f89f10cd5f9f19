"""The one normaliser: its range, its inverse, and its limits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from vital_core import pose as pose_of
from vital_core.errors import ErrorCode, VitalError
from vital_data.dataset.normalisation import MIN_HALF_RANGE, Normaliser, moved_to, stored_normaliser

FINITE = st.floats(-1.0, 1.0, width=32)


@given(hnp.arrays(np.float64, (20, 7), elements=FINITE))
def test_normalised_actions_fit_the_range_and_come_back(actions):
    normaliser = Normaliser.fit(actions, np.zeros((2, 15)))
    normalised = normaliser.normalise_actions(actions)
    assert np.abs(normalised).max() <= 1.0
    np.testing.assert_allclose(normaliser.restore_actions(normalised), actions, atol=1e-5)
    same = Normaliser.from_dict(normaliser.to_dict())
    np.testing.assert_array_equal(same.normalise_actions(actions), normalised)


POINT_M = (0.0756, 0.0, 0.035)


@given(hnp.arrays(np.float64, (20, 7), elements=FINITE))
def test_actions_taken_apart_at_another_point_come_back_as_the_tcp_s(actions):
    normaliser = Normaliser.fit(actions, np.zeros((2, 15)), POINT_M)
    normalised = normaliser.normalise_actions(actions)
    assert np.abs(normalised).max() <= 1.0
    np.testing.assert_allclose(normaliser.restore_actions(normalised), actions, atol=1e-5)
    same = Normaliser.from_dict(normaliser.to_dict())
    np.testing.assert_array_equal(same.restore_actions(normalised), normaliser.restore_actions(normalised))


@pytest.mark.parametrize("axis", range(3))
def test_a_hand_that_turns_about_its_tip_has_no_way_there(axis):
    turn = 0.02 * np.eye(3)[axis]
    way = np.asarray(POINT_M) - pose_of.rotation_matrix(turn) @ POINT_M
    action = np.array([*way, *turn, 1.0])
    moved = moved_to(np.array(POINT_M), action)
    assert np.abs(moved[:3]).max() < 2e-5 < 4e-4 < np.abs(way).max()
    np.testing.assert_array_equal(moved[3:], action[3:])


def test_a_stored_normaliser_from_before_there_was_a_point_is_the_tcp_s():
    before = stored()
    del before["point_m"]
    np.testing.assert_array_equal(Normaliser.from_dict(before).point_m, np.zeros(3))


def test_dimension_that_never_moves_keeps_a_scale():
    normaliser = Normaliser.fit(np.ones((5, 7)), np.zeros((2, 15)))
    np.testing.assert_array_equal(normaliser.action_half_range, MIN_HALF_RANGE)
    np.testing.assert_allclose(normaliser.restore_actions(np.zeros(7)), 1.0)


def test_tactile_scale_is_three_sigma_but_at_least_100_ut():
    readings = np.zeros((1000, 15))
    readings[:, 0] = np.where(np.arange(1000) % 2, 200.0, -200.0)
    scale = Normaliser.fit(np.ones((2, 7)), readings).tactile_scale_ut
    assert scale[0] == pytest.approx(600.0) and (scale[1:] == 100.0).all()


@given(hnp.arrays(np.float64, 15, elements=st.floats(-1e6, 1e6)))
def test_normalised_tactile_is_bounded_and_keeps_its_order(field):
    normaliser = Normaliser.fit(np.ones((2, 7)), np.zeros((2, 15)))
    scaled = normaliser.normalise_tactile(field)
    assert np.abs(scaled).max() <= 3.0
    assert (np.sign(scaled[field != 0]) == np.sign(field[field != 0]))[np.abs(field[field != 0]) > 1e-3].all()


ACTIONS = hnp.arrays(np.float64, st.tuples(st.integers(2, 40), st.just(7)), elements=FINITE)
FIELDS = hnp.arrays(np.float64, st.tuples(st.integers(2, 40), st.just(15)), elements=st.floats(-500.0, 500.0, width=32))


@given(ACTIONS, FIELDS, st.integers(0, 2**32))
def test_the_order_of_the_demonstrations_does_not_matter(actions, fields, seed):
    rng = np.random.default_rng(seed)
    first, second = Normaliser.fit(actions, fields), Normaliser.fit(rng.permutation(actions), rng.permutation(fields))
    for name, values in first.to_dict().items():
        np.testing.assert_allclose(second.to_dict()[name], values, rtol=1e-9)


@given(ACTIONS, FIELDS)
def test_demonstrations_seen_twice_give_the_same_normaliser(actions, fields):
    once, twice = Normaliser.fit(actions, fields), Normaliser.fit(np.tile(actions, (2, 1)), np.tile(fields, (2, 1)))
    for name, values in once.to_dict().items():
        np.testing.assert_allclose(twice.to_dict()[name], values, rtol=1e-9)


@given(ACTIONS, st.integers(1, 39))
def test_range_over_shards_is_the_range_over_all(actions, at):
    shards = [part for part in (actions[:at], actions[at:]) if len(part)]
    parts = [Normaliser.fit(shard, np.zeros((2, 15))) for shard in shards]
    whole = Normaliser.fit(actions, np.zeros((2, 15)))
    moving = whole.action_half_range > MIN_HALF_RANGE
    low = np.min([shard.min(0) for shard in shards], axis=0)
    high = np.max([shard.max(0) for shard in shards], axis=0)
    np.testing.assert_allclose(whole.action_centre, (low + high) / 2, atol=1e-12)
    np.testing.assert_allclose(whole.action_half_range[moving], (1.1 * (high - low) / 2)[moving], rtol=1e-9)
    assert all((part.action_half_range <= whole.action_half_range + 1e-12).all() for part in parts)


@given(hnp.arrays(np.float64, (9, 7), elements=st.floats(-3.0, 3.0)), ACTIONS)
def test_what_is_beyond_the_demonstrations_comes_back_too(normalised, actions):
    normaliser = Normaliser.fit(actions, np.zeros((2, 15)))
    again = normaliser.normalise_actions(normaliser.restore_actions(normalised))
    np.testing.assert_allclose(again, normalised, atol=2e-4)


@pytest.mark.parametrize("spoilt", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("part", ["actions", "fields"])
def test_demonstrations_that_are_not_finite_give_no_normaliser(spoilt, part):
    actions, fields = np.ones((4, 7)), np.ones((4, 15))
    (actions if part == "actions" else fields)[2, 3] = spoilt
    with np.errstate(invalid="ignore"), pytest.raises(ValueError, match="finite"):
        Normaliser.fit(actions, fields)


def stored(**changes) -> dict:
    return Normaliser.fit(np.ones((5, 7)), np.zeros((2, 15))).to_dict() | changes


@pytest.mark.parametrize(
    "changes",
    [
        {"action_centre": [0.0] * 6},
        {"action_centre": [0.0] * 6 + [float("nan")]},
        {"action_centre": [1e9] * 7},
        {"action_half_range": [0.0] * 7},
        {"action_half_range": [-1.0] * 7},
        {"tactile_scale_ut": [100.0] * 14},
        {"tactile_scale_ut": ["100"] * 15},
        {"tactile_scale_ut": None},
        {"point_m": [0.0, 0.0]},
        {"point_m": [0.0, 0.0, float("inf")]},
        {"unknown": 1},
    ],
)
def test_stored_normaliser_that_cannot_be_is_refused(changes):
    with pytest.raises(VitalError) as refused:
        Normaliser.from_dict(stored(**changes))
    assert refused.value.code is ErrorCode.BAD_DATASET


def test_normaliser_is_fitted_again_for_other_data_alone(tmp_path):
    fitted = []

    def fit(scale: float) -> Normaliser:
        fitted.append(scale)
        return Normaliser.fit(scale * np.arange(14.0).reshape(2, 7), np.zeros((2, 15)))

    first, other = "a" * 64, "b" * 64
    kept = stored_normaliser(tmp_path, first, lambda: fit(1.0))
    again = stored_normaliser(tmp_path, first, lambda: fit(2.0))
    assert fitted == [1.0] and again.to_dict() == kept.to_dict()
    changed = stored_normaliser(tmp_path, other, lambda: fit(3.0))
    assert fitted == [1.0, 3.0] and changed.to_dict() != kept.to_dict()


def test_folder_that_cannot_be_written_to_keeps_no_normaliser_and_refuses_nothing(tmp_path, caplog):
    (tmp_path / "file").write_text("x")
    normaliser = stored_normaliser(
        tmp_path / "file", "a" * 64, lambda: Normaliser.fit(np.ones((2, 7)), np.zeros((2, 15)))
    )
    assert normaliser.action_centre[0] == 1.0 and "the normaliser is not kept" in caplog.text
