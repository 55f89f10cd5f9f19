"""A minimal `launch_testing` for systems without a ROS installation: see pip_ros/README.md."""

from launch import _needs_ros

from launch_testing import actions, asserts, io_handler, markers, proc_info_handler, util
from launch_testing.decorators import parametrize, post_shutdown_test, ready_to_test_action_timeout
from launch_testing.io_handler import ActiveIoHandler, IoHandler
from launch_testing.proc_info_handler import ActiveProcInfoHandler, ProcInfoHandler

__all__ = [
    "ActiveIoHandler",
    "ActiveProcInfoHandler",
    "IoHandler",
    "ProcInfoHandler",
    "actions",
    "asserts",
    "io_handler",
    "markers",
    "parametrize",
    "post_shutdown_test",
    "proc_info_handler",
    "ready_to_test_action_timeout",
    "util",
]

__getattr__ = _needs_ros.lazy_attribute(__name__)
