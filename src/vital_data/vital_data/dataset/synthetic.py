"""A made-up demonstration, for tests and measurements: a descent with a slow turn, in all streams of a recording."""

import numpy as np

from vital_core import pose as pose_of
from vital_data.files import streams as topics
from vital_data.files.stream_values import values_of_matrices
from vital_data.files.streams import JOINT_TOPIC, NS_PER_S, Stamps, Stream

START_NS = 1_700_000_000 * NS_PER_S
SPEED_M_S, TURN_RAD_S, LEAD_S = 0.03, 0.06, 0.15


def _stamps(rng: np.random.Generator, duration_s: float, rate_hz: float, jitter_s: float) -> Stamps:
    times_s = np.arange(0.0, duration_s, 1.0 / rate_hz)
    return START_NS + np.round((times_s + rng.uniform(0, jitter_s, len(times_s))) * NS_PER_S).astype(np.int64)


def pose_at(seconds: float, seed: int = 0) -> pose_of.Pose:
    """Where the TCP is, s after the start."""
    position = (0.45, 0.002 * seed, 0.3 - SPEED_M_S * (1 + 0.1 * seed) * seconds)
    return pose_of.point_down(position, TURN_RAD_S * seconds)


def _poses(stamps_ns: Stamps, seed: int, lead_s: float = 0.0) -> np.ndarray:
    return np.stack([pose_at((stamp - START_NS) / NS_PER_S + lead_s, seed) for stamp in stamps_ns])


def _images(rng: np.random.Generator, frames: int) -> np.ndarray:
    """Smooth images with a moving spot and a little grain: they compress about as a camera's do."""
    y, x = np.mgrid[0:128, 0:128]
    t = np.arange(frames)[:, None, None]
    spot = 160 * np.exp(-((x - 64 - 30 * np.sin(t / 20)) ** 2 + (y - 20 - t % 90) ** 2) / 300)
    base = (40 + x * 0.6 + y * 0.4 + spot)[..., None] * np.array([1.0, 0.8, 0.6])
    return np.clip(base + rng.integers(-3, 4, (frames, 128, 128, 1)), 0, 255).astype(np.uint8)


def streams(frames: int = 60, seed: int = 0, jitter_s: float = 0.002, labels: bool = False) -> dict[str, Stream]:
    """Streams of an episode of ``frames`` images at 30 Hz: tactile 100 Hz, joints and poses 50 Hz, commands 30 Hz."""
    rng = np.random.default_rng(seed)
    duration_s = frames / topics.FRAME_RATE_HZ - 1e-6
    image = _stamps(rng, duration_s, 30.0, jitter_s)
    tactile = _stamps(rng, duration_s, 100.0, jitter_s)
    state = _stamps(rng, duration_s, 50.0, jitter_s)
    command = image + 5_000_000
    # The first readings come before the first image.
    tactile[0], state[0] = image[0] - 1_000_000, image[0] - 2_000_000
    field = rng.normal(0, 20, (len(tactile), 5, 3)) + 300.0
    made = {
        topics.IMAGE_TOPIC: Stream(image, {"image": _images(rng, frames)}),
        topics.TACTILE_TOPIC: Stream(
            tactile,
            {
                "field_ut": field.astype(np.float32),
                "baseline_ut": np.full((len(tactile), 5, 3), 300.0, np.float32),
                "valid": np.ones((len(tactile), 5), bool),
            },
        ),
        JOINT_TOPIC: Stream(state, {"position_rad": rng.uniform(-1, 1, (len(state), 7))}),
        topics.POSE_TOPIC: Stream(state, values_of_matrices(_poses(state, seed)), topics.FRAMES[topics.POSE_TOPIC]),
        topics.TARGET_TOPIC: Stream(
            command, values_of_matrices(_poses(command, seed, LEAD_S)), topics.FRAMES[topics.TARGET_TOPIC]
        ),
        topics.COMMAND_TOPIC: Stream(
            command,
            {
                "translation_m": rng.normal(0, 0.002, (frames, 3)),
                "rotation_rad": rng.normal(0, 0.01, (frames, 3)),
                "gripper": np.ones(frames),
                "duration_s": np.full(frames, 1.0 / 30.0),
            },
            topics.FRAMES[topics.COMMAND_TOPIC],
        ),
    }
    if labels:
        for topic, ahead_s in ((topics.INTENDED_TOPIC, 2 * LEAD_S), (topics.DEMONSTRATED_TOPIC, 3 * LEAD_S)):
            made[topic] = Stream(image, values_of_matrices(_poses(image, seed, ahead_s)), topics.FRAMES[topic])
    return made
