"""launch_testing, as pytest runs it on small launch tests."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

HEADER = """\
import sys
import unittest

import launch_testing
import launch_testing.asserts
import launch_testing.markers
import pytest
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, ExecuteProcess, TimerAction
from launch.substitutions import LaunchConfiguration
from launch_testing.actions import ReadyToTest

SPEAK = 'import sys, time; print("to stdout", flush=True); print("to stderr", file=sys.stderr); time.sleep({s})'


def speaker(seconds):
    return ExecuteProcess(cmd=[sys.executable, '-c', SPEAK.format(s=seconds)])
"""


@pytest.fixture
def run_pytest(start: Any, tmp_path: Path) -> Any:
    def run(body: str, *options: str) -> tuple[int, str]:
        (tmp_path / "test_it_launch.py").write_text(HEADER + body)
        plugin = ["-p", "launch_testing.pytest.hooks", "-p", "no:cacheprovider"]
        command = [sys.executable, "-m", "pytest", "-rA", "--import-mode=importlib", "--rootdir", tmp_path, *plugin]
        one = start(*command, *options, tmp_path / "test_it_launch.py")
        return one.finish(), one.output

    return run


PASSING = """
@pytest.mark.{marker}
@launch_testing.parametrize('number', [1, 2])
def generate_test_description(number):
    process = speaker(30)
    return LaunchDescription([
        DeclareLaunchArgument('arm', default_value='none'), process,
        TimerAction(period=0.1, actions=[ReadyToTest()]),
    ]), {{'process': process}}


class TestWhileRunning(unittest.TestCase):
    @classmethod
    def setUpClass(cls, proc_info):
        cls.proc_info_of_class = proc_info

    def setUp(self, number):
        assert number in (1, 2)

    def test_output(self, proc_output, proc_info, process, number, launch_service, test_args):
        assert self.proc_info_of_class is proc_info
        assert launch_service.context is not None
        assert test_args == {args}
        proc_info.assertWaitForStartup(process, timeout=10)
        proc_output.assertWaitFor('to stdout', process=process, stream='stdout', timeout=10)
        proc_output.assertWaitFor('to stderr', timeout=10)


@launch_testing.post_shutdown_test()
class TestAfterShutdown(unittest.TestCase):
    def test_exit(self, proc_info, proc_output, process):
        launch_testing.asserts.assertExitCodes(proc_info, [-2, 1], process)
        launch_testing.asserts.assertInStdout(proc_output, 'to stdout', process)
        with launch_testing.asserts.assertSequentialStdout(proc_output, process) as checker:
            checker.assertInStdout('to')
            checker.assertInStdout('stdout')
        with self.assertRaises(AssertionError):
            launch_testing.asserts.assertExitCodes(proc_info)
        assert not hasattr(proc_output, 'assertWaitFor')
"""


@pytest.mark.parametrize("marker", ["launch_test", "rostest"])
def test_a_passing_launch_test(run_pytest: Any, marker: str) -> None:
    body = PASSING.format(marker=marker, args="{'arm': 'left'}")
    returncode, output = run_pytest(body, "--launch-args", "arm:=left", "--")
    assert returncode == 0, output
    assert "1 passed" in output
    for case in ("TestWhileRunning.test_output[1]", "TestAfterShutdown.test_exit[2]"):
        assert case in output


FAILING = """
@pytest.mark.launch_test
def generate_test_description():
    return LaunchDescription([speaker(30), ReadyToTest()])


class TestWhileRunning(unittest.TestCase):
    def test_that_fails(self):
        assert 1 == 2

    def test_that_passes(self):
        pass


@launch_testing.post_shutdown_test()
class TestAfterShutdown(unittest.TestCase):
    def test_exit_code(self, proc_info):
        launch_testing.asserts.assertExitCodes(proc_info)
"""


def test_a_failing_test_fails_the_item(run_pytest: Any) -> None:
    returncode, output = run_pytest(FAILING)
    assert returncode == 1
    assert "1 failed" in output
    assert "FAIL: TestWhileRunning.test_that_fails" in output
    assert "FAIL: TestAfterShutdown.test_exit_code" in output
    assert "FAIL: TestWhileRunning.test_that_passes" not in output


ENDING = """
@pytest.mark.launch_test
{marker}
def generate_test_description():
    return LaunchDescription([speaker(0.3), ReadyToTest()])


class TestWhileRunning(unittest.TestCase):
    def test_end(self, proc_info):
        proc_info.assertWaitForShutdown('python', timeout=10)
        import time
        time.sleep(0.5)
"""


def test_a_launch_that_ends_first_fails_the_item(run_pytest: Any) -> None:
    returncode, output = run_pytest(ENDING.format(marker=""))
    assert returncode == 1
    assert "Launch stopped before the active tests finished" in output
    returncode, output = run_pytest(ENDING.format(marker="@launch_testing.markers.keep_alive"))
    assert returncode == 0, output


LATE = """
@pytest.mark.launch_test
@launch_testing.ready_to_test_action_timeout(0.3)
def generate_test_description():
    return LaunchDescription([speaker(30), TimerAction(period=30.0, actions=[ReadyToTest()])])


class TestWhileRunning(unittest.TestCase):
    def test_nothing(self):
        pass
"""


def test_no_ready_to_test_in_time_fails_the_item(run_pytest: Any) -> None:
    returncode, output = run_pytest(LATE)
    assert returncode == 1
    assert "Timed out waiting for processes to start up" in output


def test_a_description_without_ready_to_test_is_refused(run_pytest: Any) -> None:
    returncode, output = run_pytest(LATE.replace("ReadyToTest()", ""))
    assert returncode == 1
    assert "must return a LaunchDescription containing a ReadyToTest action" in output


QUIET = """
@pytest.mark.launch_test
@launch_testing.markers.keep_alive
def generate_test_description():
    return LaunchDescription([speaker(0), ReadyToTest()])


class TestWhileRunning(unittest.TestCase):
    def test_streams(self, proc_output):
        assert proc_output.waitFor('to stderr', timeout=10)
        assert not proc_output.waitFor('to stdout', timeout=0.5)
        assert proc_output.waitFor('to stdout', timeout=10, stream='stdout')
        with self.assertRaisesRegex(Exception, 'found no processes matching'):
            proc_output.waitFor('x', process='no_such_process', timeout=0.1)
"""


def test_output_is_waited_for_on_standard_error(run_pytest: Any) -> None:
    returncode, output = run_pytest(QUIET)
    assert returncode == 0, output


def test_a_skipped_description_skips_the_item(run_pytest: Any) -> None:
    body = LATE.replace("    return", "    raise unittest.SkipTest('no robot here')\n    return")
    returncode, output = run_pytest(body)
    assert returncode == 0
    assert "1 skipped" in output
    assert "no robot here" in output


def test_an_unmarked_file_is_an_ordinary_test_file(run_pytest: Any) -> None:
    returncode, output = run_pytest(LATE.replace("@pytest.mark.launch_test\n", ""))
    assert returncode == 0
    assert "TestWhileRunning::test_nothing" in output
