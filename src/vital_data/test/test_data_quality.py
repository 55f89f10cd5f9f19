"""Faults are found where there are some, and nowhere else."""

from dataclasses import replace

import numpy as np
import pytest

from vital_data.dataset import synthetic
from vital_data.files.streams import COMMAND_TOPIC, IMAGE_TOPIC, POSE_TOPIC, TACTILE_TOPIC, TARGET_TOPIC
from vital_data.recording.quality import faults_of, stream_report

JOINTS = "/joint_states"


@pytest.fixture
def streams():
    return synthetic.streams(120)


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
