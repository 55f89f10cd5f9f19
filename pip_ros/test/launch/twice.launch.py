"""A file that the package has twice."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, LogInfo


def generate_launch_description() -> LaunchDescription:
    return LaunchDescription(
        [LogInfo(msg="started"), DeclareLaunchArgument("robot_ip", description="Address of the robot")]
    )
