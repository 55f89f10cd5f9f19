"""The arm's meshes on the page: read within bounds, coarse, and primitives where there are none."""

from pathlib import Path

import numpy as np
import pytest
import viser

from vital_core.arm.arm_meshes import arm_meshes
from vital_core.arm.urdf import urdf
from vital_core.task import load_task
from vital_monitor.drawing import meshes
from vital_monitor.drawing.links import links_of
from vital_monitor.drawing.meshes import TRIANGLE, triangles
from vital_monitor.page import scene


def written(path: Path, corners: np.ndarray, count: int | None = None) -> Path:
    data = np.zeros(len(corners), TRIANGLE)
    data["corners"] = corners
    path.write_bytes(bytes(80) + (len(corners) if count is None else count).to_bytes(4, "little") + data.tobytes())
    return path


SHEET = np.array([[[0, 0, 0], [0.1, 0, 0], [0, 0.1, 0]], [[0.1, 0, 0], [0.1, 0.1, 0], [0, 0.1, 0.0001]]])


def test_corners_that_are_one_are_joined_and_what_is_too_small_is_left_out(tmp_path: Path) -> None:
    grain = np.array([[[0, 0, 0], [0.0001, 0, 0], [0, 0.0001, 0]]])
    corners, faces = triangles(written(tmp_path / "a.stl", np.concatenate([SHEET, grain])))
    assert corners.shape == (4, 3) and faces.shape == (2, 3)
    assert np.allclose(sorted(np.linalg.norm(corners, axis=1)), [0, 0.1, 0.1, np.hypot(0.1, 0.1)], atol=1e-3)


@pytest.mark.parametrize("what", ["cut", "count", "nan", "far", "text", "empty"])
def test_a_file_that_is_no_mesh_is_not_drawn(what: str, tmp_path: Path) -> None:
    path = tmp_path / "a.stl"
    if what in ("nan", "far"):
        written(path, SHEET * {"nan": np.nan, "far": 1e4}[what])
    else:
        written(path, SHEET, count=2**31 if what == "count" else None)
    if what == "cut":
        path.write_bytes(path.read_bytes()[:-7])
    if what in ("text", "empty"):
        path.write_text("solid arm\n" * 30 if what == "text" else "")
    assert triangles(path) is None


def test_every_mesh_is_drawn_with_fewer_triangles_than_its_file_has() -> None:
    found = arm_meshes()
    assert found, "the set `looks` belongs to the tests: ./vital setup --looks"
    sent = 0
    for mesh in found:
        corners, faces = triangles(mesh.path)
        assert faces.max() < len(corners) and len(faces) <= (mesh.path.stat().st_size - 84) // 50
        sent += corners.nbytes + faces.astype(np.uint32).nbytes
    assert sent < 2_500_000, "what a page is to load"


@pytest.mark.parametrize("installed", [True, False])
def test_arm_is_of_meshes_where_they_are_and_of_primitives_elsewhere(
    installed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not installed:
        monkeypatch.setattr(scene, "arm_meshes", lambda: ())
    server = viser.ViserServer(host="127.0.0.1", port=0, verbose=False)
    try:
        view = scene.SceneView(server.scene, load_task("usb_insertion"), links_of(urdf()))
        view.move({"joint1": 0.3})
        names = [name for name in server.scene._handle_from_node_name if "link3/" in name]
        assert any(name.endswith("/mesh") for name in names) is installed
    finally:
        server.stop()
    assert meshes.GRID_M <= 0.002
