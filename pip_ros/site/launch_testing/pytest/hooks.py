"""pytest plugin that runs a file with a marked `generate_test_description` as one test.

Activate with `-p launch_testing.pytest.hooks`; a real ROS installation activates its own by an entry point.
"""

from __future__ import annotations

import itertools
import unittest
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from _pytest.pathlib import import_path

MARKERS = ("launch_test", "rostest")
ENTRY_POINT = "generate_test_description"


class LaunchTestFailure(Exception):
    """Some test cases have failed; the text holds their descriptions."""


def _launch_arguments(config: pytest.Config) -> dict[str, str]:
    from ros2cli_pip.launch_command import parse_launch_arguments

    return parse_launch_arguments(itertools.chain(*config.getoption("--launch-args")))


def _failures(results: list[unittest.TestResult]) -> list[str]:
    lines = []
    for result in results:
        for case, description in [*result.errors, *result.failures]:
            title = f"{type(case).__name__}.{getattr(case, '_testMethodName', case)}"
            lines.append(f"{'=' * 70}\nFAIL: {title}\n{'-' * 70}\n{description}")
        unexpected = [f"unexpected success: {case}" for case in result.unexpectedSuccesses]
        lines += unexpected
    return lines


class LaunchTestItem(pytest.Item):
    """All launches of one file with all their tests."""

    def __init__(self, *, module: ModuleType, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._module = module

    def runtest(self) -> None:
        """Run them.

        Raises:
            LaunchTestFailure: when any test case has failed, or a launch ended before its tests.
        """
        from launch_testing.loader import load_test_runs
        from launch_testing.test_runner import LaunchDied, RunWorker

        failures: list[str] = []
        skipped: list[str] = []
        runs = load_test_runs(self._module, self.name)
        debug = self.config.getoption("verbose") > 1
        for run in runs:
            try:
                failures += _failures(RunWorker(run, _launch_arguments(self.config), debug).run())
            except unittest.SkipTest as reason:
                skipped.append(f"{run}: {reason}")
            except LaunchDied as error:
                failures.append(f"{run}: {error}")
                break
        if failures:
            raise LaunchTestFailure("\n\n".join(failures))
        if skipped and len(skipped) == len(runs):
            pytest.skip("; ".join(skipped))

    def repr_failure(self, excinfo: Any, style: Any = None) -> Any:
        """Return the descriptions of the failed test cases."""
        if isinstance(excinfo.value, LaunchTestFailure):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Return where the test is."""
        return self.path, 0, f"launch tests: {self.name}"


class LaunchTestModule(pytest.File):
    """A file with a launch test."""

    launch_module: ModuleType

    def collect(self) -> Iterator[LaunchTestItem]:
        """Yield the one item of the file, with the markers of its `generate_test_description`."""
        item = LaunchTestItem.from_parent(self, name=self.path.stem, module=self.launch_module)
        for mark in getattr(getattr(self.launch_module, ENTRY_POINT), "pytestmark", []):
            item.add_marker(getattr(pytest.mark, mark.name).with_args(*mark.args, **mark.kwargs))
        yield item


def _import(path: Path, config: pytest.Config) -> ModuleType | None:
    """Return the module, or None if it does not import: pytest's own collection then reports that."""
    try:
        return import_path(
            path,
            mode=config.getoption("importmode"),
            root=config.rootpath,
            consider_namespace_packages=config.getini("consider_namespace_packages"),
        )
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return None


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect a file whose `generate_test_description` is marked as a launch test."""
    if ENTRY_POINT not in module_path.read_text(encoding="utf-8", errors="replace"):
        return None
    module = _import(module_path, parent.config)
    marks = getattr(getattr(module, ENTRY_POINT, None), "pytestmark", [])
    if module is None or not any(mark.name in MARKERS for mark in marks):
        return None
    collector = LaunchTestModule.from_parent(parent, path=module_path)
    collector.launch_module = module
    return collector


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --launch-args."""
    parser.addoption("--launch-args", action="append", nargs="*", default=[], help="One or more Launch test arguments")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the markers."""
    for marker in MARKERS:
        config.addinivalue_line(
            "markers", f"{marker}: mark a generate_test_description function as a launch test entrypoint"
        )
