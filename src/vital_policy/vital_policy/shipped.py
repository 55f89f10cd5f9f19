"""Where the checkpoints that come with the package are."""

from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory


def checkpoint_folder() -> Path:
    """The installed `share/vital_policy/checkpoints`, or the source tree's when the package is not installed."""
    try:
        return Path(get_package_share_directory("vital_policy")) / "checkpoints"
    except PackageNotFoundError:
        return Path(__file__).parents[1] / "checkpoints"
