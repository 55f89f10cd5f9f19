"""A minimal `launch_ros` for systems without a ROS installation: see pip_ros/README.md."""

from launch import _needs_ros

from launch_ros import actions, parameter_descriptions, substitutions

__all__ = ["actions", "parameter_descriptions", "substitutions"]

__getattr__ = _needs_ros.lazy_attribute(__name__)
