"""A process with a participant, as a node of the project has one; says so and waits."""

import sys

import rclpy
from rclpy.node import Node

from vital_core.node_main import join_network

assert join_network() is not None
rclpy.init()
node = Node("segment_holder")
sys.stdout.write("up\n")
sys.stdout.flush()
sys.stdin.readline()
