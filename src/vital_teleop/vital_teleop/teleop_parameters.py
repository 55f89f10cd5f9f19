"""What the teleoperation node is asked for; further parameters in `FollowConfig` and `WebXrSettings`."""

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from vital_teleop.device import DeviceName


@dataclass(frozen=True)
class TeleopParameters:
    """Whose hand moves the arm, and for which task."""

    task: Annotated[str, Meta(description="the task whose box and limits hold")] = "usb_insertion"
    device: Annotated[str, Meta(description=f"one of {', '.join(DeviceName)}")] = "keyboard"
    take_over: Annotated[bool, Meta(description="take the arm from whoever has it when the clutch closes")] = False
