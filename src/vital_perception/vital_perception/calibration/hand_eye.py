"""Where a camera is, from images of a board and the arm's poses at the time.

Both ways of mounting are one equation, ``a_i @ y = x @ b_i``, with ``b_i`` the pose of the board in the camera:

- camera beside the arm, board in the gripper: ``a_i`` is the TCP in the base, x the camera in the base, y the board
  in the TCP;
- camera on the wrist, board on the table: ``a_i`` is the base in the TCP, x the camera in the TCP, y the board in the
  base.

Start: the linear form of the equation (Shah, "Solving the robot-world/hand-eye calibration problem using the Kronecker
product", 2013). Then least squares over both unknowns with a robust loss, in which a rotation error counts by what it
moves at a lever of `LEVER_M`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import OptimizeResult, least_squares

from vital_core import pose as pose_of
from vital_core.errors import ErrorCode, VitalError
from vital_core.pose import Pose

LEVER_M = 0.5
FEWEST_POSES = 8
# Of the arm between any two poses; and how far it turns about a second axis, or the camera's place is undetermined.
LEAST_TURN_RAD = float(np.deg2rad(25.0))
LEAST_SECOND_TURN_RAD = float(np.deg2rad(10.0))
MOST_RESIDUAL_M = 0.005
MOST_UNCERTAINTY_M = 0.005
MOST_OUTLIERS = 0.2  # of the poses
EXPECTED_NOISE_M = 0.002


@dataclass(frozen=True)
class HandEye:
    """x and y of the module's equation. residuals_m (n,): each pose's distance between both sides, turns counted at
    `LEVER_M`. uncertainty_m: standard deviation of x's place, m."""

    x: Pose
    y: Pose
    residuals_m: NDArray[np.float64]
    uncertainty_m: float

    @property
    def rms_m(self) -> float:
        """Root mean square residual of the poses that agree."""
        return float(np.sqrt(np.mean(np.delete(self.residuals_m, self.outliers()) ** 2)))

    def outliers(self) -> list[int]:
        """Poses whose residual is far above the usual: the robust loss hardly counts them."""
        limit = max(4.0 * float(np.median(self.residuals_m)), EXPECTED_NOISE_M)
        return [i for i, residual in enumerate(self.residuals_m) if residual > limit]


def solve(a: Sequence[Pose], b: Sequence[Pose]) -> HandEye:
    """x and y with ``a[i] @ y == x @ b[i]`` as nearly as possible.

    Raises VitalError(NO_CALIBRATION): too few poses, too little rotation, or an answer that the poses contradict.
    """
    check_geometry(a, b)
    x, y = _start(a, b)
    start = np.concatenate([pose_of.to_vector(x), pose_of.to_vector(y)])
    fit = least_squares(_errors, start, args=(a, b), loss="soft_l1", f_scale=EXPECTED_NOISE_M)
    x, y = _poses(fit.x)
    errors = _errors(fit.x, a, b).reshape(-1, 6)
    result = HandEye(x, y, np.linalg.norm(errors, axis=1), _uncertainty_m(fit, errors))
    _check_result(result)
    return result


def check_geometry(a: Sequence[Pose], b: Sequence[Pose]) -> None:
    """Raises VitalError(NO_CALIBRATION) when these poses cannot determine the camera's place."""
    if len(a) != len(b) or len(a) < FEWEST_POSES:
        raise VitalError(
            ErrorCode.NO_CALIBRATION,
            f"{len(a)} poses of the arm and {len(b)} of the board, expected the same number and at least "
            f"{FEWEST_POSES}: record more",
        )
    if not np.isfinite([*a, *b]).all():
        raise VitalError(ErrorCode.NO_CALIBRATION, "a pose has a value that is not finite: record again")
    turns = np.array([pose_of.to_vector(pose_of.inverse(p) @ q)[3:] for i, p in enumerate(a) for q in a[i + 1 :]])
    largest_rad = float(np.linalg.norm(turns, axis=1).max())
    # What is left of the turns when their common axis is taken out.
    axis = np.linalg.svd(turns, full_matrices=False)[2][0]
    second_rad = float(np.linalg.norm(turns - np.outer(turns @ axis, axis), axis=1).max())
    if largest_rad < LEAST_TURN_RAD or second_rad < LEAST_SECOND_TURN_RAD:
        raise VitalError(
            ErrorCode.NO_CALIBRATION,
            f"the arm turned by at most {np.rad2deg(largest_rad):.0f} degrees, and by {np.rad2deg(second_rad):.0f} "
            f"degrees about a second axis, expected {np.rad2deg(LEAST_TURN_RAD):.0f} and "
            f"{np.rad2deg(LEAST_SECOND_TURN_RAD):.0f}: record poses in which the board is tilted about different axes",
        )


