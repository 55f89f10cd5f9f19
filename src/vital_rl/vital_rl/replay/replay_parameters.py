"""What the replay node is started with."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from vital_core.errors import ErrorCode, VitalError
from vital_rl.replay.replay_store import DEFAULT_CAPACITY


@dataclass(frozen=True)
class ReplayParameters:
    """The replay node's parameters."""

    folder: Annotated[str, Meta(description="of the replay; made where there is none")] = ""
    capacity: Annotated[int, Meta(ge=100, le=10_000_000, description="steps kept, the oldest episodes go first")] = (
        DEFAULT_CAPACITY
    )

    def folder_path(self) -> Path:
        """The replay's folder. Raises VitalError(BAD_PARAMETER) where none is given."""
        if not self.folder:
            raise VitalError(ErrorCode.BAD_PARAMETER, "the parameter folder is empty: say where the replay is kept")
        return Path(self.folder)
