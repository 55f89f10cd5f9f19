"""The reference views that are at hand, by task."""

from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory

from vital_core.errors import ErrorCode, VitalError
from vital_core.task import load_task
from vital_vlm_reach.localisation.registration import Reference
from vital_vlm_reach.localisation.target_view import NO_VIEWS, SHIPPED, load_view


def references_folder(given: str) -> Path | None:
    """The folder that is meant by a parameter: a path, `shipped` for the simulated targets', or `none`."""
    if given == NO_VIEWS:
        return None
    if given != SHIPPED:
        return Path(given)
    try:
        return Path(get_package_share_directory("vital_vlm_reach")) / "references"
    except PackageNotFoundError as error:
        raise VitalError(ErrorCode.BAD_PARAMETER, "the package vital_vlm_reach is not installed: build it") from error


class References:
    """Reads each view once, when it is first asked for; without a folder (None) there is none of anything.

    Raises VitalError(BAD_PARAMETER) when the folder is not there.
    """

    def __init__(self, folder: Path | None) -> None:
        if folder is not None and not folder.is_dir():
            raise VitalError(
                ErrorCode.BAD_PARAMETER,
                f"references is '{folder}', expected a folder of views, '{SHIPPED}' or '{NO_VIEWS}'",
            )
        self._folder = folder
        self._read: dict[str, Reference] = {}

    def of(self, task: str) -> Reference | None:
        """The reference of a task's target; None without a task, or where nobody took one.

        Raises VitalError: UNKNOWN_TASK, BAD_PARAMETER when the file is no view.
        """
        if not task or self._folder is None:
            return None
        symmetry = load_task(task).target_symmetry
        path = self._folder / f"{task}.png"
        if task not in self._read and path.exists():
            self._read[task] = Reference(load_view(path), symmetry)
        return self._read.get(task)
