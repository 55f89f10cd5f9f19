"""Decorators for launch tests."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

T = TypeVar("T")


def post_shutdown_test() -> Callable[[type[T]], type[T]]:
    """Mark a TestCase to be run after the launch has shut down."""

    def mark(test_case: type[T]) -> type[T]:
        test_case.__post_shutdown_test__ = True  # type: ignore[attr-defined]
        return test_case

    return mark


def ready_to_test_action_timeout(timeout: float) -> Callable[[T], T]:
    """Set how many seconds `generate_test_description` has to reach ReadyToTest; 15 without this."""

    def mark(function: T) -> T:
        function.__ready_to_test_action_timeout__ = timeout  # type: ignore[attr-defined]
        return function

    return mark


def parametrize(
    argnames: str | Sequence[str], argvalues: Iterable[Any]
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Launch once for each value; `argnames` is one name, or several with values as tuples."""
    names = [name.strip() for name in argnames.split(",")] if isinstance(argnames, str) else list(argnames)
    rows = [(value,) if len(names) == 1 and isinstance(argnames, str) else tuple(value) for value in argvalues]

    def mark(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

        wrapper.__parametrized__ = [dict(zip(names, row, strict=True)) for row in rows]  # type: ignore[attr-defined]
        return wrapper

    return mark
