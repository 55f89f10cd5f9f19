"""Faults are found where there are some, and nowhere else."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vital_data.dataset import synthetic
from vital_data.files.streams import COMMAND_TOPIC, IMAGE_TOPIC, POSE_TOPIC, TACTILE_TOPIC, TARGET_TOPIC
from vital_data.recording.quality import faults_of, stream_report, stream_reports

JOINTS = "/joint_states"


demonstration = cache(synthetic.streams)  # nobody changes it


@pytest.fixture
def streams():
    return demonstration(120)


def names(streams):
    return {fault.split(":")[0] for fault in faults_of(streams)}


def changed(stream, **values):
    return replace(stream, values={**stream.values, **values})


def cut(stream, keep):
    return replace(stream, stamps_ns=stream.stamps_ns[keep], values={k: v[keep] for k, v in stream.values.items()})


def test_good_episode_has_none(streams):
    assert faults_of(streams) == []


def test_silent_and_slow_and_broken_streams(streams):
    missing = {k: v for k, v in streams.items() if k != TACTILE_TOPIC}
    assert names(missing) == {"STREAM_MISSING"}
    images = streams[IMAGE_TOPIC]
    assert "STREAM_SLOW" in names(streams | {IMAGE_TOPIC: cut(images, slice(None, None, 3))})
    keep = np.ones(len(images.stamps_ns), bool)
    keep[40:60] = False
    assert "STREAM_GAP" in names(streams | {IMAGE_TOPIC: cut(images, keep)})


@pytest.mark.parametrize("topic", [IMAGE_TOPIC, TACTILE_TOPIC, JOINTS])
def test_stream_that_ends_early_or_begins_late(streams, topic):
    third = len(streams[topic].stamps_ns) // 3
    for part in (slice(None, -third), slice(third, None)):
        assert names(streams | {topic: cut(streams[topic], part)}) == {"STREAM_GAP"}


def test_dropped_messages_are_a_fault(streams):
    assert [fault.split(":")[0] for fault in faults_of(streams, 3)] == ["MESSAGES_DROPPED"]


def test_dark_and_frozen_cameras(streams):
    images = streams[IMAGE_TOPIC]
    assert "CAMERA_DARK" in names(streams | {IMAGE_TOPIC: changed(images, image=images.values["image"] // 40)})
    frozen = images.values["image"].copy()
    frozen[30:60] = frozen[30]
    assert names(streams | {IMAGE_TOPIC: changed(images, image=frozen)}) == {"CAMERA_FROZEN"}


def test_baseline_taken_in_contact_or_not_at_all(streams):
    tactile = streams[TACTILE_TOPIC]
    pressed = tactile.values["baseline_ut"] + 200.0
    assert names(streams | {TACTILE_TOPIC: changed(tactile, baseline_ut=pressed)}) == {"BASELINE_IN_CONTACT"}
    none = np.full_like(pressed, np.nan)
    assert names(streams | {TACTILE_TOPIC: changed(tactile, baseline_ut=none)}) == {"BASELINE_MISSING"}
    invalid = np.zeros_like(tactile.values["valid"])
    assert "TOUCH_INVALID" in names(streams | {TACTILE_TOPIC: changed(tactile, valid=invalid)})


def test_arm_that_stands_still_or_does_not_follow(streams):
    pose = streams[POSE_TOPIC]
    still = np.tile(pose.values["t_base_tcp"][:1], (len(pose.stamps_ns), 1, 1))
    assert names(streams | {POSE_TOPIC: changed(pose, t_base_tcp=still)}) == {"NOT_FOLLOWED"}
    without = {k: v for k, v in streams.items() if k not in (TARGET_TOPIC, COMMAND_TOPIC)}
    assert names(without | {POSE_TOPIC: changed(pose, t_base_tcp=still)}) == {"NO_MOTION"}


def test_refused_commands_are_a_fault(streams):
    gate = changed(streams[COMMAND_TOPIC], rejected=np.linspace(0, 50, 120).astype(int))
    assert names(streams | {"/vital/gate_state": gate}) == {"COMMANDS_REJECTED"}


def test_report_counts_what_is_missing():
    stamps = np.delete(np.arange(30) * 33_333_333, [5, 6, 20])
    report = stream_report("x", stamps, 30.0)
    assert report.dropped == 3 and report.longest_gap_s == pytest.approx(0.1, abs=0.001)
    assert stream_report("x", stamps[:1], 30.0).rate_hz == 0.0


def fault(streams, name):
    """The sentence of the one fault of this name."""
    (found,) = [sentence for sentence in faults_of(streams) if sentence.startswith(f"{name}:")]
    return found


def at(topic, streams, seconds):
    """Which of a topic's samples lie in a span of seconds from the first image on."""
    since_s = (streams[topic].stamps_ns - streams[IMAGE_TOPIC].stamps_ns[0]) / 1e9
    return (since_s >= seconds[0]) & (since_s < seconds[1])


