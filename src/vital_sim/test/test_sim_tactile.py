"""The tactile pad: linear for small movements, different for each direction, noisy, drifting and saturating."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vital_sim.world.tactile import TactileConfig, TactilePad, largest_field_ut

MOVE_M = 1e-4
displacements = st.tuples(*[st.floats(-0.003, 0.003)] * 3, *[st.floats(-0.1, 0.1)] * 3).map(np.array)


def _pad(seed: int = 0, **config: float) -> TactilePad:
    pad = TactilePad(TactileConfig(**config))
    pad.reset(np.random.default_rng(seed))
    return pad


def test_reading_has_fifteen_finite_floats():
    reading = _pad().read_ut(np.zeros(6))
    assert reading.shape == (15,) and reading.dtype == np.float32 and np.isfinite(reading).all()


def test_small_movements_change_the_field_in_proportion():
    pad = _pad()
    once, twice = pad.field_ut(np.full(6, 1e-5)), pad.field_ut(np.full(6, 2e-5))
    np.testing.assert_allclose(twice, 2 * once, rtol=2e-3)


def test_large_movements_bend_over():
    pad = _pad()
    small, large = (np.linalg.norm(pad.field_ut(np.array([0, 0, d, 0, 0, 0]))) for d in (1e-4, 5e-3))
    assert large < 0.9 * 50 * small


def test_every_direction_of_movement_has_its_own_pattern():
    pad = _pad()
    moves = np.diag([MOVE_M] * 3 + [0.01] * 3)
    patterns = np.stack([pad.field_ut(move).ravel() for move in moves])
    patterns /= np.linalg.norm(patterns, axis=1, keepdims=True)
    similarity = np.abs(patterns @ patterns.T - np.eye(6))
    assert similarity.max() < 0.95


def test_noise_and_drift_have_the_configured_size():
    pad = _pad(noise_ut=1.5, drift_ut=0.5)
    still = np.stack([pad.read_ut(np.zeros(6)) for _ in range(500)])
    assert still.std(axis=0).mean() == pytest.approx(1.5, rel=0.1)
    before = still.mean(axis=0)
    for _ in range(400):
        pad.advance(0.25)
    after = np.stack([pad.read_ut(np.zeros(6)) for _ in range(500)]).mean(axis=0)
    assert (after - before).std() == pytest.approx(0.5 * np.sqrt(100.0), rel=0.6)


def test_resting_field_differs_between_grasps_but_the_pattern_of_a_touch_stays():
    first, second = _pad(1), _pad(2)
    assert np.abs(first.read_ut(np.zeros(6)) - second.read_ut(np.zeros(6))).max() > 50.0
    touch = np.array([MOVE_M, 0, 5 * MOVE_M, 0, 0.001, 0])
    a, b = first.field_ut(touch).ravel(), second.field_ut(touch).ravel()
    assert a @ b / np.linalg.norm(a) / np.linalg.norm(b) > 0.99


def test_a_reading_beyond_the_chips_range_is_marked():
    pad = _pad()
    assert not pad.saturated(pad.read_ut(np.zeros(6)))
    huge = pad.read_ut(np.array([0, 0, 0, 0, 0, 5.0]))
    assert pad.saturated(huge) and np.abs(huge).max() == 12000.0


def test_largest_field_is_the_norm_of_one_magnetometer():
    reading = np.zeros(15)
    reading[3:6] = [3.0, 4.0, 12.0]
    reading[12] = 5.0
    assert largest_field_ut(reading) == 13.0


@given(displacements, st.floats(-1.0, 1.0))
def test_movement_the_other_way_turns_every_change_round(displacement, scale):
    pad = _pad()
    np.testing.assert_allclose(pad.field_ut(-scale * displacement), -pad.field_ut(scale * displacement), atol=1e-9)


@given(displacements)
def test_larger_movement_changes_the_field_more(displacement):
    pad = _pad()
    along = displacement * [1, 1, 1, 0, 0, 0]
    sizes = [np.linalg.norm(pad.field_ut(scale * along)) for scale in (0.25, 0.5, 1.0)]
    assert sizes == sorted(sizes)


@given(st.tuples(*[st.floats(-2.0, 2.0)] * 6), st.integers(0, 100))
def test_reading_is_never_beyond_the_chips_range(displacement, seed):
    pad = _pad(seed)
    reading = pad.read_ut(np.array(displacement))
    assert np.abs(reading).max() <= 12000.0
    assert pad.saturated(reading) == bool((np.abs(reading) >= 12000.0).any())


@given(st.integers(0, 2**31 - 1))
def test_reading_follows_from_the_seed_alone(seed):
    readings = []
    for _ in range(2):
        pad = _pad(seed)
        pad.advance(0.3)
        readings.append(pad.read_ut(np.full(6, 1e-4)))
    np.testing.assert_array_equal(*readings)


def test_noiseless_pad_at_rest_reads_its_baseline_until_it_drifts():
    pad = _pad(noise_ut=0.0, drift_ut=1.0)
    first = pad.read_ut(np.zeros(6))
    np.testing.assert_array_equal(pad.read_ut(np.zeros(6)), first)
    pad.advance(1.0)
    assert np.abs(pad.read_ut(np.zeros(6)) - first).max() > 0.1


def test_drift_grows_with_the_square_root_of_time():
    after = {}
    for seconds in (1.0, 16.0):
        moved = []
        for seed in range(60):
            pad = _pad(seed, noise_ut=0.0, drift_ut=1.0)
            before = pad.read_ut(np.zeros(6))
            pad.advance(seconds)
            moved.append(pad.read_ut(np.zeros(6)) - before)
        after[seconds] = np.std(moved)
    assert after[16.0] / after[1.0] == pytest.approx(4.0, rel=0.15)


def test_new_grasp_forgets_the_drift():
    pad = _pad(noise_ut=0.0, drift_ut=50.0)
    pad.advance(100.0)
    pad.reset(np.random.default_rng(0))
    np.testing.assert_array_equal(pad.read_ut(np.zeros(6)), _pad(0, noise_ut=0.0).read_ut(np.zeros(6)))
