"""What the recorder's node is asked for."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from vital_core.errors import ErrorCode, VitalError
from vital_core.files import safe_file, schema
from vital_core.task import WINDOW, WristView


@dataclass(frozen=True)
class RecorderParameters:
    """What is recorded, and where."""

    task: Annotated[str, Meta(description="the task that is demonstrated")] = "usb_insertion"
    session: Annotated[str, Meta(description="folder of the session; empty: recordings/<task>")] = ""
    min_free_mb: Annotated[int, Meta(ge=1, le=10**9, description="free space below which none is begun, MB")] = 200
    wrist_view: Annotated[WristView, Meta(description="what the wrist image shows")] = WINDOW
    calibration_file: Annotated[str, Meta(description="cameras' calibration, kept with the session")] = ""

    def calibration_text(self) -> str:
        """The calibration as it was, word for word; empty without one. Raises VitalError(NO_CALIBRATION)."""
        if not self.calibration_file:
            return ""
        try:
            return safe_file.read_bytes(Path(self.calibration_file), schema.YAML_BYTES).decode()
        except (OSError, UnicodeDecodeError) as error:
            raise VitalError(
                ErrorCode.NO_CALIBRATION, f"calibration {self.calibration_file} cannot be read: {error}"
            ) from error
