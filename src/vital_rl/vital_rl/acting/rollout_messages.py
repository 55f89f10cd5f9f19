"""A step of the replay as a message, both ways."""

import math
from typing import Any

import numpy as np

from vital_core.observation import IMAGE_SIZE_PX
from vital_interfaces.msg import ReplayStep as StepMessage
from vital_rl.acting.rollout import FOREGROUND_SHAPE, ReplayStep
from vital_ros.message_check import refusal, within

ARRAYS = ("tactile_ut", "base", "residual", "executed")
# µT; m and rad in one control period. What is learned from must not be swept away by one number.
LARGEST = {"tactile_ut": 1e6, "base": 10.0, "residual": 10.0, "executed": 10.0}
FOREGROUND_BYTES = FOREGROUND_SHAPE[0] * FOREGROUND_SHAPE[1]
NUMBERS = ("stamp_ns", "steady_ns", "weights_version", "distance_m")


def to_message(step: ReplayStep) -> StepMessage:
    """Inverse of `from_message`."""
    message = StepMessage(owner=step.owner, **{name: getattr(step, name) for name in NUMBERS})
    message.image = np.ascontiguousarray(step.image).reshape(-1)
    for name in ARRAYS:
        setattr(message, name, np.asarray(getattr(step, name), np.float32))
    if step.foreground is not None:
        message.foreground = step.foreground.tobytes()
    return message


def from_message(message: StepMessage) -> ReplayStep:
    """Raises VitalError: BAD_OBSERVATION for values that are not finite, and for half a foreground; BAD_MESSAGE for
    those that no sensor or arm has."""
    image = np.asarray(message.image, np.uint8).reshape(IMAGE_SIZE_PX, IMAGE_SIZE_PX, 3)
    values: dict[str, Any] = {name: np.asarray(getattr(message, name), np.float32) for name in ARRAYS}
    for name, largest in LARGEST.items():
        within(name, values[name], largest)
    if math.isinf(message.distance_m):
        raise refusal(f"distance_m is {message.distance_m}, expected a finite one, or NaN where nobody knows")
    values |= {name: getattr(message, name) for name in NUMBERS}
    if len(message.foreground):
        shown = np.asarray(message.foreground, np.uint8)
        values["foreground"] = shown.reshape(FOREGROUND_SHAPE) if shown.size == FOREGROUND_BYTES else shown
    return ReplayStep(image, owner=message.owner, **values)
