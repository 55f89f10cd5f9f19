"""Substitutions for text, launch configurations, environment variables, locals and paths."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from launch.some_substitutions_type import SomeSubstitutionsType
from launch.substitution import Substitution
from launch.utilities import normalize_to_list_of_substitutions, perform_substitutions

if TYPE_CHECKING:
    from launch.launch_context import LaunchContext


class SubstitutionFailure(Exception):
    """A substitution has no value in this context."""


def describe_all(subs: Iterable[Substitution]) -> str:
    """Return the substitutions in words, joined by plus signs."""
    return " + ".join(sub.describe() for sub in subs)


class TextSubstitution(Substitution):
    """Literal text."""

    def __init__(self, *, text: str) -> None:
        if not isinstance(text, str):
            raise TypeError(f"TextSubstitution expected a 'str' object got '{type(text)}'")
        self.text = text

    def describe(self) -> str:
        """Return the text in quotes."""
        return f"'{self.text}'"

    def perform(self, context: LaunchContext) -> str:
        """Return the text."""
        return self.text


def _default_as_substitutions(default: Any) -> list[Substitution] | None:
    if default is None:
        return None
    parts = default if isinstance(default, Iterable) and not isinstance(default, str) else [default]
    return normalize_to_list_of_substitutions(
        [part if isinstance(part, str | Substitution) else str(part) for part in parts]
    )


class LaunchConfiguration(Substitution):
    """The value of a launch configuration, such as a declared argument."""

    def __init__(self, variable_name: SomeSubstitutionsType, *, default: Any = None) -> None:
        self.variable_name = normalize_to_list_of_substitutions(variable_name)
        self.default = _default_as_substitutions(default)

    def describe(self) -> str:
        """Return LaunchConfig('name')."""
        return f"LaunchConfig({describe_all(self.variable_name)})"

    def perform(self, context: LaunchContext) -> str:
        """Return the value, or else the default.

        Raises:
            SubstitutionFailure: without a value and a default.
        """
        name = perform_substitutions(context, self.variable_name)
        if name in context.launch_configurations:
            return str(context.launch_configurations[name])
        if self.default is None:
            raise SubstitutionFailure(f"launch configuration '{name}' does not exist")
        return perform_substitutions(context, self.default)


class EnvironmentVariable(Substitution):
    """The value of an environment variable while launching."""

    def __init__(self, name: SomeSubstitutionsType, *, default_value: SomeSubstitutionsType | None = None) -> None:
        self.name = normalize_to_list_of_substitutions(name)
        self.default_value = None if default_value is None else normalize_to_list_of_substitutions(default_value)

    def describe(self) -> str:
        """Return EnvVar('NAME')."""
        return f"EnvVar({describe_all(self.name)})"

    def perform(self, context: LaunchContext) -> str:
        """Return the value, or else the default.

        Raises:
            SubstitutionFailure: without a value and a default.
        """
        name = perform_substitutions(context, self.name)
        if name in context.environment:
            return context.environment[name]
        if self.default_value is None:
            raise SubstitutionFailure(f"environment variable '{name}' does not exist")
        return perform_substitutions(context, self.default_value)


class PathJoinSubstitution(Substitution):
    """Path components joined by the separator; each component is text or one substitution."""

    def __init__(self, substitutions: Iterable[str | Substitution]) -> None:
        self.substitutions = normalize_to_list_of_substitutions(substitutions)

    def describe(self) -> str:
        """Return PathJoin(''a' + 'b'')."""
        return "PathJoin('{}')".format(" + ".join(sub.describe() for sub in self.substitutions))

    def perform(self, context: LaunchContext) -> str:
        """Return the joined path."""
        return os.path.join(*[sub.perform(context) for sub in self.substitutions])


class LocalSubstitution(Substitution):
    """A variable of the launch context."""

    def __init__(self, expression: str, description: str | None = None) -> None:
        self.expression = expression
        self.description = description

    def describe(self) -> str:
        """Return the description, or else Local('name')."""
        return self.description or f"Local('{self.expression}')"

    def perform(self, context: LaunchContext) -> str:
        """Return the variable as text.

        Raises:
            SubstitutionFailure: when there is no such variable.
        """
        try:
            value: Any = context.locals
            for name in self.expression.split("."):
                value = getattr(value, name)
        except AttributeError as error:
            raise SubstitutionFailure(str(error)) from error
        return str(value)


class ThisLaunchFile(Substitution):
    """The path of the launch file being read."""

    _variable = "current_launch_file_path"

    def perform(self, context: LaunchContext) -> str:
        """Return the path.

        Raises:
            SubstitutionFailure: outside any launch file.
        """
        value = context.get_locals_as_dict().get(self._variable)
        if value is None:
            raise SubstitutionFailure(f"{type(self).__name__} used outside of a launch file (in a script)")
        return str(value)


class ThisLaunchFileDir(ThisLaunchFile):
    """The directory of the launch file being read."""

    _variable = "current_launch_file_directory"
