"""Packages and their executables, as the ament index knows them."""

from __future__ import annotations

import os
from pathlib import Path


def package_prefix(package: str) -> Path | None:
    """Return a package's install prefix, or None if it is not installed."""
    from ament_index_python.packages import PackageNotFoundError, get_package_prefix

    try:
        return Path(get_package_prefix(package))
    except (PackageNotFoundError, ValueError):
        return None


def package_names() -> list[str]:
    """Return the names of all installed packages in order."""
    from ament_index_python.packages import get_packages_with_prefixes

    return sorted(get_packages_with_prefixes())


def executables(package: str) -> list[Path] | None:
    """Return the executables of a package, or None if it is not installed."""
    prefix = package_prefix(package)
    if prefix is None:
        return None
    directory = prefix / "lib" / package
    found = []
    for root, directories, files in os.walk(directory):
        directories[:] = sorted(name for name in directories if not name.startswith("."))
        found += [Path(root) / name for name in sorted(files)]
    return [path for path in found if os.access(path, os.X_OK)]
