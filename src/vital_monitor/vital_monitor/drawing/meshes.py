"""Triangles of the arm's meshes, coarse enough for a page: corners that lie closer than a millimetre are one."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

GRID_M = 0.001
HEADER_BYTES = 84
MOST_BYTES = 20_000_000
TRIANGLE = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
REACH_M = 2.0


def triangles(path: Path, grid_m: float = GRID_M) -> tuple[NDArray[np.float32], NDArray[np.int64]] | None:
    """Corners (n, 3) in m and faces (k, 3) of a binary STL; None for a file that is none, or of no part of an arm."""
    if not HEADER_BYTES < path.stat().st_size <= MOST_BYTES:
        return None
    data = path.read_bytes()
    count = int.from_bytes(data[80:84], "little")
    if len(data) != HEADER_BYTES + count * TRIANGLE.itemsize:
        return None
    corners = np.frombuffer(data, TRIANGLE, count, HEADER_BYTES)["corners"].reshape(-1, 3)
    if not np.isfinite(corners).all() or np.abs(corners).max() > REACH_M:
        return None
    x, y, z = (np.rint(corners / grid_m).astype(np.int64) + 2**20).T
    _, first, number = np.unique((x << 42) | (y << 21) | z, return_index=True, return_inverse=True)
    faces = number.reshape(-1, 3)
    a, b, c = faces.T
    return corners[first].copy(), faces[(a != b) & (b != c) & (c != a)]
