"""The test runs of a module: its launch description with active and post-shutdown tests."""

from __future__ import annotations

import functools
import inspect
import unittest
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from launch import LaunchDescription, LaunchDescriptionEntity

from launch_testing.actions import ReadyToTest

DEFAULT_READY_TIMEOUT_S = 15.0


class _Loader(unittest.TestLoader):
    """Loads either the active or the post-shutdown tests, each class as a fresh subclass."""

    def __init__(self, post_shutdown: bool) -> None:
        super().__init__()
        self._post_shutdown = post_shutdown

    def loadTestsFromTestCase(self, testCaseClass: type[unittest.TestCase]) -> unittest.TestSuite:
        if getattr(testCaseClass, "__post_shutdown_test__", False) != self._post_shutdown:
            return unittest.TestSuite()
        attributes = {
            "__module__": testCaseClass.__module__,
            "__qualname__": testCaseClass.__qualname__,
            "__doc__": testCaseClass.__doc__,
        }
        return super().loadTestsFromTestCase(type(testCaseClass.__name__, (testCaseClass,), attributes))


def _cases(suite: Iterable[Any]) -> Iterator[unittest.TestCase]:
    for test in suite:
        if isinstance(test, unittest.TestCase):
            yield test
        else:
            yield from _cases(test)


def _ready_actions(entities: Iterable[LaunchDescriptionEntity]) -> Iterator[ReadyToTest]:
    for entity in entities:
        if isinstance(entity, ReadyToTest):
            yield entity
        yield from _ready_actions(entity.describe_sub_entities())
        for _, sub_entities in entity.describe_conditional_sub_entities():
            yield from _ready_actions(sub_entities)


def _bound(function: Callable[..., Any], arguments: Mapping[str, Any]) -> Callable[..., Any]:
    """Return the function with those arguments given that it has by name."""
    names = inspect.signature(function).parameters
    return functools.partial(function, **{name: value for name, value in arguments.items() if name in names})


@dataclass
class TestRun:
    """One launch with its tests."""

    __test__ = False

    name: str
    description_function: Callable[..., Any]
    arguments: dict[str, Any]
    active_tests: unittest.TestSuite
    post_shutdown_tests: unittest.TestSuite

    @property
    def ready_timeout_s(self) -> float:
        """How long the launch may take to reach ReadyToTest."""
        value = getattr(self.description_function, "__ready_to_test_action_timeout__", DEFAULT_READY_TIMEOUT_S)
        return float(value)

    @property
    def keep_alive(self) -> bool:
        """Whether the launch runs on although all its processes have ended."""
        return bool(getattr(self.description_function, "__markers__", {}).get("keep_alive", False))

    def __str__(self) -> str:
        values = ", ".join(str(value) for value in self.arguments.values())
        return f"{self.name}[{values}]" if values else self.name

    def describe(self, on_ready: Callable[[], None]) -> tuple[LaunchDescription, dict[str, Any]]:
        """Return the launch description and the test context; `on_ready` is called at ReadyToTest.

        Raises:
            Exception: when the launch description has no ReadyToTest.
        """
        result = self.description_function(**self.arguments)
        description, context = result if isinstance(result, tuple) else (result, {})
        ready = next(_ready_actions(description.entities), None)
        if ready is None:
            raise Exception(
                "generate_test_description functions must return a LaunchDescription containing a ReadyToTest action"
            )
        ready.add_callback(on_ready)
        return description, context

    def bind(self, tests: unittest.TestSuite, values: Mapping[str, Any]) -> None:
        """Give values to tests: as arguments by name, and as attributes where the test has none of that name."""
        classes = {type(case) for case in _cases(tests)}
        for case_class in classes:
            for hook in ("setUpClass", "tearDownClass"):
                setattr(case_class, hook, _bound(getattr(case_class, hook), values))
            for name, value in values.items():
                if not hasattr(case_class, name):
                    setattr(case_class, name, value)
        for case in _cases(tests):
            method = case._testMethodName
            name = str(self).replace(self.name, method, 1) if self.arguments else method
            setattr(case, name, _bound(getattr(case, method), values))
            case._testMethodName = name
            for hook in ("setUp", "tearDown"):
                setattr(case, hook, _bound(getattr(case, hook), values))


def load_test_runs(module: ModuleType, name: str) -> list[TestRun]:
    """Return the test runs of a module, one for each of its parameters.

    Raises:
        Exception: when `generate_test_description` does not take a parameter.
    """
    function = module.generate_test_description
    parameter_sets: list[dict[str, Any]] = getattr(function, "__parametrized__", [{}])
    known = inspect.signature(function).parameters
    for argument in parameter_sets[0] if parameter_sets else {}:
        if argument not in known:
            raise Exception(f"Could not find an argument in generate_test_description matching '{argument}'")
    return [
        TestRun(
            name,
            function,
            arguments,
            _Loader(post_shutdown=False).loadTestsFromModule(module),
            _Loader(post_shutdown=True).loadTestsFromModule(module),
        )
        for arguments in parameter_sets
    ]