def _check_result(result: HandEye) -> None:
    if result.rms_m > MOST_RESIDUAL_M or len(result.outliers()) > MOST_OUTLIERS * len(result.residuals_m):
        worst = ", ".join(f"{i} ({1000 * result.residuals_m[i]:.1f} mm)" for i in np.argsort(-result.residuals_m)[:3])
        raise VitalError(
            ErrorCode.NO_CALIBRATION,
            f"the poses contradict each other: residual {1000 * result.rms_m:.1f} mm, at most "
            f"{1000 * MOST_RESIDUAL_M:.0f} mm expected, and {len(result.outliers())} of {len(result.residuals_m)} far "
            f"off the others; the worst are {worst}. Did the board slip, is its square size right, did the arm rest?",
        )
    if result.uncertainty_m > MOST_UNCERTAINTY_M:
        raise VitalError(
            ErrorCode.NO_CALIBRATION,
            f"the camera's place is only known to {1000 * result.uncertainty_m:.1f} mm, at most "
            f"{1000 * MOST_UNCERTAINTY_M:.0f} mm expected: record more poses, further apart and more tilted",
        )


def _start(a: Sequence[Pose], b: Sequence[Pose]) -> tuple[Pose, Pose]:
    """The rotations' equation is linear in the 18 numbers of both matrices, then the places' in six."""
    one = np.eye(3)
    rows = [np.hstack([np.kron(one, p[:3, :3]), -np.kron(q[:3, :3].T, one)]) for p, q in zip(a, b, strict=True)]
    null = np.linalg.svd(np.vstack(rows))[2][-1]
    turn_y, turn_x = (_nearest_rotation(part.reshape(3, 3, order="F")) for part in (null[:9], null[9:]))
    rows = [np.hstack([p[:3, :3], -one]) for p in a]
    right = [turn_x @ q[:3, 3] - p[:3, 3] for p, q in zip(a, b, strict=True)]
    places = np.linalg.lstsq(np.vstack(rows), np.concatenate(right), rcond=None)[0]
    x, y = np.eye(4), np.eye(4)
    x[:3, :3], x[:3, 3] = turn_x, places[3:]
    y[:3, :3], y[:3, 3] = turn_y, places[:3]
    return x, y


def _nearest_rotation(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rotation nearest to a matrix that is one but for its scale, whose sign is either."""
    u, _, v = np.linalg.svd(matrix * np.sign(np.linalg.det(matrix)))
    return np.asarray(u @ v)


def _poses(vector: NDArray[np.float64]) -> tuple[Pose, Pose]:
    return pose_of.from_vector(vector[:3], vector[3:6]), pose_of.from_vector(vector[6:9], vector[9:])


def _errors(vector: NDArray[np.float64], a: Sequence[Pose], b: Sequence[Pose]) -> NDArray[np.float64]:
    """(6 n,) m: each pose's translation error and its rotation error times the lever."""
    x, y = _poses(vector)
    errors = np.array([pose_of.to_vector(pose_of.inverse(x @ q) @ p @ y) for p, q in zip(a, b, strict=True)])
    errors[:, 3:] *= LEVER_M
    return errors.ravel()


def _uncertainty_m(fit: OptimizeResult, errors: NDArray[np.float64]) -> float:
    """From the Gauss-Newton approximation, with the noise as the residuals show it."""
    information = fit.jac.T @ fit.jac
    if np.linalg.cond(information) > 1e14:
        return float("inf")
    variance = float(np.sum(errors**2)) / max(errors.size - len(fit.x), 1)
    return float(np.sqrt(variance * np.linalg.inv(information)[:3, :3].trace()))
