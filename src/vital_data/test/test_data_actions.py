"""Actions lead back to the poses that they came from; chunks never hold what was not demonstrated."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.spatial.transform import Rotation

from vital_core import pose as pose_of
from vital_data.dataset import synthetic
from vital_data.dataset.actions import ActionSource, chunk_frames, chunks_of
from vital_data.dataset.aligned_episode import AlignmentConfig, align
from vital_data.dataset.alignment import MISSING, nearest_previous, period_ns
from vital_data.files.stream_values import pose_matrices, relative_vectors, values_of_matrices
from vital_data.files.streams import IMAGE_TOPIC, POSE_TOPIC, TACTILE_TOPIC, TARGET_TOPIC, Stream, median_rate_hz

VECTORS = hnp.arrays(np.float64, (6, 6), elements=st.floats(-1.5, 1.5))


def poses(vectors: np.ndarray) -> np.ndarray:
    """(n, 4, 4) from (n, 6) translations and rotation vectors."""
    made = np.tile(np.eye(4), (len(vectors), 1, 1))
    made[:, :3, 3] = vectors[:, :3]
    made[:, :3, :3] = Rotation.from_rotvec(vectors[:, 3:]).as_matrix()
    return made


@given(VECTORS, VECTORS)
def test_relative_vector_composed_with_its_start_is_its_end(starts, ends):
    t_a_b, t_a_c = poses(starts), poses(ends)
    deltas = relative_vectors(t_a_b, t_a_c)
    for start, end, delta in zip(t_a_b, t_a_c, deltas, strict=True):
        np.testing.assert_allclose(start @ pose_of.from_vector(delta[:3], delta[3:]), end, atol=1e-9)


@given(VECTORS)
def test_relative_vector_of_a_pose_to_itself_is_zero(vectors):
    t_a_b = poses(vectors)
    np.testing.assert_allclose(relative_vectors(t_a_b, t_a_b), 0.0, atol=1e-7)


@given(VECTORS, VECTORS, VECTORS)
def test_relative_vector_does_not_depend_on_the_frame_that_both_are_given_in(starts, ends, frames):
    t_w_a = poses(frames)
    here = relative_vectors(poses(starts), poses(ends))
    there = relative_vectors(t_w_a @ poses(starts), t_w_a @ poses(ends))
    np.testing.assert_allclose(poses(there), poses(here), atol=1e-9)


@given(hnp.arrays(np.float64, 5, elements=st.floats(-3.0, 3.0)))
def test_yaw_of_a_tool_that_points_down_is_one_number_with_its_sign(yaws):
    start = np.tile(pose_of.point_down((0.4, 0.0, 0.2), 0.0), (5, 1, 1))
    end = np.stack([pose_of.point_down((0.4, 0.0, 0.2), yaw) for yaw in yaws])
    delta = relative_vectors(start, end)
    np.testing.assert_allclose(delta[:, :5], 0.0, atol=1e-9)
    np.testing.assert_allclose(delta[:, 5], -yaws, atol=1e-9)


@given(VECTORS)
def test_poses_survive_the_way_through_position_and_quaternion(vectors):
    t_base_tcp = poses(vectors)
    values = values_of_matrices(t_base_tcp)
    np.testing.assert_allclose(pose_matrices(values["position_m"], values["quaternion_xyzw"]), t_base_tcp, atol=1e-12)


EPISODES = st.tuples(st.integers(12, 60), st.integers(1, 12), st.integers(0, 2**32))


@settings(deadline=None)
@given(EPISODES, st.sampled_from([6.0, 10.0, 15.0, 30.0]))
def test_chunks_hold_the_actions_of_their_own_times_and_padding_repeats_the_last(episode, rate_hz):
    frames, chunk, seed = episode
    rng = np.random.default_rng(seed)
    kept = rng.random(frames) > 0.2
    kept[0] = True
    stamps = np.round(np.arange(frames) * 1e9 / 30).astype(np.int64)[kept]
    valid = rng.random(len(stamps)) > 0.2
    actions = rng.normal(size=(len(stamps), 7))
    found = chunk_frames(stamps, chunk, rate_hz, 30.0)
    chunks, mask = chunks_of(actions, valid, found)
    assert chunks.shape == (len(stamps), chunk, 7) and mask.shape == found.shape
    for t in range(len(stamps)):
        last = actions[t]
        for k in range(chunk):
            wanted = stamps[t] + k * period_ns(rate_hz)
            if mask[t, k]:
                assert abs(stamps[found[t, k]] - wanted) <= 1e9 / 60 and valid[found[t, k]]
                last = actions[found[t, k]]
            else:
                assert found[t, k] == MISSING or not valid[found[t, k]]
            np.testing.assert_array_equal(chunks[t, k], last)
    np.testing.assert_array_equal(mask[:, 0], valid)


def before(streams: dict[str, Stream], end_ns: int) -> dict[str, Stream]:
    """What had come of the streams by a time."""
    return {
        topic: Stream(
            s.stamps_ns[s.stamps_ns < end_ns], {k: v[s.stamps_ns < end_ns] for k, v in s.values.items()}, s.frame
        )
        for topic, s in streams.items()
    }


@settings(deadline=None, max_examples=12)
@given(st.integers(15, 39), st.integers(0, 50))
def test_observation_never_comes_from_the_future(frames, seed):
    """An episode cut off at any image has the same observations up to there as the whole one."""
    streams = synthetic.streams(40, seed)
    end_ns = int(streams[IMAGE_TOPIC].stamps_ns[frames]) if frames < 40 else 2**62
    whole, cut = align("whole", streams, AlignmentConfig()), align("cut", before(streams, end_ns), AlignmentConfig())
    np.testing.assert_array_equal(cut.tactile_ut, whole.tactile_ut[: len(cut)])
    np.testing.assert_array_equal(cut.tcp_m, whole.tcp_m[: len(cut)])
    np.testing.assert_array_equal(cut.observed, whole.observed[: len(cut)])


@settings(deadline=None, max_examples=12)
@given(st.integers(0, 50), st.sampled_from(list(ActionSource)))
def test_later_samples_do_not_change_an_action_that_is_over(seed, source):
    streams = synthetic.streams(40, seed, labels=True)
    config = AlignmentConfig(action_source=source)
    end_ns = int(streams[IMAGE_TOPIC].stamps_ns[30])
    whole, cut = align("whole", streams, config), align("cut", before(streams, end_ns), config)
    over = np.flatnonzero(cut.valid)[:-1]
    np.testing.assert_array_equal(cut.actions[over], whole.actions[over])


@settings(deadline=None, max_examples=12)
@given(st.integers(0, 50), st.lists(st.integers(2, 190), max_size=60))
def test_missing_readings_leave_only_frames_whose_newest_reading_is_young(seed, gone):
    streams = synthetic.streams(40, seed)
    tactile = streams[TACTILE_TOPIC]
    keep = np.ones(len(tactile), bool)
    keep[[g for g in gone if g < len(keep)]] = False
    left = Stream(tactile.stamps_ns[keep], {k: v[keep] for k, v in tactile.values.items()}, tactile.frame)
    aligned = align("e", {**streams, TACTILE_TOPIC: left}, AlignmentConfig(tactile_age_s=0.02))
    newest = nearest_previous(aligned.stamps_ns, left.stamps_ns, 0.02)
    np.testing.assert_array_equal(aligned.observed, newest.fresh)
    assert (aligned.tactile_ut[~aligned.observed] == 0).all()
    assert aligned.refused["tactile reading too old or invalid"] == newest.refused


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 50), st.integers(-(10**15), 10**15))
def test_alignment_knows_no_absolute_time(seed, shift_ns):
    streams = synthetic.streams(40, seed)
    shifted = {t: Stream(s.stamps_ns + shift_ns, s.values, s.frame) for t, s in streams.items()}
    here, there = align("a", streams, AlignmentConfig()), align("b", shifted, AlignmentConfig())
    np.testing.assert_array_equal(here.actions, there.actions)
    np.testing.assert_array_equal(here.valid, there.valid)


def test_blocked_arm_keeps_the_commanded_push_and_loses_the_measured_one():
    """A target 4 mm below a TCP that stands still: the command pushes, what was measured does not move."""
    streams = synthetic.streams(60, jitter_s=0.0)
    still = np.tile(pose_of.point_down((0.45, 0.0, 0.1), 0.0), (len(streams[POSE_TOPIC]), 1, 1))
    below = np.tile(pose_of.point_down((0.45, 0.0, 0.096), 0.0), (len(streams[TARGET_TOPIC]), 1, 1))
    for topic, matrices in ((POSE_TOPIC, still), (TARGET_TOPIC, below)):
        streams[topic] = Stream(streams[topic].stamps_ns, values_of_matrices(matrices), streams[topic].frame)
    commanded = align("e", streams, AlignmentConfig())
    measured = align("e", streams, AlignmentConfig(action_source=ActionSource.MEASURED))
    np.testing.assert_allclose(commanded.actions[commanded.valid, 2], 0.004, atol=1e-9)
    np.testing.assert_allclose(measured.actions[measured.valid, :6], 0.0, atol=1e-9)


@given(st.floats(1.0, 500.0), st.integers(2, 80))
def test_median_rate_is_the_rate_of_an_even_stream(rate_hz, samples):
    stamps = np.round(np.arange(samples) * 1e9 / rate_hz).astype(np.int64)
    assert abs(median_rate_hz(stamps) / rate_hz - 1.0) < 1e-5
