"""deploy.launch.py over the mock arm and the robot, with stand-ins for every program: what is started, and with what.

The stand-ins' packages lie before the real ones on AMENT_PREFIX_PATH. Each program writes down how it was called and
waits; the vendors' launch files write down their arguments.
"""

import json
import os
import shutil
import signal
import subprocess
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import yaml
from ros_domain import own_domain

from vital_core.arm.arm_description import arm_description
from vital_core.files.calibration_file import write_calibration
from vital_core.files.camera_mounting import write_mounting
from vital_core.files.date_text import now

BRINGUP = Path(__file__).parents[1]
ROS2 = shutil.which("ros2")
PATIENCE_S = 60.0

PROGRAMS = {
    "controller_manager": ["ros2_control_node", "spawner"],
    "vital_perception": ["anyskin_node", "wrist_camera_node"],
    "vital_control": ["gate_node", "frames", "xarm_gripper"],
    "vital_vlm_reach": ["vlm_reach_node"],
    "vital_rl": ["policy_node"],
    "vital_bringup": ["task_server"],
    "realsense2_camera": ["realsense2_camera_node"],
}
OTHER_PACKAGES = [
    "joint_trajectory_controller",
    "joint_state_broadcaster",
    "control_msgs",
    "xarm_controller",
    "xarm_api",
]

PROGRAM = """#!/usr/bin/env python3
import json, os, shutil, sys, time
from pathlib import Path
name, out = Path(sys.argv[0]).name, Path(os.environ["STANDIN_OUT"])
files = [Path(a).read_text() for i, a in enumerate(sys.argv) if sys.argv[i - 1] == "--params-file"]
given = [a.split(":=", 1) for i, a in enumerate(sys.argv) if sys.argv[i - 1] == "-p"]
call = {"arguments": sys.argv[1:], "parameters": files, "given": given, "pid": os.getpid(),
        "select_timeout": os.environ.get("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT")}
aside = out / f".{name}.{os.getpid()}"
aside.write_text(json.dumps(call))
aside.rename(out / f"{name}.json")
if name == "spawner":
    sys.exit(int(os.environ.get("STANDIN_SPAWNER", "0")))
try:
    time.sleep(300)
except KeyboardInterrupt:
    pass
"""
VENDORS_LAUNCH = """
import json, os
from pathlib import Path
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch_ros.actions import Node

def setup(context):
    out = Path(os.environ["STANDIN_OUT"]) / "{name}.launch.json"
    out.write_text(json.dumps(dict(context.launch_configurations)))
    return [Node(package="{package}", executable="{program}")]

def generate_launch_description():
    own = DeclareLaunchArgument("{name}_serial_no", default_value="any")
    return LaunchDescription([own, OpaqueFunction(function=setup)])
"""


def make_prefix(prefix: Path) -> None:
    """Packages with nothing behind them."""
    index = prefix / "share/ament_index/resource_index/packages"
    index.mkdir(parents=True)
    for package in [*PROGRAMS, *OTHER_PACKAGES]:
        (index / package).touch()
        (prefix / "share" / package / "launch").mkdir(parents=True)
        folder = prefix / "lib" / package
        folder.mkdir(parents=True)
        for program in PROGRAMS.get(package, []):
            (folder / program).write_text(PROGRAM)
            (folder / program).chmod(0o755)
    share = prefix / "share"
    arm = VENDORS_LAUNCH.format(name="arm", package="controller_manager", program="ros2_control_node")
    (share / "xarm_controller/launch/_ros2_control.launch.py").write_text(arm)
    camera = VENDORS_LAUNCH.format(name="camera", package="realsense2_camera", program="realsense2_camera_node")
    (share / "realsense2_camera/launch/rs_launch.py").write_text(camera)
    (share / "vital_bringup/launch").rmdir()
    for folder_name in ("launch", "config", "rviz"):
        shutil.copytree(BRINGUP / folder_name, share / "vital_bringup" / folder_name)


