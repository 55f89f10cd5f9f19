"""The bottoms with real hardware interfaces: ros2_control's mock arm, and the robot. Plain `launch` and `launch_ros`.

Both run the same controllers (`config/arm_controllers.yaml`) from a description made of the project's own joint table,
which the frames node publishes on `/robot_description`: there ros2_control reads it from on Jazzy. So the gate meets
one and the same controller, set up as it needs it, whichever arm is behind.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from ament_index_python.packages import PackageNotFoundError, get_package_share_directory
from launch import LaunchContext
from launch.actions import GroupAction, IncludeLaunchDescription, RegisterEventHandler
from launch.event_handlers import OnProcessExit
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare

from vital_bringup.launching.launch_arguments import given, text
from vital_core.arm.arm_description import MOCK, ROBOT, SIM, arm_description
from vital_core.errors import ErrorCode, VitalError, coded
from vital_core.files.calibration_file import read_calibration
from vital_core.files.camera_mounting import check_calibrations
from vital_core.files.date_text import now

APT_CONTROL = "sudo apt install ros-jazzy-ros2-control ros-jazzy-ros2-controllers"
APT_REALSENSE = "sudo apt install ros-jazzy-realsense2-camera"
APT_MOVEIT = "sudo apt install ros-jazzy-moveit ros-jazzy-moveit-py"
GIT_XARM = (
    "git clone -b jazzy --recursive https://github.com/xArm-Developer/xarm_ros2 ~/xarm_ws/src/xarm_ros2 && "
    "cd ~/xarm_ws && rosdep install --from-paths src --ignore-src -y && "
    "colcon build --packages-up-to xarm_controller uf_ros_lib && source install/setup.bash"
)
# Which packages each bottom needs beyond the project's own, and the line that brings each.
INSTALL_WITH = {
    "controller_manager": APT_CONTROL,
    "joint_trajectory_controller": APT_CONTROL,
    "joint_state_broadcaster": APT_CONTROL,
    "control_msgs": APT_CONTROL,
    "realsense2_camera": APT_REALSENSE,
    "xarm_controller": GIT_XARM,
    "xarm_api": GIT_XARM,
    "rviz2": "sudo apt install ros-jazzy-rviz2",
    "moveit_py": APT_MOVEIT,
    "moveit_planners_ompl": APT_MOVEIT,
}
CONTROL = ("controller_manager", "joint_trajectory_controller", "joint_state_broadcaster")
NEEDED = {SIM: (), MOCK: CONTROL, ROBOT: (*CONTROL, "control_msgs", "xarm_controller", "xarm_api", "realsense2_camera")}
PLANNERS_NEED = {"embedded": (), "moveit": ("moveit_py", "moveit_planners_ompl")}
VENDORS_FILES = (("xarm_controller", "_ros2_control.launch.py"), ("realsense2_camera", "rs_launch.py"))
# Processes of the vendors' launch files without which there is nothing to go on with.
VENDORS_PROCESSES = ("ros2_control_node", "realsense2_camera_node")

SENSOR_ARGUMENTS = (
    ("tactile_port", "auto", "serial device of the AnySkin; auto: the first one on USB", None),
    ("wrist_camera", "/dev/video0", "wrist camera: device (best /dev/v4l/by-id/...), video file or image folder", None),
    ("sensors", "auto", "YAML with the sensors' parameters; auto: config/robot_sensors.yaml of vital_bringup", None),
    (
        "mock_sensors",
        "false",
        "hardware:=mock with the real tactile pad and wrist camera",
        ("true", "false"),
    ),
)


def as_arguments(parameters: Mapping[str, Any]) -> list[str]:
    """Parameters as ROS arguments of a node, typed as they are in Python.

    Given to launch as a dictionary they would become a file in the temporary folder, which stays there.
    """
    pairs = [f"{name}:={json.dumps(value, ensure_ascii=False)}" for name, value in parameters.items()]
    return [part for pair in pairs for part in ("-p", pair)]


def problem(context: LaunchContext) -> str | None:
    """Why the hardware asked for cannot be brought up, or None. Nothing has been started yet."""
    hardware = text("hardware", context)
    planner = text("planner", context)
    wanted = {
        f"hardware:={hardware}": (*NEEDED[hardware], *(["rviz2"] if text("rviz", context) == "true" else [])),
        f"planner:={planner}": PLANNERS_NEED[planner],
    }
    for argument, packages in wanted.items():
        missing = [package for package in packages if not _installed(package)]
        if missing:
            return _to_install(argument, missing)
    if hardware != SIM and not Path(sensors_file(context)).is_file():
        return coded(ErrorCode.BAD_PARAMETER, f"sensors:={sensors_file(context)} is no file")
    return _robot_problem(context) if hardware == ROBOT else None


def _to_install(argument: str, missing: list[str]) -> str:
    lines = dict.fromkeys(INSTALL_WITH[package] for package in missing)
    return coded(
        ErrorCode.BAD_PARAMETER,
        f"{argument} needs ROS packages that are not here: {', '.join(missing)}. "
        "With ROS 2 Jazzy installed and sourced (docs/robot.md):\n  " + "\n  ".join(lines),
    )


def _robot_problem(context: LaunchContext) -> str | None:
    if not given("robot_ip", context):
        return coded(ErrorCode.BAD_PARAMETER, "hardware:=robot needs robot_ip:=<address of the control box>")
    file = given("calibration", context)
    if not file:
        return coded(
            ErrorCode.NO_CALIBRATION,
            "hardware:=robot needs calibration:=<file with the cameras' poses>: make one with "
            "`ros2 run vital_perception calibrate_scene_camera`",
        )
    try:
        calibrations = read_calibration(Path(file))
        mountings = given("mountings", context)
        check_calibrations(calibrations, Path(mountings) if mountings else None, now())
    except VitalError as error:
        return str(error)
    frames = {calibration.child for calibration in calibrations}
    if "camera_color_optical_frame" not in frames:
        return coded(
            ErrorCode.NO_CALIBRATION,
            f"{file} has {', '.join(sorted(frames))}, expected camera_color_optical_frame too: calibrate the scene "
            "camera",
        )
    return None


def _installed(package: str) -> bool:
    try:
        get_package_share_directory(package)
    except PackageNotFoundError:
        return False
    return True


def sensors_file(context: LaunchContext) -> str:
    """The sensors' parameters."""
    shipped = Path(get_package_share_directory("vital_bringup")) / "config" / "robot_sensors.yaml"
    return given("sensors", context) or str(shipped)


