"""Reading `*.launch.py`."""

from __future__ import annotations

import importlib.util
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

from launch._needs_ros import sentence
from launch.launch_description import LaunchDescription
from launch.launch_description_source import LaunchDescriptionSource
from launch.some_substitutions_type import SomeSubstitutionsType


class InvalidLaunchFileError(Exception):
    """The file is not a launch file."""

    def __init__(self, extension: str = "", *, likely_errors: list[Exception] | None = None) -> None:
        super().__init__(extension)
        self.likely_errors = likely_errors or []

    def __str__(self) -> str:
        errors = "; ".join(f"{type(error).__name__}: {error}" for error in self.likely_errors)
        return "Caught exception when trying to load file of format [{}]: {}".format(
            self.args[0] or "unknown", errors or "not a Python launch file"
        )


class InvalidPythonLaunchFileError(Exception):
    """The Python file has no `generate_launch_description`."""


def load_python_launch_file_as_module(path: str) -> ModuleType:
    """Return the file as a module that is not in `sys.modules`."""
    loader = SourceFileLoader("python_launch_file", path)
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def get_launch_description_from_python_launch_file(path: str) -> LaunchDescription:
    """Return what the file's `generate_launch_description` returns.

    Raises:
        InvalidPythonLaunchFileError: when the file has no such function.
    """
    module = load_python_launch_file_as_module(path)
    if not hasattr(module, "generate_launch_description"):
        raise InvalidPythonLaunchFileError(
            f"launch file at '{path}' does not contain the required function 'generate_launch_description()'"
        )
    return module.generate_launch_description()  # type: ignore[no-any-return]


def get_launch_description_from_any_launch_file(path: str) -> LaunchDescription:
    """Return the launch description in a Python launch file.

    Raises:
        FileNotFoundError: when there is no such file.
        InvalidLaunchFileError: when it cannot be read, or is XML or YAML.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(2, "No such file or directory", path)
    extension = Path(path).suffix.lstrip(".")
    if extension in ("xml", "yaml", "yml"):
        raise InvalidLaunchFileError(
            extension, likely_errors=[NotImplementedError(sentence(f"a .{extension} launch file"))]
        )
    try:
        return get_launch_description_from_python_launch_file(path)
    except Exception as error:
        raise InvalidLaunchFileError(extension, likely_errors=[error]) from error


class PythonLaunchDescriptionSource(LaunchDescriptionSource):
    """A launch description from a Python file."""

    def __init__(self, launch_file_path: SomeSubstitutionsType) -> None:
        super().__init__(None, launch_file_path, "interpreted python launch file")

    def _get_launch_description(self, location: str) -> LaunchDescription:
        return get_launch_description_from_python_launch_file(location)


class AnyLaunchDescriptionSource(LaunchDescriptionSource):
    """A launch description from a launch file of any format; here only Python."""

    def __init__(self, launch_file_path: SomeSubstitutionsType) -> None:
        super().__init__(None, launch_file_path, "interpreted launch file")

    def _get_launch_description(self, location: str) -> LaunchDescription:
        return get_launch_description_from_any_launch_file(location)
