"""`take_reference` over real DDS: a simulated target under the scene camera's topics, an arm that stands on it."""

import subprocess
import sys
import threading

import numpy as np
import pytest
import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from ros_domain import own_domain
from sensor_msgs.msg import CameraInfo, Image, JointState
from std_msgs.msg import Header
from waiting import wait_until

from vital_core import pose as pose_of
from vital_core.arm import kinematics
from vital_core.arm.xarm7 import HOME_RAD, JOINT_NAMES
from vital_core.files.calibration_file import write_calibration
from vital_core.files.date_text import now
from vital_core.task import load_task
from vital_ros.image_message import to_message
from vital_sim.cameras.cameras import SceneCamera
from vital_sim.world.world import World
from vital_vlm_reach.localisation.localization import target_turn
from vital_vlm_reach.localisation.references import References, references_folder
from vital_vlm_reach.reference_views.render_references import simulated_view

TASK = load_task("usb_insertion")
COMMAND = (sys.executable, "-m", "vital_vlm_reach.reference_views.take_reference")


class Lab(Node):
    """The scene camera over a USB port that is turned by 15 degrees, and an arm that stands where ``joints`` says."""

    def __init__(self, context: Context) -> None:
        super().__init__("lab", context=context)
        self.world = World(TASK)
        self.camera = SceneCamera(self.world.model)
        self.truth = self.lay((0.46, 0.02, 0.034), 15.0)
        view = simulated_view(self.world, self.camera)
        self._images = (to_message(view.rgb, "rgb8", Header()), to_message(view.depth_mm, "16UC1", Header()))
        self.joints = HOME_RAD.copy()
        topics = ("color/image_raw", "aligned_depth_to_color/image_raw")
        quality = qos_profile_sensor_data
        self._cameras = [self.create_publisher(Image, f"/camera/camera/{name}", quality) for name in topics]
        self._info = self.create_publisher(CameraInfo, "/camera/camera/color/camera_info", quality)
        self._arm = self.create_publisher(JointState, "/joint_states", 10)
        self.create_timer(0.1, self._see)
        self.create_timer(0.02, self._feel)

    def lay(self, place, yaw_deg: float):
        self.world.reset(3, joints_rad=HOME_RAD)
        self.world.place_target(place, np.deg2rad(yaw_deg))
        return self.world.site_pose("target_opening")

    def _see(self) -> None:
        if not self._cameras[1].get_subscription_count():
            return
        header = Header(frame_id=self.camera.frame_id, stamp=self.get_clock().now().to_msg())
        for publisher, message in zip(self._cameras, self._images, strict=True):
            message.header = header
            publisher.publish(message)
        self._info.publish(CameraInfo(header=header, width=640, height=480, k=self.camera.camera_matrix.flatten()))

    def _feel(self) -> None:
        message = JointState(name=list(JOINT_NAMES), position=self.joints.tolist())
        message.header.stamp = self.get_clock().now().to_msg()
        self._arm.publish(message)


@pytest.fixture(scope="module")
def lab():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROS_DOMAIN_ID", str(own_domain()))
        context = Context()
        rclpy.init(context=context)
        made, executor = Lab(context), SingleThreadedExecutor(context=context)
        executor.add_node(made)
        ended = threading.Event()

        def spin() -> None:
            while not ended.is_set():
                executor.spin_once(timeout_sec=0.1)

        thread = threading.Thread(target=spin, daemon=True)
        thread.start()
        yield made
        ended.set()
        thread.join()
        made.camera.close()
        made.destroy_node()
        rclpy.shutdown(context=context)


def test_the_hand_marks_a_target_and_the_view_locates_it(lab, tmp_path):
    calibration, log = tmp_path / "calibration.yaml", tmp_path / "log.txt"
    write_calibration(
        calibration, lab.camera.frame_id, "link_base", lab.camera.t_base_camera, {"measured_at": now().isoformat()}
    )
    holding = lab.truth @ pose_of.point_down((-TASK.tip_forward_m, 0.0, TASK.tip_offset_m))
    solved = kinematics.solve(holding, HOME_RAD, posture_rad=HOME_RAD)
    assert solved is not None
    lab.joints = solved
    arguments = ("--task", TASK.name, "--hand", "--calibration", str(calibration), "--images", "2", "--timeout", "120")
    with (
        log.open("w") as out,
        subprocess.Popen([*COMMAND, str(tmp_path), *arguments], stdout=out, stderr=out) as process,
    ):
        wait_until(lambda: "take it away now" in log.read_text() or process.poll() is not None, "the hand kept")
        lab.joints = HOME_RAD.copy()
        assert process.wait(120.0) == 0, log.read_text()
    assert "written to" in log.read_text() and (tmp_path / "usb_insertion.seen.png").exists()
    true = lab.lay((0.49, -0.06, 0.036), 60.0)
    seen = simulated_view(lab.world, lab.camera)
    for folder in (tmp_path, references_folder("shipped")):
        turn = target_turn(seen, lab.camera.t_base_camera, true[:3, 3], References(folder).of(TASK.name))
        assert turn.known and abs((np.rad2deg(turn.yaw_rad) - 60.0 + 45.0) % 90.0 - 45.0) < 4.0, turn.message
        assert np.linalg.norm(turn.origin_m - true[:3, 3]) < 0.006
    again = subprocess.run([*COMMAND, str(tmp_path), *arguments], capture_output=True, text=True, timeout=120.0)
    assert again.returncode == 2 and "--replace" in again.stderr


def test_without_a_calibration_the_command_says_so_and_writes_nothing(lab, tmp_path):
    pixels = ("--pixels", "320", "240", "--images", "1", "--timeout", "1")
    ended = subprocess.run(
        [*COMMAND, str(tmp_path), "--task", TASK.name, *pixels], capture_output=True, text=True, timeout=120.0
    )
    assert ended.returncode == 1 and not list(tmp_path.iterdir())
    assert "NO_CALIBRATION" in ended.stderr + ended.stdout, ended
