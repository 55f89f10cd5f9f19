"""Mounting, validity and baselines."""

import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from vital_core.clock import steady_s
from vital_core.errors import ErrorCode, VitalError
from vital_perception.anyskin.anyskin_protocol import Frame
from vital_perception.anyskin.mounting import AS_MOUNTED, Mounting
from vital_perception.anyskin.tactile_stream import StreamConfig, TactileStream

REST = 1000.0 * np.cos(np.arange(15)).reshape(5, 3)


def frame(field: np.ndarray, temperature: float = 30.0) -> Frame:
    return Frame(np.full(5, temperature, np.float32), np.asarray(field, np.float32), 0)


def fill(stream: TactileStream, count: int = 40, motion_ut: float = 0.0, age_s: float = 1.0) -> None:
    """Readings from the past, at rest or moving steadily by ``motion_ut`` over all of them."""
    rng = np.random.default_rng(1)
    for i in range(count):
        field = REST + motion_ut * i / count + 1.5 * rng.standard_normal((5, 3))
        stream.take(frame(field), steady_s() - age_s)


class Feeding:
    """Readings at 200 Hz while the block runs."""

    def __init__(self, stream: TactileStream, field=lambda t: REST) -> None:
        self._stream, self._field = stream, field
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        rng, start = np.random.default_rng(2), time.monotonic()
        while not self._stop.wait(0.005):
            field = self._field(time.monotonic() - start) + rng.standard_normal((5, 3))
            self._stream.take(frame(field), steady_s())

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def test_as_mounted_changes_nothing():
    np.testing.assert_array_equal(Mounting().apply(REST.astype(np.float32)), REST.astype(np.float32))


@given(st.permutations(range(5)), st.lists(st.sampled_from([-1, 1]), min_size=15, max_size=15), st.integers(0, 999))
def test_axes_reorder_and_negate_as_documented(order, signs, seed):
    rng = np.random.default_rng(seed)
    sources = [3 * m + 1 + int(k) for m in order for k in rng.permutation(3)]
    axes = [sign * source for sign, source in zip(signs, sources, strict=True)]
    pad = Mounting(axes).apply(REST).ravel()
    for i, axis in enumerate(axes):
        assert pad[i] == np.float32(np.sign(axis) * np.float32(REST.ravel()[abs(axis) - 1]))
    np.testing.assert_array_equal(Mounting(axes).reorder(np.arange(5)), order)


@given(st.integers(0, 999))
def test_rotation_turns_every_magnetometers_field(seed):
    turn = Rotation.random(random_state=seed).as_matrix()
    pad = Mounting(rotation=turn.ravel().tolist()).apply(REST)
    np.testing.assert_allclose(pad, (turn @ REST.T).T, rtol=1e-4, atol=0.1)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"axes": [1] * 15}, "each of 1 to 15 once"),
        ({"axes": list(range(15))}, "each of 1 to 15 once"),
        ({"axes": [4, 2, 3, 1, *range(5, 16)]}, "mixes magnetometers"),
        ({"axes": list(AS_MOUNTED)[:12]}, "each of 1 to 15"),
        ({"rotation": [1.0, 0, 0, 0, 1, 0, 0, 0, -1]}, "rotation matrix"),
        ({"rotation": [2.0, 0, 0, 0, 1, 0, 0, 0, 1]}, "rotation matrix"),
        ({"rotation": [1.0] * 4}, "rotation matrix"),
    ],
)
def test_mounting_that_is_none_is_refused(options, words):
    with pytest.raises(VitalError, match=words) as refusal:
        Mounting(**options)
    assert refusal.value.code is ErrorCode.BAD_PARAMETER


def test_saturated_magnetometer_is_not_valid_and_the_pads_order_counts():
    axes = [4, 5, 6, 1, 2, 3, *range(7, 16)]
    stream = TactileStream(Mounting(axes), StreamConfig(saturation_ut=5000.0))
    field = REST.copy()
    field[1, 2] = -5000.0
    assert stream.take(frame(field), 0.0).valid.tolist() == [False, True, True, True, True]
    assert stream.saturated_readings == 1


def test_magnetometer_of_zeros_or_that_never_changes_is_not_read():
    stream = TactileStream(config=StreamConfig(stuck_after=5))
    rng = np.random.default_rng(0)
    valid = []
    for _ in range(8):
        field = REST + rng.standard_normal((5, 3))
        field[3] = REST[3]
        valid.append(stream.take(frame(field), 0.0).valid.tolist())
    assert valid[:5] == [[True] * 5] * 5 and valid[5] == [True, True, True, False, True]
    zeros = Frame(np.array([30, 0, 30, 30, 30], np.float32), np.vstack([REST[0], np.zeros(3), REST[2:] + 1]), 0)
    assert stream.take(zeros, 0.0).valid.tolist() == [True, False, True, True, True]
    assert stream.unread_readings == 4


def test_baseline_is_the_median_of_fresh_readings():
    stream = TactileStream()
    with Feeding(stream):
        baseline = stream.take_baseline(0, 5.0)
        assert stream.baseline_id == 1
        np.testing.assert_allclose(baseline, REST.ravel(), atol=4.0)
        stream.take_baseline(9, 5.0)
    assert stream.baseline_id == 2 and baseline.dtype == np.float32


def test_old_readings_alone_make_no_baseline():
    stream = TactileStream()
    fill(stream)
    with pytest.raises(VitalError, match=r"0 tactile readings came within 0\.1 s, expected 5") as refusal:
        stream.take_baseline(5, 0.1)
    assert refusal.value.code is ErrorCode.SENSOR_FAULT and stream.baseline_id == 0


def test_baseline_of_moving_readings_is_refused_with_how_much_they_move():
    stream = TactileStream()
    with Feeding(stream, lambda t: REST + 400.0 * t), pytest.raises(VitalError, match=r"move by \d+ µT") as refusal:
        stream.take_baseline(5, 0.3)
    assert refusal.value.code is ErrorCode.SENSOR_FAULT and stream.baseline_id == 0


def test_baseline_waits_until_the_readings_have_come_to_rest():
    stream = TactileStream()
    with Feeding(stream, lambda t: REST + 400.0 * max(0.0, 0.4 - t)):
        baseline = stream.take_baseline(5, 10.0)
    np.testing.assert_allclose(baseline, REST.ravel(), atol=25.0)


def test_baseline_with_a_saturated_magnetometer_is_refused_by_its_number():
    stream = TactileStream(config=StreamConfig(saturation_ut=900.0))
    with Feeding(stream), pytest.raises(VitalError, match=r"magnetometer 0, .*is saturated or not read"):
        stream.take_baseline(5, 0.3)


def test_too_many_samples_are_refused_at_once():
    with pytest.raises(VitalError, match="5000") as refusal:
        TactileStream().take_baseline(5000, 1.0)
    assert refusal.value.code is ErrorCode.BAD_PARAMETER


def test_what_was_read_before_a_loss_counts_for_nothing():
    stream = TactileStream()
    fill(stream, age_s=-5.0)  # as fresh as can be
    stream.forget()
    with pytest.raises(VitalError, match="0 tactile readings"):
        stream.take_baseline(5, 0.05)
