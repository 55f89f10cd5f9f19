"""How parameter values get their types on the way to a node."""

from __future__ import annotations

import typing
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import yaml
from launch.substitution import Substitution
from launch.utilities import normalize_to_list_of_substitutions, perform_substitutions

if TYPE_CHECKING:
    from launch.launch_context import LaunchContext

SCALARS = (bool, int, float, str, bytes)


def parse_text(text: str) -> Any:
    """Return what YAML makes of a text: '5' an integer, 'true' a boolean, '' the empty string.

    Raises:
        TypeError: when it is neither a scalar nor a list of scalars.
    """
    value = yaml.safe_load(text)
    if value is None:
        return ""
    if isinstance(value, list):
        return uniform_list(value)
    if type(value) in SCALARS:
        return value
    raise TypeError(
        "Allowed value types are bytes, bool, int, float, str, Sequence[bool], Sequence[int], Sequence[float], "
        f"Sequence[str]. Got {type(value)}. If the parameter is meant to be a string, try wrapping it in "
        "launch_ros.parameter_descriptions.ParameterValue(value, value_type=str)"
    )


def uniform_list(values: Sequence[Any]) -> list[Any]:
    """Return a list whose elements have one type; integers among floats become floats.

    Raises:
        TypeError: when the list is empty or mixes other types.
    """
    types = {type(value) for value in values}
    if len(types) == 1 and types <= set(SCALARS):
        return list(values)
    if types == {int, float}:
        return [float(value) for value in values]
    names = sorted(one.__name__ for one in types)
    raise TypeError(f"Expected a non-empty list of elements of one type, got {list(values)} with types {names}")


def typed_value(text: str, value_type: Any) -> Any:
    """Return a text as the asked type: str, int, float, bool or a list of one of these.

    Raises:
        ValueError: when the text does not say such a value.
    """
    if value_type is None:
        return parse_text(text)
    if value_type is str:
        return text
    value = yaml.safe_load(text)
    if typing.get_origin(value_type) is list:
        (element_type,) = typing.get_args(value_type)
        if not isinstance(value, list):
            raise ValueError(f"Cannot convert value '{text}' to a list of '{element_type.__name__}'")
        return [_coerced(element, element_type, text) for element in value]
    return _coerced(value, value_type, text)


def _coerced(value: Any, value_type: type, text: str) -> Any:
    if value_type is str:
        return str(value)
    if value_type is float and type(value) in (int, float):
        return float(value)
    if type(value) is value_type:
        return value
    if value_type is float and isinstance(value, str):
        return float(value)  # YAML reads '1e-3' as a string
    raise ValueError(f"Cannot convert value '{text}' to '{value_type.__name__}'")


def evaluate_value(context: LaunchContext, value: Any) -> Any:
    """Return a value of a parameter dictionary with its type.

    Text stays text; a substitution is performed and read as YAML; a list holding a substitution is joined
    into one text.

    Raises:
        TypeError: for any other kind of value, for empty and for mixed lists.
    """
    from launch_ros.parameter_descriptions import ParameterValue

    if isinstance(value, ParameterValue):
        return value.evaluate(context)
    if isinstance(value, Substitution):
        return parse_text(perform_substitutions(context, [value]))
    if type(value) in SCALARS:
        return value
    if isinstance(value, Iterable) and not isinstance(value, Mapping):
        values = list(value)
        if any(isinstance(element, Substitution) for element in values):
            return parse_text(perform_substitutions(context, normalize_to_list_of_substitutions(values)))
        return uniform_list(values)
    raise TypeError(f"Unexpected type for parameter value {value!r}: {type(value).__name__}")


def evaluate_dict(context: LaunchContext, parameters: Mapping[Any, Any], prefix: str = "") -> dict[str, Any]:
    """Return a parameter dictionary with names joined by dots and typed values."""
    result: dict[str, Any] = {}
    for key, value in parameters.items():
        name = prefix + perform_substitutions(context, normalize_to_list_of_substitutions(key))
        if isinstance(value, Mapping):
            result.update(evaluate_dict(context, value, prefix=f"{name}."))
        else:
            result[name] = evaluate_value(context, value)
    return result