@pytest.mark.parametrize("topic", [IMAGE_TOPIC, TACTILE_TOPIC, JOINTS])
@settings(deadline=None, max_examples=10)
@given(start_s=st.floats(0.6, 2.0), length_s=st.floats(0.6, 1.2))
def test_gap_of_any_stream_is_named_with_its_length_wherever_it_is(topic, start_s, length_s):
    streams = demonstration(120)
    hole = at(topic, streams, (start_s, start_s + length_s))
    found = faults_of(streams | {topic: cut(streams[topic], ~hole)})
    assert found and all(s.startswith(("STREAM_GAP", "STREAM_SLOW")) and topic in s for s in found)


@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 1000), frames=st.integers(60, 120))
def test_sound_episodes_of_any_seed_and_length_have_no_fault(seed, frames):
    assert faults_of(synthetic.streams(frames, seed % 5, jitter_s=0.004 * (seed % 2))) == []


@settings(deadline=None, max_examples=15)
@given(share=st.floats(0.0, 1.0))
def test_dark_images_are_counted(share):
    streams = demonstration(60)
    images = streams[IMAGE_TOPIC]
    dark = images.values["image"].copy()
    dark[: round(share * 60)] //= 40
    found = [s for s in faults_of(streams | {IMAGE_TOPIC: changed(images, image=dark)}) if "CAMERA_DARK" in s]
    told = float(found[0].split(":")[1].split("%")[0]) if found else 0.0
    assert told == 0.0 or abs(told - 100 * round(share * 60) / 60) <= 1.0
    assert bool(found) or share < 0.5


@pytest.mark.parametrize("frozen_s", [0.2, 0.7, 1.5])
def test_frozen_camera_is_told_with_how_long(streams, frozen_s):
    images = streams[IMAGE_TOPIC]
    image = images.values["image"].copy()
    count = round(frozen_s * 30)
    image[20 : 20 + count + 1] = image[20]
    found = [s for s in faults_of(streams | {IMAGE_TOPIC: changed(images, image=image)}) if "CAMERA_FROZEN" in s]
    assert bool(found) == (frozen_s > 0.5)
    if found:
        assert float(found[0].split("for ")[1].split(" s")[0]) == pytest.approx(frozen_s, abs=0.11)


def test_images_of_another_rate_are_a_fault(streams):
    assert "STREAM_SLOW" in names(streams | {IMAGE_TOPIC: cut(streams[IMAGE_TOPIC], slice(None, None, 2))})
    assert names(streams | {IMAGE_TOPIC: cut(streams[IMAGE_TOPIC], np.arange(120) % 4 != 3)}) <= {
        "CAMERA_RATE", "STREAM_SLOW",
    }  # fmt: skip


@pytest.mark.parametrize(("apart_ut", "faulty"), [(0.0, False), (50.0, False), (200.0, True), (1000.0, True)])
def test_baseline_that_the_first_readings_do_not_agree_with(streams, apart_ut, faulty):
    tactile = streams[TACTILE_TOPIC]
    quiet = np.full_like(tactile.values["field_ut"], 300.0)
    quiet[:, 0, 0] += apart_ut
    assert names(streams | {TACTILE_TOPIC: changed(tactile, field_ut=quiet)}) == (
        {"BASELINE_IN_CONTACT"} if faulty else set()
    )


def test_contact_later_in_the_episode_is_no_fault(streams):
    tactile = streams[TACTILE_TOPIC]
    field = tactile.values["field_ut"].copy()
    field[60:] += 800.0
    assert names(streams | {TACTILE_TOPIC: changed(tactile, field_ut=field)}) == set()


def test_fault_tells_what_was_got_and_what_was_expected(streams):
    slow = streams | {TACTILE_TOPIC: cut(streams[TACTILE_TOPIC], slice(None, None, 4))}
    assert fault(slow, "STREAM_SLOW") == "STREAM_SLOW: /anyskin/tactile at 25 Hz, expected 100"


@given(rate_hz=st.floats(5.0, 200.0), count=st.integers(10, 100), seed=st.integers(0, 2**32))
def test_report_counts_exactly_the_samples_that_were_taken_out(rate_hz, count, seed):
    stamps = np.round(np.arange(count) * 1e9 / rate_hz).astype(np.int64)
    keep = np.random.default_rng(seed).random(count) > 0.3
    keep[[0, -1]] = True
    report = stream_report("x", stamps[keep], rate_hz)
    assert report.received == keep.sum() and report.dropped == count - keep.sum()


def test_reports_name_the_streams_that_should_have_come():
    reports = {report.topic: report for report in stream_reports({"/extra": np.arange(5) * 10**8})}
    assert set(reports) == {IMAGE_TOPIC, TACTILE_TOPIC, JOINTS, "/extra"}
    assert reports["/extra"].expected_hz == 0.0 and reports["/extra"].rate_hz == pytest.approx(10.0)
    assert reports[IMAGE_TOPIC].received == 0
