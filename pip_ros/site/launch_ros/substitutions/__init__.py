"""Substitutions that look into ROS packages."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from launch import _needs_ros
from launch.some_substitutions_type import SomeSubstitutionsType
from launch.substitution import Substitution
from launch.substitutions import SubstitutionFailure
from launch.utilities import normalize_to_list_of_substitutions, perform_substitutions

if TYPE_CHECKING:
    from launch.launch_context import LaunchContext


class FindPackagePrefix(Substitution):
    """The install prefix of a package."""

    def __init__(self, package: SomeSubstitutionsType) -> None:
        self.package = normalize_to_list_of_substitutions(package)

    def describe(self) -> str:
        """Return the class name with the package."""
        return f"{type(self).__name__}(pkg={' + '.join(sub.describe() for sub in self.package)})"

    def find(self, package: str) -> str:
        """Return the directory.

        Raises:
            ament_index_python.packages.PackageNotFoundError: when the package is not installed.
        """
        from ament_index_python.packages import get_package_prefix

        return str(get_package_prefix(package))

    def perform(self, context: LaunchContext) -> str:
        """Return the directory, as `find` does."""
        return self.find(perform_substitutions(context, self.package))


class FindPackageShare(FindPackagePrefix):
    """The share directory of a package."""

    def find(self, package: str) -> str:
        """Return the directory.

        Raises:
            ament_index_python.packages.PackageNotFoundError: when the package is not installed.
        """
        from ament_index_python.packages import get_package_share_directory

        return str(get_package_share_directory(package))


FindPackage = FindPackagePrefix


class ExecutableInPackage(FindPackagePrefix):
    """The path of an executable of a package, in lib/<package>."""

    def __init__(self, executable: SomeSubstitutionsType, package: SomeSubstitutionsType) -> None:
        super().__init__(package)
        self.executable = normalize_to_list_of_substitutions(executable)

    def perform(self, context: LaunchContext) -> str:
        """Return the path.

        Raises:
            ament_index_python.packages.PackageNotFoundError: when the package is not installed.
            SubstitutionFailure: when it has no such executable.
        """
        name = perform_substitutions(context, self.executable)
        package = perform_substitutions(context, self.package)
        directory = os.path.join(self.find(package), "lib", package)
        path = os.path.join(directory, name)
        if not (os.path.isfile(path) and os.access(path, os.X_OK)):
            raise SubstitutionFailure(f"executable '{name}' not found on the libexec directory '{directory}'")
        return path


__all__ = [
    "ExecutableInPackage",
    "FindPackage",
    "FindPackagePrefix",
    "FindPackageShare",
]

__getattr__ = _needs_ros.lazy_attribute(__name__)
