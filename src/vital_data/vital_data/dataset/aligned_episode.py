"""One recorded episode seen from its image clock: an observation and an action for every 30 Hz frame.

What does not keep the recording's contract refuses the whole episode; a reading that is too old or was invalid
costs only the frames that would need it, and is counted.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vital_core.errors import ErrorCode, VitalError
from vital_core.observation import IMAGE_SIZE_PX, TACTILE_VALUES
from vital_data.dataset.actions import ActionSource
from vital_data.dataset.alignment import MISSING, frames_at, nearest_previous, period_ns
from vital_data.files.stream_values import relative_vectors
from vital_data.files.streams import (
    COMMAND_TOPIC,
    DEMONSTRATED_TOPIC,
    FOREGROUND_TOPIC,
    FRAME_RATE_HZ,
    FRAMES,
    IMAGE_TOPIC,
    INTENDED_TOPIC,
    POSE_TOPIC,
    RATE_TOLERANCE,
    TACTILE_TOPIC,
    TARGET_TOPIC,
    Stamps,
    Stream,
    median_rate_hz,
)

# Where the pose that an action leads to is told, by source; the measured one is there anyway.
END_TOPICS = {
    ActionSource.COMMANDED: TARGET_TOPIC,
    ActionSource.DEMONSTRATED: DEMONSTRATED_TOPIC,
    ActionSource.INTENDED: INTENDED_TOPIC,
}


@dataclass(frozen=True)
class AlignmentConfig:
    """How an episode is read. Ages are of the oldest reading that still belongs to a frame."""

    action_source: ActionSource = ActionSource.COMMANDED
    """Where the actions come from."""
    control_rate_hz: float = 6.0
    """Rate of the actions."""
    frame_rate_hz: float = FRAME_RATE_HZ
    """Rate of the images."""
    tactile_age_s: float = 0.1
    """Of a tactile reading."""
    pose_age_s: float = 0.1
    """Of a measured pose."""
    target_age_s: float = 0.25
    """Of a target: an older one has been given up by the gate, which holds after 2.5 missed periods."""
    foreground: bool = False
    """Whether the images' foreground is read too."""

    def topics(self) -> tuple[str, ...]:
        """The topics that the actions need, the clock first."""
        ends = (END_TOPICS[self.action_source],) if self.action_source in END_TOPICS else ()
        seen = (FOREGROUND_TOPIC,) if self.foreground else ()
        return (IMAGE_TOPIC, TACTILE_TOPIC, POSE_TOPIC, COMMAND_TOPIC, *ends, *seen)


@dataclass(frozen=True)
class AlignedEpisode:
    """T frames at 30 Hz."""

    name: str
    """Folder and file, for messages."""
    stamps_ns: Stamps
    """(T,) of the images."""
    image: NDArray[np.uint8]
    """(T, 128, 128, 3)."""
    tactile_ut: NDArray[np.float32]
    """(T, 15), baseline subtracted; zero where it was not read."""
    tcp_m: NDArray[np.float64]
    """(T, 3) measured position of the TCP in `link_base`."""
    actions: NDArray[np.float64]
    """(T, 7) the 6 Hz action that begins at the frame, in m, rad and gripper units."""
    observed: NDArray[np.bool_]
    """(T,) whether the frame's observation is to be used."""
    valid: NDArray[np.bool_]
    """(T,) whether its action is to be used."""
    refused: Mapping[str, int] = field(default_factory=dict)
    """How many frames are not, by reason."""
    foreground: NDArray[np.uint8] | None = None
    """(T, 128, 16), a bit a pixel; None where it was not asked for."""

    def __len__(self) -> int:
        return len(self.stamps_ns)


def refuse(name: str, what: str) -> VitalError:
    """The refusal of an episode: what was got, what was expected."""
    return VitalError(ErrorCode.BAD_DATASET, f"episode {name}: {what}")


