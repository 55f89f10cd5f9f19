"""A process with a participant and an action server, as a node of the project has them; says so, waits, and ends so."""

import sys

import rclpy
from rclpy.action import ActionServer
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from vital_interfaces.action import RunPolicy
from vital_ros.process.node_main import join_network, take_down

assert join_network() is not None
rclpy.init()
node = Node("segment_holder")
server = ActionServer(node, RunPolicy, "holds", lambda _: RunPolicy.Result())
sys.stdout.write("up\n")
sys.stdout.flush()
sys.stdin.readline()
take_down(node, SingleThreadedExecutor())
sys.stdout.write("down\n")
sys.stdout.flush()
sys.stdin.readline()
