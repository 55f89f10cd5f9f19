"""A ChArUco board and its pose in an image."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vital_core.errors import ErrorCode, VitalError
from vital_core.pose import Pose, distance, from_vector

FEWEST_CORNERS = 6
MOST_REPROJECTION_PX = 1.5
# The other pose must fit that much worse, or be nearly the same.
AMBIGUITY, ALIKE_RAD = 1.5, 0.05


@dataclass(frozen=True)
class Lens:
    """A calibrated camera, as in sensor_msgs/CameraInfo: matrix (3, 3), model 'plumb_bob' or 'equidistant',
    distortion of that model."""

    matrix: NDArray[np.float64]
    model: str
    distortion: NDArray[np.float64]

    def __post_init__(self) -> None:
        if self.matrix.shape != (3, 3) or not self.matrix[0, 0] > 0.0:
            raise VitalError(
                ErrorCode.NO_CALIBRATION,
                f"the camera's matrix is {self.matrix.tolist()}: its lens is not calibrated, which comes first",
            )
        if self.model not in ("plumb_bob", "rational_polynomial", "equidistant"):
            raise VitalError(
                ErrorCode.NO_CALIBRATION,
                f"the camera's distortion model is '{self.model}', expected plumb_bob, rational_polynomial or "
                "equidistant",
            )

    def straighten(self, corners: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, 1, 2) pixel positions as a pinhole camera with the same matrix would see them."""
        if self.model == "equidistant":
            straight = cv2.fisheye.undistortPoints(corners, self.matrix, self.distortion[:4], P=self.matrix)
        else:
            straight = cv2.undistortPoints(corners, self.matrix, self.distortion, P=self.matrix)
        return np.asarray(straight, np.float32)


@dataclass(frozen=True)
class Board:
    """columns and rows count squares; square_m and marker_m are sides in m, as printed and measured."""

    columns: int = 7
    rows: int = 5
    square_m: float = 0.03
    marker_m: float = 0.022
    dictionary: str = "DICT_5X5_100"

    def __post_init__(self) -> None:
        if self.columns < 3 or self.rows < 3 or not 0.0 < self.marker_m < self.square_m < 1.0:
            raise VitalError(
                ErrorCode.BAD_PARAMETER,
                f"{self}: expected 3 squares or more each way and markers smaller than squares, in metres",
            )
        if not self.dictionary.startswith("DICT_") or not hasattr(cv2.aruco, self.dictionary):
            raise VitalError(
                ErrorCode.BAD_PARAMETER, f"there is no dictionary '{self.dictionary}', expected such as DICT_5X5_100"
            )

    def _board(self) -> "cv2.aruco.CharucoBoard":
        dictionary = cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, self.dictionary))
        return cv2.aruco.CharucoBoard((self.columns, self.rows), self.square_m, self.marker_m, dictionary)

    def image(self, px_per_square: int = 100) -> NDArray[np.uint8]:
        """The board to print, mono8."""
        size = (self.columns * px_per_square, self.rows * px_per_square)
        return np.asarray(self._board().generateImage(size), np.uint8)

    def find(self, image: NDArray[np.uint8], lens: Lens) -> Pose | None:
        """Pose of the board in the camera, from (H, W) or (H, W, 3) uint8; None when it is not seen well enough."""
        board = self._board()
        corners, ids, _, _ = cv2.aruco.CharucoDetector(board).detectBoard(image)
        if ids is None or len(ids) < FEWEST_CORNERS:
            return None
        on_board, in_image = board.matchImagePoints(corners, ids)  # type: ignore[call-overload]
        straight = lens.straighten(np.asarray(in_image, np.float32).reshape(-1, 1, 2))
        return _pose(np.asarray(on_board, float).reshape(-1, 3), straight, lens.matrix)


def _pose(on_board: NDArray, straight: NDArray, matrix: NDArray) -> Pose | None:
    """A flat board seen from afar has two poses that look alike: when they do, none is given."""
    _, turns, places, errors_px = cv2.solvePnPGeneric(on_board, straight, matrix, None, flags=cv2.SOLVEPNP_IPPE)
    errors = np.ravel(errors_px)
    if len(errors) == 0 or errors[0] > MOST_REPROJECTION_PX:
        return None
    if len(errors) > 1 and errors[1] < AMBIGUITY * errors[0]:
        both = [from_vector(np.ravel(places[i]), np.ravel(turns[i])) for i in range(2)]
        if distance(*both)[1] > ALIKE_RAD:
            return None
    turn, place = cv2.solvePnPRefineLM(on_board, straight, matrix, None, turns[0], places[0])
    return from_vector(np.ravel(place), np.ravel(turn))
