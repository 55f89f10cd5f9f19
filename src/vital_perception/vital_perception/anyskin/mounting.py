"""How the tactile sensor sits in the gripper: from the chips' axes and order to the pad's.

The pad's readings are, as everywhere in the project, five magnetometers (centre, left, right, up, down) with x y z
in the axes of `link_tcp`. Two parameters bring a sensor there that is glued on otherwise:

``axes``, 15 whole numbers: value i of the pad is the sensor's value ``|axes[i]|`` (counted from 1), negated when
``axes[i]`` is negative. The three values of one magnetometer must come from one magnetometer.
``rotation``, 9 numbers: a rotation matrix by rows, sensor axes to pad axes, applied after ``axes``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vital_core.errors import ErrorCode, VitalError
from vital_core.observation import MAGNETOMETERS, TACTILE_VALUES

AS_MOUNTED = tuple(range(1, TACTILE_VALUES + 1))
NO_ROTATION = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
ROTATION_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Mounting:
    """See the module's docstring. Raises VitalError(BAD_PARAMETER) for what is neither permutation nor rotation."""

    axes: Sequence[int] = AS_MOUNTED
    rotation: Sequence[float] = NO_ROTATION
    _source: NDArray[np.intp] = field(init=False, repr=False)
    _sign: NDArray[np.float32] = field(init=False, repr=False)
    _rotation: NDArray[np.float64] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        axes = np.asarray(self.axes)
        if axes.shape != (TACTILE_VALUES,) or sorted(abs(axes)) != list(AS_MOUNTED):
            raise VitalError(
                ErrorCode.BAD_PARAMETER,
                f"axes is {list(self.axes)}, expected each of 1 to {TACTILE_VALUES} once, negative where negated",
            )
        source = np.abs(axes).reshape(MAGNETOMETERS, 3) - 1
        if (source // 3 != source[:, :1] // 3).any():
            raise VitalError(
                ErrorCode.BAD_PARAMETER,
                f"axes {list(self.axes)} mixes magnetometers: each three in a row must come from one (1-3, 4-6, ...)",
            )
        rotation = np.asarray(self.rotation, float)
        if rotation.shape != (9,) or not _is_rotation(rotation.reshape(3, 3)):
            raise VitalError(
                ErrorCode.BAD_PARAMETER,
                f"rotation is {list(self.rotation)}, expected the 9 numbers of a rotation matrix by rows "
                "(orthonormal, determinant +1)",
            )
        object.__setattr__(self, "_source", source)
        object.__setattr__(self, "_sign", np.sign(axes).reshape(MAGNETOMETERS, 3).astype(np.float32))
        object.__setattr__(self, "_rotation", rotation.reshape(3, 3))

    def apply(self, field_ut: NDArray[np.floating]) -> NDArray[np.float32]:
        """(5, 3) µT in the pad's order and axes, from (5, 3) as the sensor sends them."""
        signed = self._sign * np.asarray(field_ut).reshape(TACTILE_VALUES)[self._source]
        return (signed @ self._rotation.T).astype(np.float32)

    def reorder(self, each: NDArray) -> NDArray:
        """(5, ...) something of each magnetometer, in the pad's order."""
        return each[self._source[:, 0] // 3]


def _is_rotation(matrix: NDArray[np.float64]) -> bool:
    orthonormal = np.allclose(matrix @ matrix.T, np.eye(3), atol=ROTATION_TOLERANCE)
    return bool(orthonormal and np.linalg.det(matrix) > 0.0)
