"""`ros2 run vital_perception calibrate_scene_camera`: where a camera is, from images of a ChArUco board.

calibrate_scene_camera board  board.png                  the board, to print
calibrate_scene_camera record images/                  move the arm; each rest is an image (Ctrl-C ends)
calibrate_scene_camera solve  images/ calibration.yaml
calibrate_scene_camera mounted mountings.yaml          say that the camera was taken off, moved or knocked just then
"""

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console

from vital_core.errors import ErrorCode, VitalError
from vital_core.files.calibration_file import write_calibration
from vital_core.files.camera_mounting import CLOCKS_APART, write_mounting
from vital_core.files.date_text import moment_of, now
from vital_core.files.safe_file import write_bytes
from vital_perception.calibration.board import Board
from vital_perception.calibration.calibration_session import PARENTS, CalibrationFolder, Found, find_camera
from vital_perception.calibration.hand_eye import FEWEST_POSES
from vital_ros.process.node_main import EXIT_REFUSED, run_node

TOPICS = {
    "scene": ("/camera/camera/color/image_raw", "/camera/camera/color/camera_info"),
    "wrist": ("/wrist_camera/image_raw", "/wrist_camera/camera_info"),
}
# As the cameras' own nodes name them.
FRAMES = {"scene": "camera_color_optical_frame", "wrist": "wrist_camera_optical_frame"}


def parser() -> argparse.ArgumentParser:
    """The command line."""
    main_parser = argparse.ArgumentParser(
        prog="calibrate_scene_camera", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = main_parser.add_subparsers(dest="command", required=True)
    board = commands.add_parser("board", help="write the board as an image, to print")
    board.add_argument("file", type=Path)
    record = commands.add_parser("record", help="keep an image of each pose in which the arm rests")
    record.add_argument("folder", type=Path)
    solve = commands.add_parser("solve", help="find the camera's place and write it")
    solve.add_argument("folder", type=Path)
    solve.add_argument("file", type=Path, help="calibration file; its other entries stay")
    d = Board()
    mounted = commands.add_parser(
        "mounted", help="say since when the camera hangs there: older calibrations are refused"
    )
    mounted.add_argument("file", type=Path, help="mounting file; its other entries stay")
    mounted.add_argument("--at", default="", help="ISO 8601, such as 2026-11-20T09:30 (default: this moment)")
    for command in (board, record, solve):
        command.add_argument("--columns", type=int, default=d.columns, help="squares (default %(default)s)")
        command.add_argument("--rows", type=int, default=d.rows, help="squares (default %(default)s)")
        command.add_argument("--square", type=float, default=d.square_m, help="side, m (default %(default)s)")
        command.add_argument("--marker", type=float, default=d.marker_m, help="side, m (default %(default)s)")
        command.add_argument("--dictionary", default=d.dictionary, help="(default %(default)s)")
    for command in (record, solve, mounted):
        command.add_argument(
            "--mount",
            choices=tuple(PARENTS),
            default="scene",
            help="scene: camera fixed, board in the gripper; wrist: camera on the gripper, board fixed",
        )
    return main_parser


def _record(arguments: argparse.Namespace, board: Board, console: Console) -> int:
    # Only here: the other commands need no ROS.
    from vital_perception.calibration.calibration_recorder import CalibrationRecorder

    if (arguments.folder / "poses.json").exists():
        raise VitalError(ErrorCode.BAD_PARAMETER, f"{arguments.folder} holds a recording already: name another folder")
    console.print(
        f"Move the arm, let it rest for a second; {FEWEST_POSES} poses at least, 15 to 20 are good. Ctrl-C ends."
    )
    topics = TOPICS[arguments.mount]
    return run_node(lambda: CalibrationRecorder(arguments.folder, board, topics, console.print), args=[])


def _solve(arguments: argparse.Namespace, board: Board, console: Console) -> int:
    found = find_camera(CalibrationFolder(arguments.folder), board, arguments.mount)
    write_calibration(arguments.file, found.child, found.parent, found.hand_eye.x, found.notes())
    console.print(report(found))
    console.print(f"written to {arguments.file}")
    if found.recorded_at is None:
        console.print("these images do not say when they were taken, so neither does the file (measured_at)")
    return 0


def _mounted(arguments: argparse.Namespace, console: Console) -> int:
    try:
        at = moment_of(arguments.at) if arguments.at else now()
    except ValueError as error:
        raise VitalError(ErrorCode.BAD_PARAMETER, f"--at {error}") from error
    if at > now() + CLOCKS_APART:
        raise VitalError(ErrorCode.BAD_PARAMETER, f"--at {at.isoformat(sep=' ')} has not come yet, expected the past")
    frame = FRAMES[arguments.mount]
    write_mounting(arguments.file, frame, at)
    console.print(f"{frame}: mounted at {at.isoformat(sep=' ', timespec='seconds')}, written to {arguments.file}")
    return 0


def report(found: Found) -> str:
    """What was found, for the operator."""
    hand_eye = found.hand_eye
    x, y, z = 1000 * hand_eye.x[:3, 3]
    lines = [
        f"{found.child} in {found.parent}: {x:.1f}, {y:.1f}, {z:.1f} mm",
        f"residual {1000 * hand_eye.rms_m:.2f} mm over {len(found.images)} poses, "
        f"place known to {1000 * hand_eye.uncertainty_m:.2f} mm",
    ]
    if found.without_board:
        lines.append(f"without the board, left out: {', '.join(found.without_board)}")
    worst = [f"{found.images[i]} ({1000 * hand_eye.residuals_m[i]:.1f} mm)" for i in hand_eye.outliers()]
    if worst:
        lines.append(f"far off the others, hardly counted: {', '.join(worst)}")
    return "\n".join(lines)


def run(arguments: list[str]) -> int:
    """The command; returns the exit code."""
    console = Console(highlight=False, soft_wrap=True, markup=False)
    values = parser().parse_args(arguments)
    try:
        if values.command == "mounted":
            return _mounted(values, console)
        board = Board(values.columns, values.rows, values.square, values.marker, values.dictionary)
        if values.command == "record":
            return _record(values, board, console)
        if values.command == "solve":
            return _solve(values, board, console)
        _, data = cv2.imencode(".png", np.asarray(board.image()))
        write_bytes(values.file, data.tobytes())
        console.print(
            f"{values.file}: print it so that a square is {1000 * board.square_m:.1f} mm, glue it on something flat"
        )
        return 0
    except VitalError as error:
        Console(stderr=True, highlight=False, soft_wrap=True, markup=False).print(str(error))
        return EXIT_REFUSED


def main() -> None:
    """Entry point."""
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
