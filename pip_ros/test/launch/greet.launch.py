"""Launches a greeting; declares an argument of each kind."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, LogInfo
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution


def generate_launch_description() -> LaunchDescription:
    return LaunchDescription(
        [
            DeclareLaunchArgument("whom", default_value="world", description="Who is greeted"),
            DeclareLaunchArgument("tone", default_value="kind", choices=["kind", "curt"]),
            DeclareLaunchArgument("place", default_value=PathJoinSubstitution(["home", LaunchConfiguration("whom")])),
            DeclareLaunchArgument("rare", default_value="", condition=IfCondition("false")),
            LogInfo(msg=["hello ", LaunchConfiguration("whom"), " from ", LaunchConfiguration("place")]),
        ]
    )
