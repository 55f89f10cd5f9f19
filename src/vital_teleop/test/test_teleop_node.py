"""The teleoperation node over real DDS, with the real gate and the simulated arm: no jump, and never without a hand."""

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from ros_domain import own_domain
from sensor_msgs.msg import JointState
from waiting import rest_of, stays, wait_until

from vital_core.arm import kinematics
from vital_core.arm.xarm7 import JOINT_NAMES
from vital_interfaces.msg import GateState, OperatorInput, TeleopEvent, TeleopState
from vital_ros.qos import LATCHED

DOMAIN = str(own_domain())
ENVIRONMENT = dict(os.environ, ROS_DOMAIN_ID=DOMAIN)


class Hand(Node):
    """A person with a remote device, who also looks at the arm."""

    def __init__(self, context):
        super().__init__("hand", context=context)
        self.sample = OperatorInput(kind=OperatorInput.POSE, device="test", gripper=1.0)
        self.sample.pose.orientation.w = 1.0
        self.velocity_m_s = np.zeros(3)
        self.alive = True
        self.gate, self.teleop, self.events = GateState(), TeleopState(), []
        self.tcp, self.moves = [], 0
        self._input = self.create_publisher(OperatorInput, "/vital/operator_input", 10)
        self.create_subscription(GateState, "/vital/gate_state", self.on_gate, LATCHED)
        self.create_subscription(TeleopState, "/vital/teleop_state", self.on_teleop, 10)
        self.create_subscription(TeleopEvent, "/vital/teleop_event", lambda m: self.events.append(m.kind), 10)
        self.create_subscription(JointState, "/joint_states", self.on_joints, qos_profile_sensor_data)
        self.create_timer(1 / 30, self.move)

    def on_gate(self, message):
        self.gate = message

    def on_teleop(self, message):
        self.teleop = message

    def on_joints(self, message):
        by_name = dict(zip(message.name, message.position, strict=False))
        joints = np.array([by_name[name] for name in JOINT_NAMES])
        self.tcp.append((time.monotonic(), kinematics.forward(joints)[:3, 3]))

    def move(self):
        self.moves += 1
        if self.alive:
            p = self.sample.pose.position
            p.x, p.y, p.z = (np.array([p.x, p.y, p.z]) + self.velocity_m_s / 30).tolist()
            self.sample.header.stamp = self.get_clock().now().to_msg()
            self._input.publish(self.sample)
            self.sample.event = 0

    def tcp_m(self):
        return self.tcp[-1][1]

    def open_clutch(self):
        """Until the node has seen it open: several of the device's samples."""
        self.sample.clutch = False
        heard = self.moves
        wait_until(lambda: self.moves >= heard + 5, "samples with an open clutch")

    def moved_m(self, since_s):
        places = np.array([place for t, place in list(self.tcp) if t >= since_s])
        return float(np.linalg.norm(places - places[0], axis=1).max())

    def largest_step_m(self, since_s):
        places = np.array([place for t, place in list(self.tcp) if t >= since_s])
        return float(np.linalg.norm(np.diff(places, axis=0), axis=1).max())