def align(name: str, streams: Mapping[str, Stream], config: AlignmentConfig) -> AlignedEpisode:
    """Align ``streams`` on the image clock. Raises VitalError(BAD_DATASET) when they break the contract."""
    _check_topics(name, streams, config)
    image = _checked_image(name, streams[IMAGE_TOPIC], config)
    clock_ns = streams[IMAGE_TOPIC].stamps_ns
    tactile_ut, observed = _tactile(name, streams[TACTILE_TOPIC], clock_ns, config)
    measured = nearest_previous(clock_ns, streams[POSE_TOPIC].stamps_ns, config.pose_age_s)
    t_base_tcp = _checked_poses(name, POSE_TOPIC, streams)[measured.index]
    t_base_end, known = _period_end(name, streams, clock_ns, (t_base_tcp, measured.fresh), config)
    gripper, gripper_known = _gripper(name, streams[COMMAND_TOPIC], clock_ns + period_ns(config.control_rate_hz))
    actions = np.concatenate([relative_vectors(t_base_tcp, t_base_end), gripper[:, None]], axis=1)
    whole = _covered(clock_ns, config)
    refused = {
        "tactile reading too old or invalid": int((~observed).sum()),
        "pose too old": measured.refused,
        f"{config.action_source.value} pose at the period's end too old or missing": int((whole & ~known).sum()),
        "no command yet": int((whole & ~gripper_known).sum()),
    }
    valid = whole & measured.fresh & known & gripper_known
    foreground = None
    if config.foreground:
        foreground, seen = _foreground(name, streams[FOREGROUND_TOPIC], clock_ns)
        refused["no foreground of this image"] = int((~seen).sum())
        observed = observed & seen
    tcp_m = t_base_tcp[:, :3, 3]
    return AlignedEpisode(name, clock_ns, image, tactile_ut, tcp_m, actions, observed, valid, refused, foreground)


def _check_topics(name: str, streams: Mapping[str, Stream], config: AlignmentConfig) -> None:
    for topic in config.topics():
        if topic not in streams or not len(streams[topic].stamps_ns):
            raise refuse(name, f"has no message on {topic}, expected some {_purpose(topic, config)}")
        if (frame := streams[topic].frame) != FRAMES.get(topic, frame):
            raise refuse(name, f"{topic} is in frame '{frame}', expected '{FRAMES[topic]}'")
        steps = np.diff(streams[topic].stamps_ns)
        if (steps < 0).any():
            at = int(np.argmax(steps < 0))
            raise refuse(name, f"{topic} goes back by {-steps[at] / 1e6:.1f} ms at sample {at + 1}, expected order")


def _purpose(topic: str, config: AlignmentConfig) -> str:
    if topic == FOREGROUND_TOPIC:
        return "to put other backgrounds behind the images; train without, or record in the simulation"
    hint = "; choose another source" if topic in (DEMONSTRATED_TOPIC, INTENDED_TOPIC) else ""
    return f"for {config.action_source.value} actions{hint}"


def _foreground(name: str, stream: Stream, clock_ns: Stamps) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """(T, 128, 16) packed foreground of each image, and whether there is one (T,): only the same moment's counts."""
    image = np.asarray(stream.values["image"])
    expected = (len(stream.stamps_ns), IMAGE_SIZE_PX, IMAGE_SIZE_PX)
    if image.shape != expected or image.dtype != np.uint8:
        raise refuse(name, f"{FOREGROUND_TOPIC} has {image.dtype} {image.shape}, expected uint8 {expected}")
    at = np.minimum(np.searchsorted(stream.stamps_ns, clock_ns), len(image) - 1)
    return np.packbits(image > 0, axis=-1)[at], stream.stamps_ns[at] == clock_ns


def _checked_image(name: str, stream: Stream, config: AlignmentConfig) -> NDArray[np.uint8]:
    image, frames = stream.values["image"], len(stream.stamps_ns)
    expected = (frames, IMAGE_SIZE_PX, IMAGE_SIZE_PX, 3)
    if image.shape != expected or image.dtype != np.uint8:
        raise refuse(name, f"images are {image.dtype} {image.shape}, expected uint8 {expected}")
    rate_hz = median_rate_hz(stream.stamps_ns)
    if abs(rate_hz / config.frame_rate_hz - 1.0) > RATE_TOLERANCE:
        raise refuse(name, f"images come at {rate_hz:.1f} Hz, expected {config.frame_rate_hz:g} Hz")
    if frames * config.control_rate_hz < 2 * config.frame_rate_hz:
        raise refuse(name, f"{frames} images, expected at least two control periods of them")
    return image


