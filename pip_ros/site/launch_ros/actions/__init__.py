"""Actions for ROS nodes."""

from launch import _needs_ros

from launch_ros.actions.node import Node
from launch_ros.actions.settings import PushROSNamespace, PushRosNamespace, SetParameter, SetRemap, SetUseSimTime

__all__ = ["Node", "PushROSNamespace", "PushRosNamespace", "SetParameter", "SetRemap", "SetUseSimTime"]

__getattr__ = _needs_ros.lazy_attribute(__name__)