@pytest.fixture(scope="module")
def hand():
    modules = [
        ["vital_sim.ros.sim_node"],
        ["vital_control.gate_node"],
        ["vital_teleop.teleop_node", "-p", "device:=remote"],
    ]
    processes = [
        subprocess.Popen([sys.executable, "-m", module, "--ros-args", *options], env=ENVIRONMENT)
        for module, *options in modules
    ]
    context = Context()
    rclpy.init(context=context, domain_id=int(DOMAIN))
    node = Hand(context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    stopping = threading.Event()

    def spin():
        while not stopping.is_set():
            executor.spin_once(timeout_sec=0.1)

    thread = threading.Thread(target=spin, daemon=True)
    thread.start()
    try:
        wait_until(lambda: len(node.tcp) > 20 and 0.0 <= node.gate.joint_state_age_s < 0.5, 60.0)
        wait_until(lambda: node.teleop.device == "remote" and node.teleop.mode == TeleopState.IDLE, 60.0)
        node.gate_process = processes[1]
        yield node
    finally:
        stopping.set()
        thread.join(5.0)
        executor.shutdown()
        node.destroy_node()
        rclpy.shutdown(context=context)
        for process in processes:
            process.send_signal(signal.SIGINT)
        for process in processes:
            assert process.wait(20.0) == 0


def test_hand_over_moves_nothing_and_the_arm_follows(hand):
    start_s = time.monotonic()
    hand.sample.clutch = True
    wait_until(lambda: hand.teleop.mode == TeleopState.ENGAGED)
    rest_of(hand.tcp_m, 0.5, atol=1e-5)
    jump_m = hand.moved_m(start_s)
    print(f"hand-over jump {1000 * jump_m:.3f} mm")
    assert jump_m < 0.0005
    hand.velocity_m_s = np.array([0.0, 0.03, -0.02])
    moving_s = time.monotonic()
    wait_until(lambda: time.monotonic() - moving_s > 1.5)
    hand.velocity_m_s = np.zeros(3)
    rest_of(hand.tcp_m, atol=1e-5)
    went = hand.tcp[-1][1] - next(place for t, place in hand.tcp if t >= moving_s)
    p = hand.sample.pose.position
    np.testing.assert_allclose(went, [p.x, p.y, p.z], atol=0.003)
    assert hand.gate.owner == "teleop" and hand.gate.rejected == 0
    back_s = time.monotonic()
    hand.sample.clutch = False
    wait_until(lambda: hand.gate.owner == "")
    rest_of(hand.tcp_m, atol=1e-5)
    print(f"hand-back jump {1000 * hand.moved_m(back_s):.3f} mm")
    assert hand.moved_m(back_s) < 0.0005


def test_lost_device_gives_the_arm_back_and_needs_an_open_clutch(hand):
    hand.sample.clutch = True
    wait_until(lambda: hand.gate.owner == "teleop")
    hand.alive = False
    wait_until(lambda: hand.teleop.mode == TeleopState.LOST and hand.gate.owner == "")
    hand.alive = True
    wait_until(lambda: hand.teleop.mode == TeleopState.IDLE)
    stays(lambda: hand.gate.owner == "", 0.5, "the arm without an owner")
    hand.open_clutch()
    hand.sample.clutch = True
    wait_until(lambda: hand.gate.owner == "teleop")
    hand.sample.clutch = False
    wait_until(lambda: hand.gate.owner == "")


def test_a_frozen_gate_is_noticed_and_the_clutch_must_open_before_the_arm_follows_again(hand):
    hand.open_clutch()
    hand.sample.clutch = True
    wait_until(lambda: hand.gate.owner == "teleop" and hand.teleop.mode == TeleopState.ENGAGED)
    # Between two messages: a process that is frozen while it takes one out of Fast DDS's shared memory keeps the lock,
    # on which whoever publishes to it waits.
    seen = hand.gate
    wait_until(lambda: hand.gate is not seen)
    time.sleep(0.005)
    hand.gate_process.send_signal(signal.SIGSTOP)
    try:
        start_s = time.monotonic()
        wait_until(lambda: "the command gate does not answer for 1" in hand.teleop.message)
        assert 0.8 < time.monotonic() - start_s < 4.0
        wait_until(lambda: hand.teleop.mode == TeleopState.IDLE)
        sent = hand.teleop.commands_sent
    finally:
        hand.gate_process.send_signal(signal.SIGCONT)
    wait_until(lambda: hand.gate.owner == "")
    assert hand.teleop.mode == TeleopState.IDLE and hand.teleop.commands_sent == sent
    hand.open_clutch()
    hand.sample.clutch = True
    wait_until(lambda: hand.gate.owner == "teleop" and hand.teleop.mode == TeleopState.ENGAGED)
    hand.sample.clutch = False
    wait_until(lambda: hand.gate.owner == "")


def test_buttons_speak_once_and_stop_stops(hand):
    hand.events.clear()
    hand.sample.event = TeleopEvent.SUCCESS
    wait_until(lambda: TeleopEvent.SUCCESS in hand.events)
    hand.sample.clutch = True
    wait_until(lambda: hand.gate.owner == "teleop")
    hand.sample.event = TeleopEvent.STOP
    wait_until(lambda: hand.gate.mode == GateState.LATCHED)
    assert "STOP on the remote" in hand.gate.stop_reason
    wait_until(lambda: hand.teleop.mode == TeleopState.IDLE)
    hand.open_clutch()
    assert hand.events.count(TeleopEvent.SUCCESS) == 1
