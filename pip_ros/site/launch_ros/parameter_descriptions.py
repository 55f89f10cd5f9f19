"""ParameterValue and ParameterFile."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from launch import _needs_ros
from launch.some_substitutions_type import SomeSubstitutionsType
from launch.substitution import Substitution
from launch.substitutions import EnvironmentVariable, LaunchConfiguration, SubstitutionFailure, ThisLaunchFileDir
from launch.utilities import is_true, normalize_bool, normalize_to_list_of_substitutions, perform_substitutions

from launch_ros import _parameter_typing
from launch_ros.substitutions import FindPackagePrefix, FindPackageShare

if TYPE_CHECKING:
    from launch.launch_context import LaunchContext


class ParameterValue:
    """A parameter's value with the type that it is to have."""

    def __init__(self, value: Any, *, value_type: Any = None) -> None:
        self.value = value
        self.value_type = value_type

    def evaluate(self, context: LaunchContext) -> Any:
        """Return the value; without a type, substitutions and text are read as YAML.

        Raises:
            ValueError: when the value is not of the type.
        """
        value = self.value
        is_text = isinstance(value, str | Substitution)
        if is_text or (isinstance(value, list | tuple) and any(isinstance(part, Substitution) for part in value)):
            text = perform_substitutions(context, normalize_to_list_of_substitutions(value))
            return _parameter_typing.typed_value(text, self.value_type)
        if self.value_type is None:
            return _parameter_typing.evaluate_value(context, value)
        return _parameter_typing.typed_value(yaml.safe_dump(value).removesuffix("...\n").strip(), self.value_type)


class ParameterFile:
    """A parameter file, whose $(var x), $(env X), $(find-pkg-share p) and $(dirname) may be substituted."""

    def __init__(
        self, param_file: SomeSubstitutionsType | Path, *, allow_substs: bool | SomeSubstitutionsType = False
    ) -> None:
        file = str(param_file) if isinstance(param_file, os.PathLike) else param_file
        self.param_file = normalize_to_list_of_substitutions(file)
        self.allow_substs = normalize_bool(allow_substs)

    def evaluate(self, context: LaunchContext) -> Path:
        """Return the path; of a copy in the temporary folder, if substitutions are allowed."""
        path = Path(perform_substitutions(context, self.param_file))
        if not is_true(context, self.allow_substs):
            return path
        text = expand_text(context, path.read_text())
        yaml.safe_load(text)
        return write_temporary_file(text)


def write_temporary_file(text: str) -> Path:
    """Write a parameter file that stays, as the node may be started again, and return its path."""
    with tempfile.NamedTemporaryFile("w", prefix="launch_params_", delete=False) as file:
        file.write(text)
    return Path(file.name)


_INNERMOST = re.compile(r"\$\(([\w-]+)((?:\s+[^()$]*)?)\)")


def expand_text(context: LaunchContext, text: str) -> str:
    """Return a text with every $(...) replaced, the innermost first.

    Raises:
        SubstitutionFailure: for a substitution that only the real launch knows.
    """
    while (match := _INNERMOST.search(text)) is not None:
        value = _substitution(match[1], match[2].split()).perform(context)
        text = text[: match.start()] + value + text[match.end() :]
    return text


def _substitution(name: str, arguments: list[str]) -> Substitution:
    default = arguments[1].strip("'\"") if len(arguments) > 1 else None
    match name, arguments:
        case "var", [variable, *_]:
            return LaunchConfiguration(variable, default=default)
        case "env", [variable, *_]:
            return EnvironmentVariable(variable, default_value=default)
        case "find-pkg-share", [package]:
            return FindPackageShare(package)
        case "find-pkg-prefix", [package]:
            return FindPackagePrefix(package)
        case "dirname", []:
            return ThisLaunchFileDir()
    raise SubstitutionFailure(_needs_ros.sentence(f"$({' '.join([name, *arguments])})"))


__all__ = [
    "ParameterFile",
    "ParameterValue",
]

__getattr__ = _needs_ros.lazy_attribute(__name__)
