"""`ros2 run vital_vlm_reach take_reference FOLDER`: a target's reference view, taken by the scene's camera.

Lay the target level under the camera, nothing beside it, and say in one of three ways where and how turned it is:

  --hand                        the arm holds the object's tip in or above it, as demonstrations end; then take it away
  --pixels U V U V              two pixels of the colour image: its middle, and a point from there along its x axis
  --pixels U V [--yaw DEGREES]  its middle; its yaw in the base is known, as when it lies along a ruler

The camera must run; where it hangs comes from --calibration, or from /tf_static. Its x axis is the
TCP's in demonstrations. Writes FOLDER/TASK.png for
`references:=FOLDER`, and FOLDER/TASK.seen.png with the target's axes on what was seen: look at it.
"""

import argparse
import sys
import threading
from pathlib import Path

import cv2
import numpy as np
import rclpy.utilities

from vital_core.errors import ErrorCode, VitalError
from vital_core.files.safe_file import write_bytes
from vital_core.task import Task, load_task, task_names
from vital_ros.process.client_main import run_client
from vital_ros.process.node_main import EXIT_REFUSED
from vital_vlm_reach.localisation.target_view import save_view
from vital_vlm_reach.reference_views.marking import HandMark, Marking, PixelMark
from vital_vlm_reach.reference_views.reference_camera import ReferenceCamera
from vital_vlm_reach.reference_views.taken_view import drawn, taken_view


def parser() -> argparse.ArgumentParser:
    """The command line."""
    command = argparse.ArgumentParser(
        prog="take_reference", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    command.add_argument("folder", type=Path, help="where reference views are kept, one PNG a task")
    command.add_argument("--task", choices=task_names(), required=True)
    how = command.add_mutually_exclusive_group(required=True)
    how.add_argument("--hand", action="store_true", help="where the arm holds the tip now; it is then taken away")
    how.add_argument("--pixels", type=float, nargs="+", metavar="PX", help="U V, or U V U V")
    command.add_argument("--yaw", type=float, help="of the target in the base, degrees (default 0)")
    command.add_argument("--calibration", default="", help="calibration file (default: /tf_static)")
    command.add_argument("--mountings", default="", help="refuse a calibration of before the camera was mounted")
    command.add_argument("--images", type=int, default=5, help="the view is their median (default %(default)s)")
    command.add_argument("--timeout", type=float, default=60.0, help="for each wait, s (default %(default)s)")
    command.add_argument("--replace", action="store_true", help="the view that there is already")
    return command


def pixel_mark(pixels: list[float], yaw_deg: float | None) -> PixelMark:
    """Of the command line. Raises VitalError(BAD_PARAMETER)."""
    if len(pixels) not in (2, 4) or not np.isfinite(pixels).all():
        raise VitalError(ErrorCode.BAD_PARAMETER, f"--pixels has {len(pixels)} numbers, expected 2 or 4 finite ones")
    if len(pixels) == 4 and yaw_deg is not None:
        raise VitalError(ErrorCode.BAD_PARAMETER, "--yaw and two pixels both say how it is turned: give one of them")
    yaw_rad = float(np.deg2rad(yaw_deg or 0.0))
    return PixelMark((pixels[0], pixels[1]), yaw_rad, (pixels[2], pixels[3]) if len(pixels) == 4 else None)


def _checked(given: argparse.Namespace) -> None:
    if given.images < 1 or given.timeout <= 0.0:
        raise VitalError(ErrorCode.BAD_PARAMETER, "--images and --timeout must be above 0")
    if given.hand and given.yaw is not None:
        raise VitalError(ErrorCode.BAD_PARAMETER, "--yaw is told by the hand: leave it away with --hand")
    path = given.folder / f"{given.task}.png"
    if path.exists() and not given.replace:
        raise VitalError(ErrorCode.BAD_PARAMETER, f"{path} is there already: add --replace, or name another folder")


def _take(node: ReferenceCamera, given: argparse.Namespace, task: Task, stopping: threading.Event) -> int:
    say = node.get_logger().info
    marking: Marking
    if given.hand:
        hand = node.hand(given.timeout)
        marking = HandMark(hand, task)
        say("the hand's place and yaw are kept: take it away now, out of the camera's view")
        node.wait_for_hand_away(hand, given.timeout, stopping)
    else:
        marking = pixel_mark(given.pixels, given.yaw)
    views = node.looks(given.images, given.timeout, stopping)
    t_base_camera = node.camera_pose(views[0].frame_id, given.timeout, stopping)
    taken = taken_view(views, t_base_camera, marking, task.target_symmetry)
    picture = drawn(views[0], t_base_camera, taken.t_base_target)
    _, data = cv2.imencode(".png", np.asarray(picture[..., ::-1]))
    path = given.folder / f"{task.name}.png"
    save_view(path, taken.view)
    write_bytes(path.with_suffix(".seen.png"), data.tobytes())
    say(f"{taken.told()}; written to {path}: look at {path.with_suffix('.seen.png').name} beside it")
    return 0


def main() -> None:
    """Entry point."""
    given = parser().parse_args(rclpy.utilities.remove_ros_args(sys.argv)[1:])
    try:
        _checked(given)
        if given.pixels:
            pixel_mark(given.pixels, given.yaw)
    except VitalError as error:
        print(error, file=sys.stderr)
        sys.exit(EXIT_REFUSED)
    task = load_task(given.task)
    run_client(
        lambda: ReferenceCamera(given.calibration, given.mountings),
        lambda node, stopping: _take(node, given, task, stopping),
        "take_reference",
    )


if __name__ == "__main__":
    main()
