"""The tactile pad: linear for small movements, different for each direction, noisy, drifting and saturating."""

import numpy as np
import pytest

from vital_sim.world.tactile import TactileConfig, TactilePad, largest_field_ut

MOVE_M = 1e-4


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
