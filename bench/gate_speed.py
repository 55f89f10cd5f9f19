"""Measures the command gate: from a command's publication to its trajectory's arrival, and the CPU it takes.

    ./vital shell -c "python bench/gate_speed.py"

A quiet arm and tactile pad at 100 Hz stand behind the gate; the arm follows ideally. CPU is of one core.
"""

import argparse
import os
import subprocess
import sys
import time

import numpy as np
import rclpy
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory

from vital_core.arm.trajectory import Trajectory
from vital_core.arm.xarm7 import HOME_RAD, JOINT_NAMES
from vital_interfaces.msg import EndEffectorDelta, GateState, TactileArray
from vital_interfaces.srv import AcquireControl
from vital_ros.conversions import seconds

SENSOR_PERIOD_S = 0.01
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class Bench(Node):
    """Sensors, an ideal arm, and commands that go to and fro."""

    def __init__(self) -> None:
        super().__init__("gate_speed")
        self.motion, self.start_s = Trajectory.rest(HOME_RAD), time.monotonic()
        self.sent_s: float | None = None
        self.latencies_ms: list[float] = []
        self.state: GateState | None = None
        self.seq = self.token = 0
        self.joints = self.create_publisher(JointState, "/joint_states", 10)
        self.tactile = self.create_publisher(TactileArray, "/anyskin/tactile", qos_profile_sensor_data)
        self.command = self.create_publisher(EndEffectorDelta, "/vital/command", 1)
        self.acquire = self.create_client(AcquireControl, "/vital/acquire_control")
        self.create_subscription(JointTrajectory, "/xarm7_traj_controller/joint_trajectory", self.follow, 10)
        self.create_subscription(GateState, "/vital/gate_state", self.keep, 1)

    def keep(self, state: GateState) -> None:
        """Remember the gate's state."""
        self.state = state

    def follow(self, message: JointTrajectory) -> None:
        """Follow a trajectory; the first after a command gives its latency."""
        now_s = time.monotonic()
        if self.sent_s is not None:
            self.latencies_ms.append((now_s - self.sent_s) * 1000)
            self.sent_s = None
        q, v = self.motion.state(now_s - self.start_s)
        times = np.array([0.0] + [seconds(p.time_from_start) for p in message.points])
        positions = np.array([q] + [p.positions for p in message.points])
        velocities = np.array([v] + [p.velocities for p in message.points])
        self.motion, self.start_s = Trajectory(times, positions, velocities), now_s

    def sense(self) -> None:
        """Publish one reading of each sensor."""
        q = self.motion.state(time.monotonic() - self.start_s)[0]
        self.joints.publish(JointState(name=list(JOINT_NAMES), position=q.tolist()))
        self.tactile.publish(TactileArray(magnetometers=5, field_ut=[0.0] * 15, valid=[True] * 5))

    def send(self, period_s: float) -> None:
        """Send the next command of a 12 mm to and fro."""
        self.seq += 1
        now = self.get_clock().now()
        message = EndEffectorDelta(owner="teleop", token=self.token, seq=self.seq, duration_s=period_s, gripper=1.0)
        message.header.stamp, message.header.frame_id = now.to_msg(), "link_tcp"
        message.valid_until = (now + rclpy.duration.Duration(seconds=0.3)).to_msg()
        message.translation_m.x = (1 if self.seq // 6 % 2 else -1) * 0.012 * 6 * period_s
        message.rotation_rad.z = message.translation_m.x
        self.sent_s = time.monotonic()
        self.command.publish(message)

    def run(self, duration_s: float, *, command_period_s: float | None, sensors: bool = True) -> None:
        """Spin for a while, sensing and commanding on schedule."""
        end_s = sense_s = command_s = time.monotonic()
        end_s += duration_s
        while (now_s := time.monotonic()) < end_s:
            if sensors and now_s >= sense_s:
                self.sense()
                sense_s += SENSOR_PERIOD_S
            if command_period_s is not None and now_s >= command_s:
                self.send(command_period_s)
                command_s += command_period_s
            rclpy.spin_once(self, timeout_sec=0.001)


def cpu_s(pid: int) -> float:
    """CPU time that a process has taken, s."""
    with open(f"/proc/{pid}/stat") as file:
        values = file.read().rsplit(")", 1)[1].split()
    return (int(values[11]) + int(values[12])) / TICKS_PER_SECOND


def measure(bench: Bench, pid: int, name: str, duration_s: float, **how) -> None:
    """One line: CPU, and latency where commands were sent."""
    bench.latencies_ms.clear()
    before_s, start_s = cpu_s(pid), time.monotonic()
    bench.run(duration_s, **how)
    share = 100 * (cpu_s(pid) - before_s) / (time.monotonic() - start_s)
    line = f"{name:46s} CPU {share:5.1f} %"
    if bench.latencies_ms:
        median, p99 = np.percentile(bench.latencies_ms, [50, 99])
        line += f"   latency median {median:.2f} ms, p99 {p99:.2f} ms, n {len(bench.latencies_ms)}"
    sys.stdout.write(line + "\n")


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each measurement")
    duration_s = parser.parse_args().seconds
    os.environ.setdefault("ROS_DOMAIN_ID", str(1 + os.getpid() % 100))
    gate = subprocess.Popen([sys.executable, "-m", "vital_control.gate_node"])
    rclpy.init()
    bench = Bench()
    try:
        while bench.state is None or bench.state.joint_state_age_s > 0.1:
            bench.run(0.1, command_period_s=None)
        future = bench.acquire.call_async(AcquireControl.Request(owner="teleop"))
        while not future.done():
            bench.run(0.1, command_period_s=None)
        bench.token = future.result().token
        measure(bench, gate.pid, "sensors at 100 Hz, no commands", duration_s, command_period_s=None)
        measure(bench, gate.pid, "sensors at 100 Hz, commands at 6 Hz", duration_s, command_period_s=1 / 6)
        measure(bench, gate.pid, "sensors at 100 Hz, commands at 30 Hz", duration_s, command_period_s=1 / 30)
        sys.stdout.write(f"accepted {bench.state.accepted}, rejected {bench.state.rejected}\n")
        measure(bench, gate.pid, "watchdog alone", duration_s, command_period_s=None, sensors=False)
    finally:
        gate.terminate()
        gate.wait()
        bench.destroy_node()
        rclpy.shutdown()


if __name__ == "__main__":
    main()
