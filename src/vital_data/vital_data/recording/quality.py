"""Faults of an episode, found when it is recorded: what would spoil a training set without a word.

A fault is a sentence that begins with its name. Thresholds leave room for a busy machine's odd moment.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from vital_core.observation import MAGNETOMETERS
from vital_data.files.streams import (
    COMMAND_TOPIC,
    FRAME_RATE_HZ,
    GATE_TOPIC,
    IMAGE_TOPIC,
    JOINT_TOPIC,
    POSE_TOPIC,
    RATE_TOLERANCE,
    TACTILE_TOPIC,
    TARGET_TOPIC,
    Stream,
    median_rate_hz,
)

# Topic -> rate in Hz that it should have.
EXPECTED_HZ = {IMAGE_TOPIC: 30.0, TACTILE_TOPIC: 100.0, JOINT_TOPIC: 50.0}
LEAST_SHARE = 0.6
LONGEST_GAP_S = 0.4
FROZEN_S = 0.5
DARK_LEVEL = 12.0
# A baseline that the first readings of an episode, taken in the air, do not agree with was taken in contact.
BASELINE_APART_UT = 120.0
FIRST_READINGS = 20
STILL_M = 0.005
COMMANDED_M = 0.02
MOVED_SHARE = 0.3
REFUSED_SHARE = 0.05


@dataclass(frozen=True)
class StreamReport:
    """How a topic came during an episode."""

    topic: str
    received: int
    rate_hz: float
    expected_hz: float
    """0 for a topic that has no rate of its own."""
    dropped: int
    """By the gaps in its stamps."""
    longest_gap_s: float


def stream_report(
    topic: str, stamps_ns: NDArray[np.int64], expected_hz: float = 0.0, span_ns: tuple[int, int] | None = None
) -> StreamReport:
    """Rate, gaps and drops of (n,) stamps; expected_hz 0: the topic has no rate that it should have.

    span_ns: first and last stamp of the whole episode; a topic that begins late or ends early has a gap there.
    """
    if len(stamps_ns) < 2:
        return StreamReport(topic, len(stamps_ns), 0.0, expected_hz, 0, 0.0)
    stamps_ns = np.sort(stamps_ns)
    gaps = np.diff(stamps_ns) * 1e-9
    duration = float(gaps.sum())
    rate = len(gaps) / duration if duration > 0.0 else 0.0
    if span_ns is not None:
        gaps = np.append(gaps, np.maximum([stamps_ns[0] - span_ns[0], span_ns[1] - stamps_ns[-1]], 0) * 1e-9)
    dropped = int(np.maximum(np.rint(gaps * expected_hz) - 1, 0).sum()) if expected_hz else 0
    return StreamReport(topic, len(stamps_ns), rate, expected_hz, dropped, float(gaps.max()))


def stream_reports(stamps_ns: Mapping[str, NDArray[np.int64]]) -> list[StreamReport]:
    """A report of every topic, and of those that should have come and did not, from the topics' stamps."""
    ends = [(s.min(), s.max()) for name, s in stamps_ns.items() if name in EXPECTED_HZ and len(s)]
    span_ns = (min(first for first, _ in ends), max(last for _, last in ends)) if ends else None
    empty = np.empty(0, np.int64)
    return [
        stream_report(name, stamps_ns.get(name, empty), hz, span_ns if hz else None)
        for name in dict.fromkeys([*EXPECTED_HZ, *stamps_ns])
        for hz in (EXPECTED_HZ.get(name, 0.0),)
    ]


def faults_of(streams: Mapping[str, Stream], dropped: int = 0) -> list[str]:
    """Everything that is wrong with an episode; nothing for a good one. dropped: messages that were never written."""
    faults = _rate_faults(stream_reports({name: stream.stamps_ns for name, stream in streams.items()}))
    if dropped:
        faults.append(f"MESSAGES_DROPPED: {dropped}, the disk was too slow")
    if IMAGE_TOPIC in streams:
        faults += _image_faults(streams[IMAGE_TOPIC])
    if TACTILE_TOPIC in streams:
        faults += _tactile_faults(streams[TACTILE_TOPIC])
    return faults + _motion_faults(streams) + _command_faults(streams)


