"""Qualities of service that the nodes share."""

from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

# Who comes late gets the newest.
LATCHED = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)
