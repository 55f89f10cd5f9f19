"""What a stack leaves is found: processes by their mark, temporary files, shared memory; observed over real DDS."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest
import rclpy
from rclpy.context import Context
from ros_domain import own_domain
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from vital_bringup.chaos.driver import LIE
from vital_bringup.chaos.endurance import slope_mb_per_h
from vital_bringup.chaos.faults import replay_faults
from vital_bringup.chaos.stack import SHARED, Stack, marked
from vital_bringup.chaos.watching import clocks
from vital_bringup.chaos.watching.recording import Recording, Tail
from vital_core.arm.xarm7 import HOME_RAD, JOINT_NAMES
from vital_core.clock import steady_s, wait_until
from vital_core.errors import VitalError

DOMAIN = own_domain()
SLEEPS = (
    "import signal, time; signal.signal(signal.SIGINT, lambda *_: exit(0)); print('up', flush=True); time.sleep(60)"
)
ORPHANS = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {SLEEPS!r}], start_new_session=True)"
LITTERS = "import os, tempfile; tempfile.mkstemp(prefix='litter_'); open('/dev/shm/chaos_test_litter', 'w')"


def stack_of(tmp_path, program):
    return Stack(tmp_path / "stack", DOMAIN, [sys.executable, "-c", program])


def test_stack_that_ends_in_order_leaves_nothing(tmp_path):
    stack = stack_of(tmp_path, SLEEPS)
    assert wait_until(lambda: "up" in stack.log_since(0), steady_s() + 20.0)
    ending = stack.end()
    assert (ending.code, ending.left()) == (0, None)


def test_process_that_outlives_the_launch_is_found_and_ended(tmp_path):
    stack = stack_of(tmp_path, ORPHANS)
    assert stack.launch.wait(20.0) == 0
    ending = stack.ended(steady_s())
    assert "processes" in str(ending.left())
    assert not marked(stack.mark)


def test_temporary_file_and_shared_memory_that_are_left_are_found(tmp_path):
    stack = stack_of(tmp_path, f"{LITTERS}; {SLEEPS}")
    try:
        assert wait_until(lambda: "up" in stack.log_since(0), steady_s() + 20.0)
        stack._segments.add("chaos_test_litter")
        ending = stack.end()
    finally:
        (SHARED / "chaos_test_litter").unlink(missing_ok=True)
    assert ending.files[0].startswith("litter_") and ending.shared == ("chaos_test_litter",)


def test_memory_that_grows_has_a_slope_and_that_of_a_warm_process_is_flat():
    minutes = [60.0 * i for i in range(60)]
    assert slope_mb_per_h(minutes, [100.0 + min(i, 10) for i in range(60)]) == pytest.approx(0.0, abs=0.1)
    assert slope_mb_per_h(minutes, [100.0 + i for i in range(60)]) == pytest.approx(60.0, abs=0.1)


def test_observer_records_what_the_arm_is_sent_and_no_joint_state_that_was_made_up(tmp_path):
    path = tmp_path / "observed.jsonl"
    command = [sys.executable, "-m", "vital_bringup.chaos.watching.observer", str(path)]
    observer = subprocess.Popen(command, env={**os.environ, "ROS_DOMAIN_ID": str(DOMAIN)})
    context = Context()
    rclpy.init(context=context, domain_id=DOMAIN)
    node = rclpy.create_node("arm", context=context)
    joints = node.create_publisher(JointState, "/joint_states", 10)
    sent = node.create_publisher(JointTrajectory, "/xarm7_traj_controller/joint_trajectory", 10)
    try:
        names = list(reversed(JOINT_NAMES))
        values = HOME_RAD[::-1].tolist()
        trajectory = JointTrajectory(joint_names=names)
        trajectory.points = [JointTrajectoryPoint(positions=values, velocities=[0.0] * 7)]
        trajectory.points[0].time_from_start.nanosec = 500_000_000
        begun_s = steady_s()

        def heard():
            joints.publish(JointState(name=[*names, LIE], position=[0.0] * 8, velocity=[0.0] * 8))
            joints.publish(JointState(name=names, position=values, velocity=[0.0] * 7))
            sent.publish(trajectory)
            seen = Tail(path).read() if path.exists() else Recording.empty()
            return len(seen.times_s) > 0 and len(seen.sent) > 0

        assert wait_until(heard, steady_s() + 30.0)
        seen = Tail(path).read()
        assert all(row == pytest.approx(HOME_RAD) for row in seen.positions_rad)
        assert seen.sent[0].problem == ""
        assert seen.sent[0].positions_rad[0] == pytest.approx(HOME_RAD)
        assert begun_s - 0.1 <= seen.sent[0].at_s <= steady_s()
    finally:
        observer.send_signal(signal.SIGINT)
        observer.wait(10.0)
        node.destroy_node()
        context.try_shutdown()


def test_clock_of_one_node_jumps_and_its_steady_clock_does_not(tmp_path):
    try:
        library = clocks.library()
    except VitalError as error:
        pytest.skip(str(error))
    clock = clocks.NodeClock("frames", tmp_path / "clock", tmp_path)
    clock.set(0)
    program = (
        "import time\nfor _ in range(100):\n    print(time.time(), time.monotonic(), flush=True)\n    time.sleep(0.1)\n"
    )
    environment = {
        **os.environ,
        "LD_PRELOAD": f"{clocks.steady_sleep(tmp_path)}:{library}",
        "FAKETIME_TIMESTAMP_FILE": str(clock.file),
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_CACHE_DURATION": str(clocks.REREAD_S),
    }
    process = subprocess.Popen(
        [sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        lines = iter(process.stdout.readline, "")
        first = [float(v) for v in next(lines).split()]
        assert abs(first[0] - time.time()) < 5.0
        clock.set(3600)
        jumped = next(row for line in lines if (row := [float(v) for v in line.split()])[0] > first[0] + 1800)
        assert jumped[0] - first[0] == pytest.approx(3600, abs=20) and jumped[1] - first[1] < 20.0
    finally:
        process.kill()
        process.wait()


def test_killed_replay_has_lost_nothing_and_a_step_that_is_not_there_is_found(tmp_path, monkeypatch):
    """One run, judged as it is, and as if one more step had been acknowledged."""
    whole, judged = replay_faults.Appending.lost, []

    def judge_twice(self, client):
        judged.append(whole(self, client))
        self.acknowledged.append(self.acknowledged[-1])
        return whole(self, client)

    monkeypatch.setattr(replay_faults.Appending, "lost", judge_twice)
    found = replay_faults.replay_killed(tmp_path / "station", DOMAIN, random.Random(5))
    assert judged == [None]
    assert any("steps were acknowledged" in violation for violation in found.judgement.violations)