def _check_finite(name: str, topic: str, what: str, values: NDArray) -> None:
    if bad := int((~np.isfinite(values)).sum()):
        raise refuse(name, f"{topic} {what} has {bad} values that are not finite, expected none")


def _tactile_values(name: str, stream: Stream, what: str) -> NDArray[np.float32]:
    values = np.asarray(stream.values[what], np.float32)
    values = values.reshape(len(values), -1)
    if values.shape != (len(stream.stamps_ns), TACTILE_VALUES):
        raise refuse(name, f"{TACTILE_TOPIC} {what} has {values.shape[1]} values, expected {TACTILE_VALUES}")
    return values


def _tactile(
    name: str, stream: Stream, clock_ns: Stamps, config: AlignmentConfig
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    newest = nearest_previous(clock_ns, stream.stamps_ns, config.tactile_age_s)
    samples = len(stream.stamps_ns)
    field_ut, baseline_ut = (_tactile_values(name, stream, what) for what in ("field_ut", "baseline_ut"))
    valid = np.asarray(stream.values["valid"], bool).reshape(samples, -1)
    used = np.unique(newest.index[newest.fresh])
    if len(used) and not np.isfinite(baseline_ut[used]).all():
        raise refuse(name, "the tactile baseline is missing, expected one taken before the episode; record it again")
    read = used[valid[used].all(1)]
    _check_finite(name, TACTILE_TOPIC, "field_ut", field_ut[read])
    observed = newest.fresh & valid[newest.index].all(1)
    difference = (field_ut - baseline_ut)[newest.index]
    return np.where(observed[:, None], difference, np.float32(0.0)), observed


def _checked_poses(name: str, topic: str, streams: Mapping[str, Stream]) -> NDArray[np.float64]:
    poses = np.asarray(streams[topic].values["t_base_tcp"], float)
    _check_finite(name, topic, "pose", poses)
    return poses


def _period_end(
    name: str,
    streams: Mapping[str, Stream],
    clock_ns: Stamps,
    measured: tuple[NDArray[np.float64], NDArray[np.bool_]],
    config: AlignmentConfig,
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """(T, 4, 4) pose that each frame's action leads to, and where it is known (T,)."""
    end_ns = clock_ns + period_ns(config.control_rate_hz)
    if config.action_source is ActionSource.MEASURED:
        following = frames_at(clock_ns, end_ns, 0.5 / config.frame_rate_hz)
        poses, fresh = measured
        return poses[following], (following != MISSING) & fresh[following]
    topic = END_TOPICS[config.action_source]
    if config.action_source is ActionSource.COMMANDED:
        # A target stamped at the very end of the period belongs to the next one.
        newest = nearest_previous(end_ns, streams[topic].stamps_ns, config.target_age_s, before=True)
    else:
        newest = nearest_previous(clock_ns, streams[topic].stamps_ns, config.target_age_s)
    return _checked_poses(name, topic, streams)[newest.index], newest.fresh


def _gripper(name: str, stream: Stream, end_ns: Stamps) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """(T,) what the gripper was last told before the period's end: it stays so until it is told otherwise."""
    gripper = np.asarray(stream.values["gripper"], float)
    _check_finite(name, COMMAND_TOPIC, "gripper", gripper)
    newest = nearest_previous(end_ns, stream.stamps_ns, np.finfo(float).max, before=True)
    return gripper[newest.index], newest.fresh


def _covered(clock_ns: Stamps, config: AlignmentConfig) -> NDArray[np.bool_]:
    """(T,) whether the recording lasts to the end of the period that begins at the frame.

    The last frame stands for its own frame period; measured poses end with the last frame.
    """
    frames = 0.5 if config.action_source is ActionSource.MEASURED else 1.5
    last_ns = clock_ns[-1] + round(frames * 1e9 / config.frame_rate_hz)
    return clock_ns + period_ns(config.control_rate_hz) <= last_ns
