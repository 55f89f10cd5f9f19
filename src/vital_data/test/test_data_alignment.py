"""Streams on the image clock, actions from three sources, chunks with their padding mask."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vital_core import pose as pose_of
from vital_core.errors import ErrorCode, VitalError
from vital_data.dataset import synthetic
from vital_data.dataset.actions import ActionSource, chunk_frames, chunks_of
from vital_data.dataset.aligned_episode import AlignmentConfig, align
from vital_data.dataset.alignment import MISSING, frames_at, nearest_previous
from vital_data.files import streams as topics
from vital_data.files.streams import Stream, median_rate_hz

STAMPS = st.lists(st.integers(0, 2_000_000_000), min_size=1, max_size=40).map(lambda v: np.array(sorted(v), np.int64))


@given(STAMPS, STAMPS, st.floats(0.0, 2.0))
def test_nearest_previous_is_the_newest_sample_not_after_the_tick(clock_ns, stamps_ns, max_age_s):
    found = nearest_previous(clock_ns, stamps_ns, max_age_s)
    for tick, index, fresh in zip(clock_ns, found.index, found.fresh, strict=True):
        before = stamps_ns[stamps_ns <= tick]
        assert fresh == (len(before) > 0 and (tick - before[-1]) / 1e9 <= max_age_s)
        if len(before):
            assert stamps_ns[index] == before[-1]
    assert found.refused == (~found.fresh).sum()


def test_a_sample_at_the_very_tick_is_not_before_it():
    stamps_ns = np.array([10, 20, 30])
    assert nearest_previous(np.array([20]), stamps_ns, 1.0).index[0] == 1
    assert nearest_previous(np.array([20]), stamps_ns, 1.0, before=True).index[0] == 0


def test_an_empty_stream_is_never_fresh():
    assert nearest_previous(np.arange(3), np.empty(0, np.int64), 1.0).refused == 3


@given(STAMPS, STAMPS, st.floats(0.0, 1.0))
def test_frames_at_is_the_nearest_frame_within_the_tolerance(frame_ns, wanted_ns, tolerance_s):
    frame_ns = np.unique(frame_ns)
    for wanted, found in zip(wanted_ns, frames_at(frame_ns, wanted_ns, tolerance_s), strict=True):
        least = np.abs(frame_ns - wanted).min()
        if least <= round(tolerance_s * 1e9):
            assert abs(frame_ns[found] - wanted) == least
        else:
            assert found == MISSING


def _frame_times(frames: int, missing: tuple[int, ...] = ()) -> np.ndarray:
    return np.delete(np.round(np.arange(frames) * 1e9 / 30).astype(np.int64), missing)


def test_chunks_take_every_fifth_frame_and_are_masked_past_the_end():
    frames = chunk_frames(_frame_times(23), 10, 6.0, 30.0)
    actions = np.arange(23.0)[:, None].repeat(7, 1)
    chunks, mask = chunks_of(actions, np.ones(23, bool), frames)
    assert chunks.shape == (23, 10, 7)
    np.testing.assert_array_equal(chunks[1, :5, 0], [1, 6, 11, 16, 21])
    np.testing.assert_array_equal(mask[1], [True] * 5 + [False] * 5)
    assert mask[:, 0].all() and mask[22].sum() == 1


def test_padding_repeats_the_last_real_action_and_never_is_a_zero():
    frames = chunk_frames(_frame_times(23), 10, 6.0, 30.0)
    chunks, mask = chunks_of(np.arange(1.0, 24.0)[:, None].repeat(7, 1), np.ones(23, bool), frames)
    assert (chunks != 0).all()
    np.testing.assert_array_equal(chunks[1, 5:], np.full((5, 7), 22.0))
    assert not mask[1, 5:].any()


def test_a_dropped_frame_leaves_a_hole_and_shifts_nothing():
    times = _frame_times(31, missing=(10,))
    actions = np.round(times * 30 / 1e9)[:, None].repeat(7, 1)  # the number that the frame had
    chunks, mask = chunks_of(actions, np.ones(30, bool), chunk_frames(times, 4, 6.0, 30.0))
    np.testing.assert_array_equal(chunks[0, :, 0], [0, 5, 5, 15])
    np.testing.assert_array_equal(mask[0], [True, True, False, True])


def test_a_refused_action_is_masked_wherever_it_stands():
    valid = np.ones(30, bool)
    valid[5] = False
    _, mask = chunks_of(np.zeros((30, 7)), valid, chunk_frames(_frame_times(30), 3, 6.0, 30.0))
    assert not mask[0, 1] and not mask[5, 0] and mask[0, 0] and mask[0, 2]


def _period_later(source: ActionSource, t_s: float) -> float:
    period_s, frame_s = 1 / 6, 1 / 30
    return {
        # the last command of the period was given a frame before its end, for a point 150 ms ahead
        ActionSource.MEASURED: t_s + period_s,
        ActionSource.COMMANDED: t_s + period_s - frame_s + 0.005 + synthetic.LEAD_S,
        ActionSource.INTENDED: t_s + 2 * synthetic.LEAD_S,
        ActionSource.DEMONSTRATED: t_s + 3 * synthetic.LEAD_S,
    }[source]


@pytest.mark.parametrize("source", list(ActionSource))
def test_action_leads_to_the_sources_pose_in_the_frame_of_the_measured_one(source):
    streams = synthetic.streams(40, jitter_s=0.0, labels=True)
    state = streams[topics.POSE_TOPIC]
    aligned = align("e", streams, AlignmentConfig(action_source=source))
    used = np.flatnonzero(aligned.valid)
    assert len(used) >= 34 and not aligned.valid[-4:].any()
    for t in used[1:]:
        tick = aligned.stamps_ns[t]
        measured_ns = state.stamps_ns[state.stamps_ns <= tick][-1]
        from_s = (measured_ns - synthetic.START_NS) / 1e9
        to_s = _period_later(source, (tick - synthetic.START_NS) / 1e9)
        if source is ActionSource.MEASURED:
            end_ns = synthetic.START_NS + to_s * 1e9 + 10
            to_s = (state.stamps_ns[state.stamps_ns <= end_ns][-1] - synthetic.START_NS) / 1e9
        expected = pose_of.to_vector(pose_of.inverse(synthetic.pose_at(from_s)) @ synthetic.pose_at(to_s))
        np.testing.assert_allclose(aligned.actions[t, :6], expected, atol=1e-6)
        assert aligned.actions[t, 6] == 1.0


def test_tactile_is_the_newest_reading_less_its_baseline():
    streams = synthetic.streams(40)
    tactile = streams[topics.TACTILE_TOPIC]
    aligned = align("e", streams, AlignmentConfig())
    for t in (0, 11, 39):
        newest = np.flatnonzero(tactile.stamps_ns <= aligned.stamps_ns[t])[-1]
        expected = (tactile.values["field_ut"][newest] - 300.0).reshape(15)
        np.testing.assert_array_equal(aligned.tactile_ut[t], expected)


def _without(stream: Stream, gone: np.ndarray) -> Stream:
    return Stream(stream.stamps_ns[~gone], {k: v[~gone] for k, v in stream.values.items()}, stream.frame)


def test_a_stale_reading_costs_its_frames_and_is_counted():
    streams = synthetic.streams(60, jitter_s=0.0)
    tactile = streams[topics.TACTILE_TOPIC]
    seconds = (tactile.stamps_ns - synthetic.START_NS) / 1e9
    streams[topics.TACTILE_TOPIC] = _without(tactile, (seconds > 0.5) & (seconds < 1.0))
    aligned = align("e", streams, AlignmentConfig(tactile_age_s=0.1))
    assert 11 <= aligned.refused["tactile reading too old or invalid"] == (~aligned.observed).sum() <= 13
    assert aligned.valid[:56].all()


def test_a_magnetometer_that_was_not_read_costs_its_frames():
    streams = synthetic.streams(40)
    streams[topics.TACTILE_TOPIC].values["valid"][:50, 2] = False
    aligned = align("e", streams, AlignmentConfig())
    assert 10 < (~aligned.observed).sum() < 20


def test_an_old_target_is_no_action():
    streams = synthetic.streams(60, jitter_s=0.0)
    target = streams[topics.TARGET_TOPIC]
    streams[topics.TARGET_TOPIC] = _without(target, np.arange(60) >= 20)
    aligned = align("e", streams, AlignmentConfig())
    assert aligned.valid[:20].all() and not aligned.valid[25:].any()
    assert align("e", streams, AlignmentConfig(action_source=ActionSource.MEASURED)).valid[:54].all()


def _values(topic: str, **changed: np.ndarray):
    return lambda streams: streams[topic].values.update(changed)


def _in_frame(topic: str, frame: str):
    return lambda streams: streams.update({topic: dataclasses.replace(streams[topic], frame=frame)})


def _nan_at(topic: str, name: str, at: int | slice):
    return lambda streams: streams[topic].values[name].reshape(-1).__setitem__(at, np.nan)


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (
            _values(topics.IMAGE_TOPIC, image=np.zeros((40, 64, 64, 3), np.uint8)),
            "images are uint8 (40, 64, 64, 3), expected uint8 (40, 128, 128, 3)",
        ),
        (lambda streams: streams.pop(topics.POSE_TOPIC), "has no message on /vital/tcp_pose, expected some"),
        (_nan_at(topics.POSE_TOPIC, "t_base_tcp", 3), "/vital/tcp_pose pose has 1 values that are not finite"),
        (_nan_at(topics.TARGET_TOPIC, "t_base_tcp", 100), "/vital/tcp_target pose has 1 values that are not finite"),
        (_nan_at(topics.COMMAND_TOPIC, "gripper", 3), "/vital/command gripper has 1 values that are not finite"),
        (_nan_at(topics.TACTILE_TOPIC, "field_ut", slice(None)), "/anyskin/tactile field_ut has 600 values"),
        (_nan_at(topics.TACTILE_TOPIC, "baseline_ut", slice(None)), "the tactile baseline is missing"),
        (_values(topics.TACTILE_TOPIC, field_ut=np.zeros((134, 4, 3))), "field_ut has 12 values, expected 15"),
        (lambda streams: streams[topics.POSE_TOPIC].stamps_ns.__setitem__(5, 0), "goes back by"),
        (_in_frame(topics.POSE_TOPIC, "world"), "/vital/tcp_pose is in frame 'world', expected 'link_base'"),
        (_in_frame(topics.COMMAND_TOPIC, "link_base"), "is in frame 'link_base', expected 'link_tcp'"),
    ],
)
def test_recording_that_breaks_the_contract_is_refused_with_got_and_expected(break_it, said):
    streams = synthetic.streams(40)
    break_it(streams)
    with pytest.raises(VitalError) as refused:
        align("session/episode_0003", streams, AlignmentConfig())
    assert refused.value.code is ErrorCode.BAD_DATASET
    assert said in refused.value.message and "session/episode_0003" in refused.value.message


def test_images_of_another_rate_are_refused():
    streams = synthetic.streams(60, jitter_s=0.0)
    streams[topics.IMAGE_TOPIC] = _without(streams[topics.IMAGE_TOPIC], np.arange(60) % 2 == 1)
    with pytest.raises(VitalError, match=r"images come at 15.0 Hz, expected 30 Hz"):
        align("e", streams, AlignmentConfig())


def test_intended_actions_need_their_topic():
    with pytest.raises(VitalError, match=r"tcp_intended.*choose another source"):
        align("e", synthetic.streams(40), AlignmentConfig(action_source=ActionSource.INTENDED))


def test_median_rate_is_not_moved_by_a_gap():
    assert median_rate_hz(_frame_times(60, missing=(10, 11, 12))) == pytest.approx(30.0, rel=1e-6)
    coarse = np.cumsum(np.tile([30, 30, 40], 20)) * 1_000_000
    assert median_rate_hz(coarse) == pytest.approx(30.0, rel=1e-6)
    assert median_rate_hz(np.array([5])) == 0.0
