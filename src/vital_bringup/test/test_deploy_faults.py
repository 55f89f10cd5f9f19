"""What a user gets for what cannot work: one clear line with a code, and exit code 1, without a traceback."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from ros_domain import own_domain

TIMEOUT_S = 120


def environment(domain: int) -> dict[str, str]:
    return {**os.environ, "ROS_DOMAIN_ID": str(domain), "PYTHONUNBUFFERED": "1"}


def deploy(tmp_path: Path, domain: int, *arguments: str) -> subprocess.CompletedProcess:
    command = ["ros2", "launch", "vital_bringup", "deploy.launch.py", f"report:={tmp_path / 'r.json'}", *arguments]
    return subprocess.run(
        command, env=environment(domain), cwd=tmp_path, capture_output=True, text=True, timeout=TIMEOUT_S
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["task:=usb_insertoin"], ["UNKNOWN_TASK 10", "Did you mean 'usb_insertion'"]),
        (["trials:=many"], ["BAD_PARAMETER 11", "trials:=many"]),
        (["hardware:=robot"], ["BAD_PARAMETER 11", "xarm_ros2"]),
        (["hardware:=boat"], ["hardware", "sim", "mock", "robot"]),
    ],
)
def test_bad_argument_is_refused_before_anything_starts(tmp_path, arguments, words):
    done = deploy(tmp_path, own_domain(), *arguments)
    output = done.stdout + done.stderr
    assert done.returncode == 1
    for word in words:
        assert word in output
    assert "Traceback" not in output and "process started" not in output


@pytest.mark.skipif("ros_control" in os.environ.get("VITAL_TEST_PACKAGES", ""), reason="has ros2_control")
def test_mock_arm_names_the_package_that_it_needs(tmp_path):
    done = deploy(tmp_path, own_domain(), "hardware:=mock")
    if done.returncode == 0:
        pytest.skip("a ROS installation with ros2_control is sourced")
    assert done.returncode == 1 and "controller_manager" in done.stdout + done.stderr


def test_missing_checkpoint_ends_the_launch_with_its_code(tmp_path):
    done = deploy(tmp_path, own_domain(1), f"checkpoint_dir:={tmp_path}")
    output = done.stdout + done.stderr
    assert done.returncode == 1
    assert "NO_CHECKPOINT 30" in output and "train_bc" in output
    assert "Traceback" not in output


def test_sentence_that_names_nothing_in_view_is_a_fault_of_its_own(tmp_path):
    done = deploy(tmp_path, own_domain(2), "prompt:=find the banana")
    output = done.stdout + done.stderr
    assert done.returncode == 1
    assert "NOT_IN_VIEW" in output and "Traceback" not in output


class System:
    """The stack without trials, for a test to talk to."""

    def __init__(self, tmp_path: Path, domain: int) -> None:
        self.environment, self.log = environment(domain), tmp_path / "log.txt"
        command = ["ros2", "launch", "vital_bringup", "deploy.launch.py", "trials:=0"]
        self.process = subprocess.Popen(
            command,
            env=self.environment,
            cwd=tmp_path,
            stdout=self.log.open("w"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def ros2(self, *arguments: str) -> str:
        done = subprocess.run(
            ["ros2", *arguments], env=self.environment, capture_output=True, text=True, timeout=TIMEOUT_S
        )
        return done.stdout + done.stderr

    def wait_until(self, words: str, *arguments: str, timeout_s: float = 60.0) -> str:
        deadline = time.monotonic() + timeout_s
        output = ""
        while time.monotonic() < deadline:
            output = self.ros2(*arguments)
            if words in output:
                return output
            time.sleep(0.5)
        raise AssertionError(f"'{words}' did not appear in: {output}\n{self.log.read_text()[-2000:]}")

    def kill_node(self, executable: str) -> None:
        group = subprocess.run(["pgrep", "-s", str(self.process.pid), "-f", executable], capture_output=True, text=True)
        pids = [int(p) for p in group.stdout.split() if int(p) != self.process.pid]
        assert pids, f"no process of {executable}"
        for pid in pids:
            os.kill(pid, signal.SIGKILL)

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(30)
        finally:
            if self.process.poll() is None:
                os.killpg(self.process.pid, signal.SIGKILL)


@pytest.fixture
def system(tmp_path):
    running = System(tmp_path, own_domain(3))
    try:
        running.wait_until("/vital/run_task", "action", "list")
        running.wait_until("/vital/localize_target", "service", "list")
        running.wait_until("/vital/run_policy", "action", "list")
        yield running
    finally:
        running.stop()


RUN_TASK = ("action", "send_goal", "/vital/run_task", "vital_interfaces/action/RunTask")
REACH = ("action", "send_goal", "/vital/reach_target", "vital_interfaces/action/ReachTarget")
DELTA = "vital_interfaces/msg/EndEffectorDelta"


def test_running_system_refuses_what_it_must_and_survives_it(system):
    assert "reject" in system.ros2(*RUN_TASK, "{task: make_coffee}").lower()
    far = "{task: usb_insertion, target: {header: {frame_id: link_base}, position: {x: 2.0, z: 0.1}}, seed: -1}"
    unreachable = system.ros2(*REACH, far)
    assert "success: false" in unreachable and "error_code: 70" in unreachable
    nan = "{header: {frame_id: link_tcp}, owner: policy, seq: 1, translation_m: {x: .nan}}"
    system.ros2("topic", "pub", "--once", "/vital/command", DELTA, nan)
    state = system.wait_until("rejected: 1", "topic", "echo", "--once", "/vital/gate_state")
    assert "accepted: 0" in state
    not_in_view = system.ros2(*RUN_TASK, "{task: usb_insertion, prompt: find the banana}")
    assert "error_code: 20" in not_in_view
    stopped = system.ros2("service", "call", "/vital/stop", "vital_interfaces/srv/Stop", "{reason: test}")
    assert "success=True" in stopped or "success: true" in stopped.lower()
    system.wait_until("mode: 3", "topic", "echo", "--once", "/vital/gate_state")
    assert system.stop() == 0
    assert "Traceback" not in system.log.read_text()


def test_killed_policy_ends_the_system_with_its_code(system):
    system.kill_node("policy_node")
    assert system.process.wait(40) == 1
    log = system.log.read_text()
    assert "NODE_LOST 50" in log and "policy_node" in log and "Traceback" not in log