class System:
    """`ros2 launch` of the stand-ins."""

    def __init__(self, tmp_path: Path, *arguments: str, spawner_code: int = 0) -> None:
        self.out = tmp_path / "out"
        self.out.mkdir()
        prefix = tmp_path / "prefix"
        make_prefix(prefix)
        environment = {
            **os.environ,
            "AMENT_PREFIX_PATH": f"{prefix}:{os.environ['AMENT_PREFIX_PATH']}",
            "STANDIN_OUT": str(self.out),
            "STANDIN_SPAWNER": str(spawner_code),
            "ROS_DOMAIN_ID": str(own_domain()),
            "ROS_LOG_DIR": str(tmp_path / "log"),
        }
        self._text = (tmp_path / "launch.txt").open("w+")
        self.process = subprocess.Popen(
            [str(ROS2), "launch", "-n", "vital_bringup", "deploy.launch.py", "trials:=0", *arguments],
            env=environment,
            stdout=self._text,
            stderr=subprocess.STDOUT,
        )

    def said(self) -> str:
        self._text.seek(0)
        return self._text.read()

    def wait_for(self, *names: str) -> None:
        """These stand-ins were called."""
        deadline = time.monotonic() + PATIENCE_S
        while missing := [n for n in names if not (self.out / f"{n}.json").exists()]:
            assert time.monotonic() < deadline and self.process.poll() is None, f"without {missing}: {self.said()}"
            time.sleep(0.05)

    def call(self, name: str) -> dict:
        return json.loads((self.out / f"{name}.json").read_text())

    def parameters(self, name: str) -> dict:
        """All parameters a program was given, whatever node they name."""
        merged: dict = {}
        for text in self.call(name)["parameters"]:
            for node in yaml.safe_load(text).values():
                merged.update(node["ros__parameters"])
        return {**merged, **{parameter: yaml.safe_load(value) for parameter, value in self.call(name)["given"]}}

    def description(self) -> str:
        """The URDF that the frames node was told to publish."""
        frames = self.parameters("frames")
        return arm_description(frames["hardware"], frames["robot_ip"])

    def end(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        return self.process.wait(PATIENCE_S)


@pytest.fixture
def system(tmp_path: Path) -> Iterator[type]:
    """Starts a System; ends it after the test."""
    started: list[System] = []

    def start(*arguments: str, **options: int) -> System:
        started.append(System(tmp_path, *arguments, **options))
        return started[-1]

    yield start
    for one in started:
        one.end()


@pytest.fixture
def calibration(tmp_path: Path) -> Path:
    path = tmp_path / "calibration.yaml"
    shutil.copy(BRINGUP / "config" / "calibration_example.yaml", path)
    return path


COMMON = ("gate_node", "vlm_reach_node", "policy_node", "task_server", "frames")


def control_of(description: str) -> tuple[str, dict, list]:
    """(plugin, its parameters, joints) of a URDF."""
    control = ET.fromstring(description).find("ros2_control")
    parameters = {p.get("name"): p.text for p in control.findall("hardware/param")}
    return control.find("hardware/plugin").text, parameters, [j.get("name") for j in control.findall("joint")]


def test_mock_arm_is_described_controlled_and_gated(system):
    run = system("hardware:=mock")
    run.wait_for("ros2_control_node", "spawner", *COMMON)
    plugin, _, joints = control_of(run.description())
    assert plugin == "mock_components/GenericSystem" and joints[-1] == "drive_joint"
    controllers = run.parameters("ros2_control_node")
    assert controllers["update_rate"] >= 50
    spawned = run.call("spawner")["arguments"]
    assert spawned[:3] == ["joint_state_broadcaster", "xarm7_traj_controller", "xarm_gripper_traj_controller"]
    file = spawned[spawned.index("--param-file") + 1]
    arm = yaml.safe_load(Path(file).read_text())["xarm7_traj_controller"]["ros__parameters"]
    assert arm["interpolate_from_desired_state"] is True and arm["command_interfaces"] == ["position", "velocity"]
    assert not (run.out / "anyskin_node.json").exists()
    assert run.end() == 0, run.said()


def test_mock_arm_with_real_sensors(system):
    run = system("hardware:=mock", "mock_sensors:=true", "tactile_port:=/dev/ttyACM3", "wrist_camera:=2")
    run.wait_for("anyskin_node", "wrist_camera_node", *COMMON)
    assert run.parameters("anyskin_node")["port"] == "/dev/ttyACM3"
    assert run.parameters("wrist_camera_node")["device"] == "2"


ROBOT = ("hardware:=robot", "robot_ip:=192.168.1.217")


def test_robot_is_brought_up_with_the_vendors_launch_files_and_our_sensors(system, calibration: Path):
    run = system(*ROBOT, f"calibration:={calibration}", "camera_serial_no:=_123")
    run.wait_for("arm.launch", "camera.launch", "spawner", "anyskin_node", "wrist_camera_node", "xarm_gripper", *COMMON)
    arm = run.call("arm.launch")
    assert arm["robot_ip"] == "192.168.1.217" and arm["add_gripper"] == "true"
    assert (
        Path(arm["ros2_control_params"]).name == "arm_controllers.yaml" and Path(arm["ros2_control_params"]).is_file()
    )
    published = run.description()
    assert yaml.safe_load(arm["robot_description"])["robot_description"] == published
    plugin, parameters, joints = control_of(published)
    assert plugin == "uf_robot_hardware/UFRobotSystemHardware" and joints == [f"joint{i}" for i in range(1, 8)]
    assert parameters["robot_ip"] == "R192.168.1.217" and parameters["add_gripper"] == "true"
    assert run.call("spawner")["arguments"][:2] == ["joint_state_broadcaster", "xarm7_traj_controller"]
    camera = run.call("camera.launch")
    assert camera["align_depth.enable"] == "true" and camera["publish_tf"] == "false"
    assert camera["camera_serial_no"] == "_123" and arm["arm_serial_no"] == "any"
    # The vendors' arguments stay in their own scope.
    assert "camera_name" not in arm and "add_gripper" not in camera
    for node in ("frames", "vlm_reach_node"):
        assert run.parameters(node)["calibration_file"] == str(calibration)
    assert run.parameters("anyskin_node")["port"] == "auto"
    wrist = run.parameters("wrist_camera_node")
    assert wrist["device"] == "/dev/video0" and wrist["width"] == 640
    assert run.call("wrist_camera_node")["select_timeout"] == "1"
    assert run.end() == 0, run.said()


@pytest.mark.parametrize(
    ("victim", "more"),
    [
        ("ros2_control_node", []),
        ("ros2_control_node", ["--launch-prefix", "nice"]),
        ("realsense2_camera_node", []),
        ("anyskin_node", []),
    ],
)
def test_launch_ends_with_1_when_a_part_of_the_robot_goes(system, calibration: Path, victim: str, more: list[str]):
    run = system("hardware:=robot", "robot_ip:=192.168.1.217", f"calibration:={calibration}", *more)
    run.wait_for(victim, *COMMON)
    os.kill(run.call(victim)["pid"], signal.SIGKILL)
    assert run.process.wait(PATIENCE_S) == 1
    assert "NODE_LOST 50" in run.said() and victim in run.said()


def test_second_launch_in_a_domain_is_refused_by_the_name_of_the_first(system, tmp_path: Path):
    first = system("hardware:=mock")
    first.wait_for(*COMMON)
    (tmp_path / "second").mkdir()
    second = System(tmp_path / "second", "hardware:=mock")
    assert second.process.wait(PATIENCE_S) == 1
    assert "[BUSY 53]" in second.said() and f"deploy.launch.py, pid {first.process.pid}, since" in second.said()
    assert not list(second.out.iterdir()) and first.process.poll() is None
    assert first.end() == 0, first.said()
    (tmp_path / "third").mkdir()
    third = System(tmp_path / "third", "hardware:=mock")
    third.wait_for(*COMMON)
    assert third.end() == 0, third.said()


def test_launch_ends_with_1_when_a_controller_cannot_be_started(system):
    run = system("hardware:=mock", spawner_code=1)
    assert run.process.wait(PATIENCE_S) == 1
    assert "xarm7_traj_controller" in run.said() and "could not be started" in run.said()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["hardware:=robot"], ["robot_ip:="]),
        (["hardware:=robot", "robot_ip:=1.2.3.4"], ["NO_CALIBRATION 27", "calibrate_scene_camera"]),
        (
            ["hardware:=robot", "robot_ip:=1.2.3.4", "calibration:=/nowhere.yaml"],
            ["NO_CALIBRATION 27", "/nowhere.yaml"],
        ),
        (["hardware:=mock", "sensors:=/nowhere.yaml"], ["BAD_PARAMETER 11", "/nowhere.yaml"]),
        (["hardware:=robto"], ["robto"]),
        (["hardware:=mock", "camera_serial_no:=_123"], ["there is no argument 'camera_serial_no'"]),
    ],
)
def test_wrong_arguments_are_refused_before_anything_starts(system, arguments, words):
    run = system(*arguments)
    assert run.process.wait(PATIENCE_S) == 1
    assert all(word in run.said() for word in words), run.said()
    assert not list(run.out.iterdir())


