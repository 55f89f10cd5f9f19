"""Declares an argument without a default."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, LogInfo


def generate_launch_description() -> LaunchDescription:
    return LaunchDescription(
        [LogInfo(msg="started"), DeclareLaunchArgument("robot_ip", description="Address of the robot")]
    )
