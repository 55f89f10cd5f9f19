"""What the tactile pad's node is asked for."""

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from vital_core.arm.xarm7 import TCP_FRAME
from vital_perception.anyskin.mounting import AS_MOUNTED, NO_ROTATION
from vital_perception.anyskin.serial_reader import AUTO, BAUD


@dataclass(frozen=True)
class AnySkinParameters:
    """Where the pad is and how it is mounted; axes and rotation as `anyskin.mounting` tells."""

    port: Annotated[str, Meta(description="serial device, or auto: the first AnySkin on USB")] = AUTO
    baud: Annotated[int, Meta(ge=1200, le=4_000_000, description="bits per second")] = BAUD
    axes: Annotated[tuple[int, ...], Meta(description="signed order of the 15 values, see anyskin.mounting")] = (
        AS_MOUNTED
    )
    rotation: Annotated[tuple[float, ...], Meta(description="sensor axes to pad axes, matrix by rows")] = NO_ROTATION
    frame_id: Annotated[str, Meta(description="frame in whose axes the field is given")] = TCP_FRAME
