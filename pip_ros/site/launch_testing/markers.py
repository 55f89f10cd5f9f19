"""Markers for launch tests."""

from __future__ import annotations

from typing import Any, TypeVar

from launch import _needs_ros

T = TypeVar("T")


def keep_alive(test_description: T) -> T:
    """Keep the launch running although all its processes have ended."""
    function: Any = test_description
    function.__markers__ = {**getattr(function, "__markers__", {}), "keep_alive": True}
    return test_description


__getattr__ = _needs_ros.lazy_attribute(__name__)
