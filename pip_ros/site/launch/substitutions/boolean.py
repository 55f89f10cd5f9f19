"""Comparisons and logic; each result is the text 'true' or 'false'."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import yaml

from launch.some_substitutions_type import SomeSubstitutionsType
from launch.substitution import Substitution
from launch.substitutions.values import SubstitutionFailure, describe_all
from launch.utilities import normalize_to_list_of_substitutions, perform_substitutions

if TYPE_CHECKING:
    from launch.launch_context import LaunchContext


def _text(value: bool) -> str:
    return "true" if value else "false"


def _evaluate(context: LaunchContext, expression: Iterable[Substitution]) -> bool:
    """1 and 0, or what YAML takes for a boolean: yes and off too, which a condition would refuse."""
    text = perform_substitutions(context, expression)
    try:
        value = {"1": True, "0": False}.get(text, yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise SubstitutionFailure(f"Failed to convert '{text}' to a boolean: {error}") from error
    if not isinstance(value, bool):
        raise SubstitutionFailure(f"Cannot convert value '{text}' to a boolean")
    return value


class NotSubstitution(Substitution):
    """True when the value says false."""

    def __init__(self, value: SomeSubstitutionsType) -> None:
        self.value = normalize_to_list_of_substitutions(value)

    def describe(self) -> str:
        """Return NotSubstitution(value)."""
        return f"NotSubstitution({describe_all(self.value)})"

    def perform(self, context: LaunchContext) -> str:
        """Return 'true' or 'false'."""
        return _text(not _evaluate(context, self.value))


class _Binary(Substitution):
    def __init__(self, left: SomeSubstitutionsType, right: SomeSubstitutionsType) -> None:
        self.left = normalize_to_list_of_substitutions(left)
        self.right = normalize_to_list_of_substitutions(right)

    def describe(self) -> str:
        """Return the class name with both sides."""
        return f"{type(self).__name__}({describe_all(self.left)} {describe_all(self.right)})"


class AndSubstitution(_Binary):
    """True when both sides say true."""

    def perform(self, context: LaunchContext) -> str:
        """Return 'true' or 'false'."""
        return _text(_evaluate(context, self.left) and _evaluate(context, self.right))


class OrSubstitution(_Binary):
    """True when either side says true."""

    def perform(self, context: LaunchContext) -> str:
        """Return 'true' or 'false'."""
        return _text(_evaluate(context, self.left) or _evaluate(context, self.right))


class _Several(Substitution):
    def __init__(self, *args: SomeSubstitutionsType) -> None:
        self.args = [normalize_to_list_of_substitutions(arg) for arg in args]

    def describe(self) -> str:
        """Return the class name with all values."""
        return f"{type(self).__name__}({' '.join(describe_all(arg) for arg in self.args)})"


class AnySubstitution(_Several):
    """True when any value says true."""

    def perform(self, context: LaunchContext) -> str:
        """Return 'true' or 'false'."""
        return _text(any([_evaluate(context, arg) for arg in self.args]))


class AllSubstitution(_Several):
    """True when all values say true."""

    def perform(self, context: LaunchContext) -> str:
        """Return 'true' or 'false'."""
        return _text(all([_evaluate(context, arg) for arg in self.args]))


def _as_substitutions(value: Any) -> list[Substitution]:
    if value is None:
        return normalize_to_list_of_substitutions("")
    if isinstance(value, bool | int | float):
        return normalize_to_list_of_substitutions(str(value))
    return normalize_to_list_of_substitutions(value)


def _equal(left: str, right: str) -> bool:
    """Compare text, numbers by value and booleans by meaning."""
    if left == right:
        return True
    words = {"true": True, "1": True, "false": False, "0": False}
    if left.lower() in words and right.lower() in words:
        return words[left.lower()] == words[right.lower()]
    try:
        return math.isclose(float(left), float(right))
    except ValueError:
        return False


class EqualsSubstitution(Substitution):
    """True when both sides are equal as text, as numbers or as booleans."""

    def __init__(self, left: Any, right: Any) -> None:
        self.left = _as_substitutions(left)
        self.right = _as_substitutions(right)

    def describe(self) -> str:
        """Return the class name with both sides."""
        return f"{type(self).__name__}({describe_all(self.left)} {describe_all(self.right)})"

    def equal(self, context: LaunchContext) -> bool:
        """Return whether the sides are equal."""
        return _equal(perform_substitutions(context, self.left), perform_substitutions(context, self.right))

    def perform(self, context: LaunchContext) -> str:
        """Return 'true' or 'false'."""
        return _text(self.equal(context))


class NotEqualsSubstitution(EqualsSubstitution):
    """True when the sides differ."""

    def perform(self, context: LaunchContext) -> str:
        """Return 'true' or 'false'."""
        return _text(not self.equal(context))


class IfElseSubstitution(Substitution):
    """One of two values, by a condition."""

    def __init__(
        self,
        condition: SomeSubstitutionsType,
        if_value: SomeSubstitutionsType = "",
        else_value: SomeSubstitutionsType = "",
    ) -> None:
        if if_value == else_value == "":
            raise RuntimeError("One of if_value and else_value must be specified")
        self.condition = normalize_to_list_of_substitutions(condition)
        self.if_value = normalize_to_list_of_substitutions(if_value)
        self.else_value = normalize_to_list_of_substitutions(else_value)

    def describe(self) -> str:
        """Return the class name with condition and values."""
        parts = (self.condition, self.if_value, self.else_value)
        return f"IfElseSubstitution({', '.join(describe_all(part) for part in parts)})"

    def perform(self, context: LaunchContext) -> str:
        """Return the value that the condition picks."""
        value = self.if_value if _evaluate(context, self.condition) else self.else_value
        return perform_substitutions(context, value)
