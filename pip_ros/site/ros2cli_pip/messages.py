"""Interface types by name, and messages to and from YAML."""

from __future__ import annotations

import array
import importlib
import re
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import yaml

DEFAULT_TRUNCATE_LENGTH = 128


def interface_type(name: str, kind: str) -> Any:
    """Return the class for 'package/msg/Name', or 'package/Name' for short; `kind` is msg, srv or action.

    Raises:
        RuntimeError: when there is no such type.
    """
    words = {"msg": "message", "srv": "service", "action": "action"}
    try:
        package, *middle, type_name = name.split("/")
        if middle not in ([], [kind]):
            raise ValueError(name)
        return getattr(importlib.import_module(f"{package}.{kind}"), type_name)
    except (AttributeError, ModuleNotFoundError, ValueError) as error:
        raise RuntimeError(f"The passed {words[kind]} type is invalid") from error


def parse_yaml_dict(text: str) -> dict[str, Any]:
    """Return YAML text as a dictionary.

    Raises:
        RuntimeError: when it is not a dictionary.
    """
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise RuntimeError(f"The passed value needs to be a dictionary in YAML format: {error}") from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise RuntimeError("The passed value needs to be a dictionary in YAML format")
    return values


def set_fields(message: Any, values: Mapping[str, Any], now: Any = None) -> None:
    """Fill a message from plain data; `now` is the stamp for `header: auto` and `stamp: now`.

    Raises:
        AttributeError: for a field that the message does not have.
        Exception: whatever the message raises for a value of the wrong type.
    """
    for name, value in values.items():
        field = getattr(message, name)
        if now is not None and value == "now" and type(field).__name__ == "Time":
            setattr(message, name, now)
        elif now is not None and value == "auto" and type(field).__name__ == "Header":
            field.stamp = now
        elif hasattr(field, "get_fields_and_field_types"):
            set_fields(field, value, now)
        else:
            setattr(message, name, _converted(message, name, field, value, now))


def _converted(message: Any, name: str, field: Any, value: Any, now: Any) -> Any:
    """Return plain data as the field's type."""
    if isinstance(field, array.array):
        return array.array(field.typecode, value)
    if isinstance(field, np.ndarray):
        return np.array(value, dtype=field.dtype)
    if not isinstance(field, list):
        return value if type(value) is type(field) else type(field)(value)
    element = _element_type(message.get_fields_and_field_types()[name])
    if "/" not in element:
        return value
    element_type = interface_type(element, "msg")
    elements = [element_type() for _ in value]
    for one, one_values in zip(elements, value, strict=True):
        set_fields(one, one_values, now)
    return elements


def _element_type(field_type: str) -> str:
    """Return 'package/Name' from 'sequence<package/Name, 3>' or 'package/Name[3]'."""
    return re.sub(r"^sequence<([^,>]+).*>$|\[.*\]$", r"\1", field_type)


def to_plain(value: Any, truncate: int | None = None, no_arr: bool = False, no_str: bool = False) -> Any:
    """Return a message, or a field of one, as plain data in the order of its definition.

    Sequences and texts longer than `truncate` end in '...'; `no_arr` and `no_str` leave only their types.
    """
    if hasattr(value, "get_fields_and_field_types"):
        result = {}
        for name, field_type in value.get_fields_and_field_types().items():
            field = getattr(value, name)
            if no_arr and isinstance(field, list | array.array | np.ndarray):
                result[name] = f"<{_sequence_in_words(field_type, field)}>"
            elif no_str and isinstance(field, str):
                result[name] = f"<string length: <{len(field)}>>"
            else:
                result[name] = to_plain(field, truncate, no_arr, no_str)
        return result
    if isinstance(value, bytes):
        value = "".join(chr(byte) for byte in value)
    if isinstance(value, str):
        return value if truncate is None or len(value) <= truncate else value[:truncate] + "..."
    if isinstance(value, list | tuple | array.array | np.ndarray):
        return _sequence_to_plain(value, truncate, no_arr, no_str)
    return value


def _sequence_to_plain(value: Any, truncate: int | None, no_arr: bool, no_str: bool) -> list[Any]:
    shown = value if truncate is None else value[:truncate]
    shown = shown.tolist() if hasattr(shown, "tolist") else shown
    result = [to_plain(element, truncate, no_arr, no_str) for element in shown]
    return result if len(shown) == len(value) else [*result, "..."]


def _sequence_in_words(field_type: str, field: Any) -> str:
    if field_type.startswith("sequence<"):
        return f"sequence type: {_element_type(field_type)}, length: {len(field)}"
    return f"array type: {field_type}"


def to_yaml(
    message: Any,
    truncate: int | None = None,
    no_arr: bool = False,
    no_str: bool = False,
    flow_style: bool = False,
) -> str:
    """Return a message, or a field of one, as YAML."""
    plain = to_plain(message, truncate, no_arr, no_str)
    return str(
        yaml.safe_dump(plain, allow_unicode=True, width=sys.maxsize, default_flow_style=flow_style, sort_keys=False)
    )