def controllers_file() -> PathJoinSubstitution:
    """The controllers' parameters."""
    return PathJoinSubstitution([FindPackageShare("vital_bringup"), "config", "arm_controllers.yaml"])


def spawner(*controllers: str) -> list:
    """Starts controllers, and ends the launch when that fails. On Jazzy they read their parameters from this file."""
    node = Node(
        package="controller_manager",
        executable="spawner",
        arguments=[*controllers, "--param-file", controllers_file(), "--controller-manager-timeout", "60"],
    )

    def on_exit(event, context: LaunchContext) -> None:
        if event.returncode != 0 and not context.is_shutdown:
            what = f"{', '.join(controllers)} could not be started, see above"
            raise RuntimeError(coded(ErrorCode.NODE_LOST, what))

    return [RegisterEventHandler(OnProcessExit(target_action=node, on_exit=on_exit)), node]


def sensor_nodes(context: LaunchContext, level: list) -> list[Node]:
    """The tactile pad and the wrist camera. level: ros_arguments of both."""
    file = sensors_file(context)

    def node(executable: str, parameter: str, argument: str, **options) -> Node:
        given = ["--params-file", file, *as_arguments({parameter: text(argument, context)})]
        return Node(package="vital_perception", executable=executable, ros_arguments=[*level, *given], **options)

    return [
        node("anyskin_node", "port", "tactile_port", output="log"),
        node(
            "wrist_camera_node",
            "device",
            "wrist_camera",
            output="log",
            # OpenCV waits 10 s for a camera that has gone, otherwise.
            additional_env={"OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT": "1"},
        ),
    ]


def mock_nodes(context: LaunchContext, level: list) -> list:
    """ros2_control with mock components: the motion path without an arm."""
    sensors = sensor_nodes(context, level) if text("mock_sensors", context) == "true" else []
    return [
        Node(package="controller_manager", executable="ros2_control_node", parameters=[controllers_file()]),
        *spawner("joint_state_broadcaster", "xarm7_traj_controller", "xarm_gripper_traj_controller"),
        *sensors,
    ]


def robot_nodes(context: LaunchContext, level: list) -> list:
    """The vendors' launch files for the arm's ros2_control and the scene camera, and the project's own nodes."""
    arm = {
        "robot_ip": text("robot_ip", context),
        "robot_description": yaml.safe_dump({"robot_description": arm_description(ROBOT, text("robot_ip", context))}),
        "ros2_control_params": controllers_file(),
        "dof": "7",
        "robot_type": "xarm",
        "add_gripper": "true",
    }
    camera = {
        "camera_namespace": "camera",
        "camera_name": "camera",
        "align_depth.enable": "true",
        "enable_sync": "true",
        "rgb_camera.color_profile": "640x480x30",
        "depth_module.depth_profile": "640x480x30",
        # The calibration file says where the camera is; a frame has one parent.
        "publish_tf": "false",
    }
    gripper = Node(package="vital_control", executable="xarm_gripper", output="log", ros_arguments=level)
    return [
        vendors_processes_are_required(),
        _included(*VENDORS_FILES[0], arm),
        *spawner("joint_state_broadcaster", "xarm7_traj_controller"),
        _included(*VENDORS_FILES[1], camera),
        gripper,
        *sensor_nodes(context, level),
    ]


def passed_on(context: LaunchContext) -> set[str]:
    """Names of the arguments that go on to the vendors' launch files, as far as those declare them."""
    if text("hardware", context) != ROBOT:
        return set()
    files = [_vendors_file(package, file) for package, file in VENDORS_FILES]
    return {argument.name for file in files for argument in file.get_launch_description(context).get_launch_arguments()}


def _vendors_file(package: str, file: str) -> PythonLaunchDescriptionSource:
    return PythonLaunchDescriptionSource(PathJoinSubstitution([FindPackageShare(package), "launch", file]))


def _included(package: str, file: str, arguments: dict) -> GroupAction:
    """A vendor's launch file in a scope of its own: its arguments' defaults must not become ours."""
    return GroupAction([IncludeLaunchDescription(_vendors_file(package, file), launch_arguments=arguments.items())])


def ended_alone(process: str, exit_code: int) -> str:
    """What is said when a process ends without which the rest is of no use."""
    return coded(ErrorCode.NODE_LOST, f"{process} ended with exit code {exit_code}: the system is not whole")


def vendors_processes_are_required() -> RegisterEventHandler:
    """The launch ends with exit code 1 when one of them goes: nobody else would notice.

    They are known by a word of their command: with a prefix (`gdb`, `taskset`) the process is named after that.
    """

    def on_exit(event, context: LaunchContext) -> None:
        lost = [name for name in (Path(part).name for part in event.cmd) if name in VENDORS_PROCESSES]
        if lost and not context.is_shutdown:
            raise RuntimeError(ended_alone(lost[0], event.returncode))

    return RegisterEventHandler(OnProcessExit(on_exit=on_exit))
