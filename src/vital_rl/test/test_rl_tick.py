"""The tick and the episode without ROS."""

import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from vital_core.errors import ErrorCode, VitalError
from vital_policy.inference import LocalPolicy
from vital_rl.acting.episode import Episode
from vital_rl.acting.residual_policy import ResidualPolicy
from vital_rl.acting.tick import EpisodeFigures, PolicyTick, Readings, TickResult, tactile_above_baseline

IMAGE, TACTILE = np.zeros((128, 128, 3), np.uint8), np.zeros(15, np.float32)


class Clock:
    def __init__(self) -> None:
        self.now_s = 50.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def readings(clock: Clock) -> Readings:
    return Readings(clock)


@pytest.fixture
def tick(checkpoint_path, readings: Readings) -> PolicyTick:
    return PolicyTick(ResidualPolicy(LocalPolicy.load(checkpoint_path)), readings, max_age_s=0.25)


def test_no_action_before_both_sensors_have_spoken(tick: PolicyTick, readings: Readings):
    assert tick.run().code is ErrorCode.STALE_OBSERVATION
    readings.put_image(IMAGE, 0.01)
    assert "tactile" in tick.run().message
    readings.put_tactile(TACTILE, 0.0)
    result = tick.run()
    assert result.code is ErrorCode.OK and result.action is not None
    assert (result.image_age_s, result.tactile_age_s) == pytest.approx((0.01, 0.0))


def test_ages_add_the_wait_since_receipt_to_the_stamps_age(tick: PolicyTick, readings: Readings, clock: Clock):
    readings.put_image(IMAGE, 0.1)
    readings.put_tactile(TACTILE, 0.0)
    clock.now_s += 0.14
    assert tick.run().action is not None
    clock.now_s += 0.02
    result = tick.run()
    assert result.action is None and result.code is ErrorCode.STALE_OBSERVATION
    assert result.message == "wrist image is 260 ms old, at most 250 ms allowed"


@pytest.mark.parametrize(("stamp_age_s", "accepted"), [(-0.01, True), (-0.5, False), (10.0, False)])
def test_stamp_that_makes_no_sense_is_refused(tick: PolicyTick, readings: Readings, stamp_age_s, accepted):
    readings.put_image(IMAGE, stamp_age_s)
    readings.put_tactile(TACTILE, 0.0)
    assert (tick.run().action is not None) is accepted


@pytest.mark.parametrize(
    ("image", "tactile"), [(IMAGE[:96], TACTILE), (IMAGE, np.full(15, np.nan, np.float32)), (IMAGE, TACTILE[:12])]
)
def test_unfit_reading_is_a_bad_observation(tick: PolicyTick, readings: Readings, image, tactile):
    readings.put_image(image, 0.0)
    readings.put_tactile(tactile, 0.0)
    result = tick.run()
    assert result.action is None and result.code is ErrorCode.BAD_OBSERVATION


def test_invalid_magnetometer_and_missing_baseline_give_no_reading():
    field, baseline, valid = np.full(15, 30.0, np.float32), np.full(15, 10.0, np.float32), np.ones(5, bool)
    np.testing.assert_array_equal(tactile_above_baseline(field, baseline, valid), 20.0)
    valid[1] = False
    above = tactile_above_baseline(field, baseline, valid)
    assert np.isnan(above[3:6]).all() and np.isfinite(np.delete(above, [3, 4, 5])).all()
    assert tactile_above_baseline(field, baseline[:0], valid) is None


def test_readings_are_waited_for_and_forgotten():
    readings = Readings()
    readings.put_image(IMAGE, 0.0)
    assert not readings.wait(0.01)
    readings.put_tactile(TACTILE, 0.0)
    assert readings.wait(0.01)
    readings.clear()
    assert not readings.wait(0.01) and isinstance(readings.observe(), str)


def test_figures_count_refusals_in_a_row_and_give_up_by_time():
    figures = EpisodeFigures(give_up_after_s=0.2)
    good, bad = TickResult(object(), None), TickResult(None, None, ErrorCode.STALE_OBSERVATION)
    for i, result in enumerate((bad, good, bad, bad, bad)):
        assert not figures.lost
        figures.note(result, True, 0.1 * i + (0.004 if i == 3 else 0.0), 0.010)
    assert figures.lost and (figures.ticks, figures.sent, figures.refused, figures.refused_in_a_row) == (5, 1, 4, 3)
    assert figures.refused_for_s == pytest.approx(0.2)
    assert figures.tick_ms(50) == pytest.approx(10.0)
    assert figures.jitter_ms(0.1, 100) == pytest.approx(4.0)


class Feed:
    """Keeps readings fresh in the background."""

    def __init__(self, readings: Readings) -> None:
        self.readings, self.stopped = readings, threading.Event()
        self.thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self.stopped.wait(0.01):
            self.readings.put_image(IMAGE, 0.0)
            self.readings.put_tactile(TACTILE, 0.0)

    def __enter__(self) -> "Feed":
        self.thread.start()
        self.readings.wait(1.0)
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        self.thread.join()


@pytest.fixture
def live(checkpoint_path) -> tuple[PolicyTick, Readings]:
    readings = Readings()
    return PolicyTick(ResidualPolicy(LocalPolicy.load(checkpoint_path)), readings, max_age_s=0.25), readings


def test_episode_ticks_until_its_time_is_up(live):
    tick, readings = live
    seen = []
    with Feed(readings):
        episode = Episode(tick, 0.05, give_up_after_s=0.1)
        end = episode.run(0.5, lambda result, times: seen.append((result, times)) is None)
    assert end.completed and end.code is ErrorCode.OK
    assert 8 <= episode.figures.ticks <= 10 and len(seen) == episode.figures.ticks == episode.figures.sent


def test_cancelled_episode_completes_and_acts_no_more(live):
    tick, readings = live
    with Feed(readings):
        episode = Episode(tick, 0.05, give_up_after_s=0.1)
        threading.Timer(0.2, episode.cancel).start()
        start = time.monotonic()
        end = episode.run(10.0, lambda *_: True)
    assert end.completed and end.code is ErrorCode.CANCELLED and time.monotonic() - start < 2.0


def test_episode_gives_up_when_the_sensors_fall_silent(live):
    tick, readings = live
    acted = []
    with Feed(readings) as feed:

        def seen(result, _) -> bool:
            acted.append(result.action is not None)
            if acted[-1]:
                feed.stopped.set()
            return True

        end = Episode(tick, 0.05, give_up_after_s=0.1).run(10.0, seen)
    assert not end.completed and end.code is ErrorCode.STALE_OBSERVATION
    assert acted[-3:] == [False] * 3 and any(acted)
    assert "observations in a row" in replace(end).message and "were not fit" in end.message


def test_a_fault_ends_the_episode_before_its_next_tick(live):
    tick, readings = live
    fault, acted = VitalError(ErrorCode.NODE_LOST, "the gate is silent"), []
    with Feed(readings):
        episode = Episode(tick, 0.05, give_up_after_s=1.0, fault=lambda: fault if len(acted) == 2 else None)
        end = episode.run(10.0, lambda result, _: acted.append(result) is None)
    assert (end.completed, end.code, end.message) == (False, ErrorCode.NODE_LOST, "the gate is silent")
    assert len(acted) == 2


def test_ticks_that_were_slept_through_pass_for_the_predictions(live):
    tick, readings = live
    skipped = []
    tick.skip = lambda: skipped.append(1)
    with Feed(readings):
        Episode(tick, 0.05, give_up_after_s=1.0).run(0.5, lambda *_: time.sleep(0.12) is None)
    assert len(skipped) >= 4
