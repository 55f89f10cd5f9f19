"""What a frame's action is: deltas in the TCP frame, from three sources, and chunks of them with a padding mask."""

from enum import Enum

import numpy as np
from numpy.typing import NDArray

from vital_data.dataset.alignment import MISSING, frames_at, period_ns
from vital_data.files.streams import Stamps


class ActionSource(Enum):
    """Where the pose that an action leads to comes from; the pose that it starts from is always the measured one."""

    MEASURED = "measured"
    """The pose measured one control period later (the paper's)."""
    COMMANDED = "commanded"
    """The target in force at the end of the period, which is what a command to the gate means; it keeps the force of a
    blocked push."""
    DEMONSTRATED = "demonstrated"
    """Where the demonstrator's own hand would move to within the period, its misjudgements included, where noise that
    was injected moves the arm besides (Laskey et al. 2017)."""
    INTENDED = "intended"
    """The same if it misjudged nothing, which only a simulation knows."""


def chunk_frames(frame_ns: Stamps, chunk: int, control_rate_hz: float, frame_rate_hz: float) -> NDArray[np.int64]:
    """(T, chunk): the frame at which each action of the chunk that starts at frame t begins, MISSING where none is.

    Every frame starts a chunk, so all phase offsets of the thinning are there. A frame stands for a time when it
    is within half a frame's period of it.
    """
    wanted_ns = frame_ns[:, None] + np.arange(chunk) * period_ns(control_rate_hz)
    return frames_at(frame_ns, wanted_ns, 0.5 / frame_rate_hz)


def chunks_of(
    actions: NDArray[np.float64], valid: NDArray[np.bool_], frames: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Actions (T, 7) of all frames -> chunks (T, K, 7) and their mask (T, K), by `chunk_frames`' (T, K).

    The mask is False where there is nothing to imitate: past the episode's end, or where an action was refused.
    Such a place holds the last action before it that is real, so that it is never a zero posing as an action.
    """
    there = frames != MISSING
    mask = there & valid[np.where(there, frames, 0)]
    place = np.maximum.accumulate(np.where(mask, np.arange(frames.shape[1]), 0), axis=1)
    filled = np.take_along_axis(np.where(mask, frames, np.arange(len(frames))[:, None]), place, axis=1)
    return actions[filled], mask
