"""`moveit_msgs.msg`."""

from dataclasses import dataclass, field

from std_msgs.msg import Header


@dataclass(kw_only=True)
class CollisionObject:
    ADD = b"\x00"
    header: Header = field(default_factory=Header)
    id: str = ""
    operation: bytes = ADD
    primitives: list = field(default_factory=list)
    primitive_poses: list = field(default_factory=list)


@dataclass(kw_only=True)
class AttachedCollisionObject:
    link_name: str = ""
    object: CollisionObject = field(default_factory=CollisionObject)
    touch_links: list = field(default_factory=list)
