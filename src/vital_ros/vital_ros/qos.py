"""Qualities of service that the nodes share."""

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy, qos_profile_sensor_data

# Only the newest counts, and none is waited for: sensors and states of a control loop.
NEWEST = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
# Who comes late gets the newest.
LATCHED = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)
# Static frames come from several, each of whom is kept: /tf_static.
FRAMES = QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)
# Who comes late gets the last ten: what is played back or recorded with its beginning.
LAST_TEN = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)
# Who keeps a record hears every one that is sent, after a stall too; the second for sensors, which send once.
EVERY = QoSProfile(depth=200, reliability=ReliabilityPolicy.RELIABLE)
EVERY_OF_A_SENSOR = QoSProfile(depth=200, reliability=ReliabilityPolicy.BEST_EFFORT)
# A large image is many datagrams, of which none may be lost: cameras offer to send them again (REP 2003).
IMAGES = QoSProfile(depth=5, reliability=ReliabilityPolicy.RELIABLE)


def as_offered(node: Node, topic: str) -> QoSProfile:
    """`IMAGES` where everybody who is known to send on ``topic`` offers it, else what goes with any sender."""
    offered = [found.qos_profile.reliability for found in node.get_publishers_info_by_topic(topic)]
    reliable = bool(offered) and all(kind == ReliabilityPolicy.RELIABLE for kind in offered)
    return IMAGES if reliable else qos_profile_sensor_data
