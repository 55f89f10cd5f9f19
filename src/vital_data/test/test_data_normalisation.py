"""The one normaliser: its range, its inverse, and its limits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from vital_data.dataset.normalisation import MIN_HALF_RANGE, Normaliser

FINITE = st.floats(-1.0, 1.0, width=32)


@given(hnp.arrays(np.float64, (20, 7), elements=FINITE))
def test_normalised_actions_fit_the_range_and_come_back(actions):
    normaliser = Normaliser.fit(actions, np.zeros((2, 15)))
    normalised = normaliser.normalise_actions(actions)
    assert np.abs(normalised).max() <= 1.0
    np.testing.assert_allclose(normaliser.restore_actions(normalised), actions, atol=1e-5)
    same = Normaliser.from_dict(normaliser.to_dict())
    np.testing.assert_array_equal(same.normalise_actions(actions), normalised)


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
