"""What `take_reference` hears: the scene's camera, where it hangs, and where the hand is."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from rclpy.node import Node
from tf2_msgs.msg import TFMessage

from vital_core.arm import kinematics
from vital_core.arm.xarm7 import BASE_FRAME
from vital_core.clock import steady_s
from vital_core.errors import ErrorCode, VitalError
from vital_core.files.calibration_file import read_calibration
from vital_core.files.camera_mounting import check_calibrations
from vital_core.files.date_text import now
from vital_core.pose import Pose
from vital_ros.boundary import subscribe
from vital_ros.calls import wait_for
from vital_ros.diagnostics import OK, Diagnostics, Health
from vital_ros.qos import FRAMES
from vital_vlm_reach.arm_calls import JointReadings
from vital_vlm_reach.localisation.camera import View
from vital_vlm_reach.localisation.camera_view import CameraView
from vital_vlm_reach.localisation.frames import FixedFrames
from vital_vlm_reach.reach_messages import transforms_of

AWAY_M = 0.15
_LOOK_S, _POLL_S = 10.0, 0.1


class ReferenceCamera(Node):
    """Its methods block, for a thread beside the spinning executor.

    calibration_file: says where the camera hangs; empty: `/tf_static` does. mounting_file: as in `CalibratedFrames`.
    Raises VitalError(NO_CALIBRATION) when they cannot be used.
    """

    def __init__(self, calibration_file: str = "", mounting_file: str = "", **options: Any) -> None:
        super().__init__("take_reference", **options)
        self._frames = FixedFrames()
        if calibration_file:
            calibrations = read_calibration(Path(calibration_file))
            check_calibrations(calibrations, Path(mounting_file) if mounting_file else None, now())
            for calibration in calibrations:
                self._frames.add(calibration.parent, calibration.child, calibration.t_parent_child)
        else:
            subscribe(self, TFMessage, "/tf_static", self._frames.take, FRAMES, read=transforms_of)
        self._joints = JointReadings(self)
        self._looked = 0
        self._diagnostics = Diagnostics(self, lambda: Health(OK, f"{self._looked} looks"))

    def hand(self, timeout_s: float) -> Pose:
        """Pose of the TCP in the base, at rest. Raises VitalError(SENSOR_FAULT)."""
        self._joints.next(timeout_s)
        return kinematics.forward(self._joints.settled())

    def wait_for_hand_away(self, marked: Pose, timeout_s: float, stopping: threading.Event) -> None:
        """Until the hand is far from where it marked, and at rest. Raises VitalError: SENSOR_FAULT, TIMEOUT,
        CANCELLED."""

        def away() -> bool:
            return float(np.linalg.norm(kinematics.forward(self._joints.next())[:3, 3] - marked[:3, 3])) > AWAY_M

        _wait(away, timeout_s, stopping, f"the hand to be taken {1000 * AWAY_M:.0f} mm and more away")
        self._joints.settled()

    def looks(self, count: int, timeout_s: float, stopping: threading.Event) -> list[View]:
        """Views one after another, from now on. Raises VitalError: NO_CAMERA, NO_CALIBRATION, BAD_OBSERVATION,
        CANCELLED."""
        return [self._look(min(_LOOK_S, timeout_s), stopping) for _ in range(count)]

    def _look(self, timeout_s: float, stopping: threading.Event) -> View:
        view, since_ns = [], self.get_clock().now().nanoseconds

        async def look() -> None:
            view.append(CameraView(self, timeout_s, since_ns))
            try:
                await view[0].arrived
            finally:
                view[0].close()

        assert self.executor is not None
        wait_for(self.executor.create_task(look), timeout_s + 5.0, "the scene's camera", stopping.is_set)
        self._looked += 1
        return view[0].read()

    def camera_pose(self, frame_id: str, timeout_s: float, stopping: threading.Event) -> Pose:
        """Pose of the camera's optical frame in the base. Raises VitalError: NO_CALIBRATION, CANCELLED."""

        def known() -> bool:
            try:
                self._frames.pose(BASE_FRAME, frame_id)
            except VitalError:
                return False
            return True

        try:
            _wait(known, min(_LOOK_S, timeout_s), stopping, "its calibration")
        except VitalError as error:
            if error.code is not ErrorCode.TIMEOUT:
                raise
        return self._frames.pose(BASE_FRAME, frame_id)


def _wait(until: Callable[[], bool], timeout_s: float, stopping: threading.Event, what: str) -> None:
    deadline_s = steady_s() + timeout_s
    while not until():
        if stopping.wait(_POLL_S):
            raise VitalError(ErrorCode.CANCELLED, f"stopped while waiting for {what}")
        if steady_s() > deadline_s:
            raise VitalError(ErrorCode.TIMEOUT, f"waited {timeout_s:.0f} s for {what}: begin again")
