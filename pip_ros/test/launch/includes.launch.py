"""Includes the greeting."""

from launch import LaunchDescription
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import PathJoinSubstitution
from launch_ros.substitutions import FindPackageShare


def generate_launch_description() -> LaunchDescription:
    file = PathJoinSubstitution([FindPackageShare("demo_pkg"), "launch", "greet.launch.py"])
    return LaunchDescription(
        [IncludeLaunchDescription(PythonLaunchDescriptionSource(file), launch_arguments={"whom": "child"}.items())]
    )
