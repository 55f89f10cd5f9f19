"""The reference views that are at hand, by task."""

from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory

from vital_core.errors import ErrorCode, VitalError
from vital_core.task import load_task
from vital_vlm_reach.localisation.registration import Reference
from vital_vlm_reach.localisation.target_view import SHIPPED, load_view


def references_folder(given: str) -> Path:
    """The folder that is meant by a parameter: a path, or `shipped`, the simulated targets'."""
    if given != SHIPPED:
        return Path(given)
    try:
        return Path(get_package_share_directory("vital_vlm_reach")) / "references"
    except PackageNotFoundError as error:
        raise VitalError(ErrorCode.BAD_PARAMETER, "the package vital_vlm_reach is not installed: build it") from error


class References:
    """Reads each view once, when it is first asked for. Raises VitalError(BAD_PARAMETER) without such a folder."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise VitalError(
                ErrorCode.BAD_PARAMETER, f"references is '{folder}', expected a folder of views or '{SHIPPED}'"
            )
        self._folder = folder
        self._read: dict[str, Reference] = {}

    def of(self, task: str) -> Reference | None:
        """The reference of a task's target; None without a task, or where nobody took one.

        Raises VitalError: UNKNOWN_TASK, BAD_PARAMETER when the file is no view.
        """
        if not task:
            return None
        symmetry = load_task(task).target_symmetry
        path = self._folder / f"{task}.png"
        if task not in self._read and path.exists():
            self._read[task] = Reference(load_view(path), symmetry)
        return self._read.get(task)