def test_a_calibration_of_before_the_mounting_is_refused_before_anything_starts(system, tmp_path: Path):
    camera, calibration = "camera_color_optical_frame", tmp_path / "calibration.yaml"
    measured = {"measured_at": (now() - timedelta(days=2)).isoformat()}
    write_calibration(calibration, camera, "link_base", np.eye(4), measured)
    write_mounting(tmp_path / "mountings.yaml", camera, now() - timedelta(days=1))
    run = system(*ROBOT, f"calibration:={calibration}", f"mountings:={tmp_path / 'mountings.yaml'}")
    assert run.process.wait(PATIENCE_S) == 1
    assert "NO_CALIBRATION 27" in run.said() and "its calibration is older" in run.said(), run.said()
    assert not list(run.out.iterdir())


@pytest.mark.parametrize(
    ("hardware", "words"),
    [
        ("mock", ["controller_manager", "sudo apt install ros-jazzy-ros2-control"]),
        ("robot", ["xarm_controller", "git clone -b jazzy", "realsense2_camera", "ros-jazzy-realsense2-camera"]),
    ],
)
@pytest.mark.skipif(
    os.environ.get("VITAL_ENVIRONMENT") != "wheels", reason="with a ROS installation the packages may be there"
)
def test_missing_packages_are_named_with_the_lines_that_install_them(hardware: str, words: list[str]):
    command = [str(ROS2), "launch", "-n", "vital_bringup", "deploy.launch.py", f"hardware:={hardware}"]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert answer.returncode == 1
    said = answer.stdout + answer.stderr
    assert all(word in said for word in words), said
    assert "process started" not in said
