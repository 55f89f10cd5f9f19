"""What software made a recording."""

import platform
import subprocess
from importlib import metadata
from pathlib import Path

PACKAGES = ("mcap", "numpy", "mujoco", "rclpy")


def software_versions() -> dict[str, str]:
    """Versions by name, with the source's commit where the project is a checkout."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    versions["commit"] = _commit()
    return versions


def _commit() -> str:
    command = ["git", "-C", str(Path(__file__).resolve().parent), "rev-parse", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=5.0, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return done.stdout.strip() or "unknown"