def _rate_faults(reports: list[StreamReport]) -> list[str]:
    faults = []
    for r in reports:
        if not r.expected_hz:
            continue
        if r.received < 2:
            faults.append(f"STREAM_MISSING: {r.received} messages on {r.topic}")
        elif r.rate_hz < LEAST_SHARE * r.expected_hz:
            faults.append(f"STREAM_SLOW: {r.topic} at {r.rate_hz:.0f} Hz, expected {r.expected_hz:.0f}")
        elif r.longest_gap_s > LONGEST_GAP_S:
            faults.append(f"STREAM_GAP: nothing on {r.topic} for {r.longest_gap_s:.2f} s, at most {LONGEST_GAP_S} s")
    return faults


def _image_faults(stream: Stream) -> list[str]:
    images: NDArray[np.uint8] = stream.values["image"]
    faults = []
    # As a training set would judge it, which asks for more than that nothing is missing.
    rate_hz = median_rate_hz(stream.stamps_ns)
    if len(images) > 1 and abs(rate_hz / FRAME_RATE_HZ - 1.0) > RATE_TOLERANCE:
        faults.append(f"CAMERA_RATE: images at {rate_hz:.1f} Hz, expected {FRAME_RATE_HZ:g} Hz within 10 %")
    dark = float(np.mean([image[::8, ::8].mean() < DARK_LEVEL for image in images]))
    if dark > 0.1:
        faults.append(f"CAMERA_DARK: {100 * dark:.0f} % of the images")
    same = np.array([np.array_equal(a, b) for a, b in pairwise(images)], bool)
    frozen_s = _longest_run_s(same, stream.stamps_ns)
    if frozen_s > FROZEN_S:
        faults.append(f"CAMERA_FROZEN: the same image for {frozen_s:.1f} s")
    return faults


def _longest_run_s(same: NDArray[np.bool_], stamps_ns: NDArray[np.int64]) -> float:
    longest, start = 0.0, 0
    for i, is_same in enumerate(same):
        if is_same:
            longest = max(longest, (stamps_ns[i + 1] - stamps_ns[start]) * 1e-9)
        else:
            start = i + 1
    return float(longest)


def _tactile_faults(stream: Stream) -> list[str]:
    field, baseline = stream.values["field_ut"], stream.values["baseline_ut"]
    if not np.isfinite(baseline).all():
        return ["BASELINE_MISSING: no tactile baseline was taken before the episode"]
    faults = []
    invalid = float(1.0 - np.mean(stream.values["valid"]))
    if invalid > 0.05:
        faults.append(f"TOUCH_INVALID: {100 * invalid:.0f} % of the readings are saturated or missing")
    first = np.median((field - baseline)[:FIRST_READINGS], axis=0).reshape(MAGNETOMETERS, 3)
    apart = float(np.linalg.norm(first, axis=1).max())
    if apart > BASELINE_APART_UT:
        faults.append(
            f"BASELINE_IN_CONTACT: the episode begins {apart:.0f} µT from its baseline, at most "
            f"{BASELINE_APART_UT:.0f}: one of the two was taken in contact"
        )
    return faults


def _path_m(poses: NDArray[np.float64]) -> float:
    """Length of the way of (n, 4, 4) poses, in steps of more than the encoders' noise."""
    if len(poses) < 2:
        return 0.0
    return float(np.linalg.norm(np.diff(poses[::5, :3, 3], axis=0), axis=1).sum())


def _motion_faults(streams: Mapping[str, Stream]) -> list[str]:
    if POSE_TOPIC not in streams:
        return [f"STREAM_MISSING: 0 messages on {POSE_TOPIC}"]
    moved = _path_m(streams[POSE_TOPIC].values["t_base_tcp"])
    commanded = _path_m(streams[TARGET_TOPIC].values["t_base_tcp"]) if TARGET_TOPIC in streams else 0.0
    if commanded > COMMANDED_M and moved < MOVED_SHARE * commanded:
        return [f"NOT_FOLLOWED: {1000 * commanded:.0f} mm were commanded, the arm moved {1000 * moved:.0f} mm"]
    if moved < STILL_M:
        return [f"NO_MOTION: the arm moved {1000 * moved:.1f} mm"]
    return []


def _command_faults(streams: Mapping[str, Stream]) -> list[str]:
    if COMMAND_TOPIC not in streams or GATE_TOPIC not in streams:
        return []
    gate, commands = streams[GATE_TOPIC].values, len(streams[COMMAND_TOPIC].stamps_ns)
    rejected = int(gate["rejected"][-1]) - int(gate["rejected"][0])
    if rejected > max(1.0, REFUSED_SHARE * commands):
        return [f"COMMANDS_REJECTED: the gate rejected {rejected} of {commands} commands"]
    return []
