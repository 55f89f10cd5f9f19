"""What every teleoperation device gives: one sample of a person's hand, 30 times a second."""

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vital_core.pose import Pose


class DeviceName(StrEnum):
    """The devices that there are."""

    KEYBOARD = "keyboard"
    GAMEPAD = "gamepad"
    SPACEMOUSE = "spacemouse"
    WEBXR = "webxr"
    """A phone or headset, by a page that the node serves."""
    REMOTE = "remote"
    """Fed over ROS, by a headset's bridge or the scripted operator; made by the node."""


class Button(IntEnum):
    """What a person says with a button; the values of TeleopEvent."""

    START = 1
    SUCCESS = 2
    FAILURE = 3
    REDO = 4
    STOP = 5
    FINISH = 6


@dataclass(frozen=True)
class DeviceSample:
    """The state of a device now, and the buttons pressed since the last sample.

    Either ``pose`` (4, 4), of the hand in the device's own frame, or ``twist`` (6,), m/s and rad/s, or neither.
    clutch: closed, the arm follows. gripper: 0 open, 1 closed. alive_s: steady time of the last sign of life;
    input_s: of the last motion or button.
    """

    alive_s: float
    clutch: bool = False
    pose: Pose | None = None
    twist: NDArray[np.float64] | None = None
    gripper: float = 1.0
    buttons: tuple[Button, ...] = ()
    input_s: float = field(default=float("-inf"))


class Device(Protocol):
    """A device. `poll` never blocks."""

    name: str
    help: str

    def open(self) -> None:
        """Take hold of it. Raises VitalError(DEVICE_LOST) when it is not there, with what to do about it."""

    def poll(self) -> DeviceSample:
        """Its state now. Raises VitalError(DEVICE_LOST) when it has gone."""

    def close(self) -> None:
        """Leave it as it was found."""
