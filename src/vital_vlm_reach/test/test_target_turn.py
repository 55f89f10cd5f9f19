"""How a target is turned: planes of synthetic depth, views on disk, and the yaw of rendered targets."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vital_core import pose as pose_of
from vital_core.arm.xarm7 import HOME_RAD
from vital_core.errors import ErrorCode, VitalError
from vital_core.task import load_task, task_names
from vital_sim.cameras.cameras import SceneCamera
from vital_sim.world.world import World
from vital_vlm_reach.localisation.camera import Camera, View
from vital_vlm_reach.localisation.frames import FixedFrames
from vital_vlm_reach.localisation.localization import localize, target_turn
from vital_vlm_reach.localisation.references import References, references_folder
from vital_vlm_reach.localisation.surface_plane import LEVEL_RAD, surface_plane
from vital_vlm_reach.localisation.target_view import TargetView, load_view, save_view
from vital_vlm_reach.localisation.top_view import top_view
from vital_vlm_reach.pointing.interface import Candidate, Pointing
from vital_vlm_reach.reference_views.render_references import simulated_view

K = np.array([[610.0, 0.0, 320.0], [0.0, 610.0, 240.0], [0.0, 0.0, 1.0]])
CAMERA = Camera(640, 480, K)
# 0.8 m from the point that is looked at, 40 degrees above the table.
T_BASE_CAMERA = pose_of.from_rpy((1.06, 0.0, 0.55), (np.deg2rad(-130), 0.0, np.pi / 2))
POINT_M = (T_BASE_CAMERA @ np.array([0.0, 0.0, 0.8, 1.0]))[:3]


def view_of_plane(normal, noise_m: float = 0.0, holes: float = 0.0, seed: int = 0) -> View:
    """A plane through the point, as far as it is in view."""
    rng = np.random.default_rng(seed)
    rays = CAMERA.rays() @ T_BASE_CAMERA[:3, :3].T
    depth_m = (normal @ (POINT_M - T_BASE_CAMERA[:3, 3])) / (rays @ normal)
    depth_m = np.where((depth_m > 0.1) & (depth_m < 3.0), depth_m + noise_m * rng.standard_normal(depth_m.shape), 0.0)
    depth_m[rng.random(depth_m.shape) < holes] = 0.0
    return View(np.full((480, 640, 3), 120, np.uint8), np.rint(1000 * depth_m).astype(np.uint16), CAMERA, "camera")


@given(st.integers(0, 2**32 - 1), st.floats(0.0, 0.5), st.floats(0.20, 0.55), st.floats(-np.pi, np.pi))
@settings(max_examples=40, deadline=None)
def test_the_normal_of_a_tilted_surface_is_found_within_what_it_says(seed, holes, tilt_rad, towards_rad):
    normal = np.array(
        [np.sin(tilt_rad) * np.cos(towards_rad), np.sin(tilt_rad) * np.sin(towards_rad), np.cos(tilt_rad)]
    )
    plane = surface_plane(view_of_plane(normal, 0.0014, holes, seed), T_BASE_CAMERA, POINT_M)
    error_rad = np.arccos(np.clip(plane.normal @ normal, -1, 1))
    assert not plane.level and error_rad < np.deg2rad(4.0) and error_rad < 3.5 * plane.normal_std_rad
    np.testing.assert_allclose(plane.t_base_plane[:3, :3] @ plane.t_base_plane[:3, :3].T, np.eye(3), atol=1e-9)
    assert np.linalg.norm(plane.t_base_plane[:3, 3] - POINT_M) < 0.003


@given(st.integers(0, 2**32 - 1), st.floats(0.0, 0.9 * LEVEL_RAD), st.floats(-np.pi, np.pi))
@settings(max_examples=20, deadline=None)
def test_a_surface_that_is_hardly_tilted_counts_as_level(seed, tilt_rad, towards_rad):
    normal = np.array(
        [np.sin(tilt_rad) * np.cos(towards_rad), np.sin(tilt_rad) * np.sin(towards_rad), np.cos(tilt_rad)]
    )
    plane = surface_plane(view_of_plane(normal, 0.0005, 0.2, seed), T_BASE_CAMERA, POINT_M)
    assert plane.level
    np.testing.assert_array_equal(plane.normal, (0, 0, 1))
    assert plane.tilt_rad == pytest.approx(tilt_rad, abs=np.deg2rad(2.5))


def test_no_depth_around_the_point_is_refused_by_code():
    view = view_of_plane(np.array([0.0, 0.0, 1.0]))
    with pytest.raises(VitalError, match="lie on one plane that faces up") as refusal:
        surface_plane(replace(view, depth_mm=np.zeros_like(view.depth_mm)), T_BASE_CAMERA, POINT_M)
    assert refusal.value.code is ErrorCode.NO_DEPTH


@pytest.fixture(scope="module")
def references() -> References:
    return References(references_folder("shipped"))


class Scene:
    """A task's simulated target on the table and the camera that looks at it."""

    def __init__(self, task: str) -> None:
        self.world = World(load_task(task))
        self.camera = SceneCamera(self.world.model)

    def turn(self, references, task: str, yaw_deg: float, *, holes: float = 0.0):
        self.world.reset(5, joints_rad=HOME_RAD)
        place = np.array([0.47, 0.04, self.world.site_pose("target_opening")[2, 3]])
        self.world.place_target(place, np.deg2rad(yaw_deg))
        view = simulated_view(self.world, self.camera)
        lost = np.random.default_rng(1).random(view.depth_mm.shape) < holes
        view = replace(view, depth_mm=np.where(lost, 0, view.depth_mm).astype(np.uint16))
        return place, target_turn(view, self.camera.t_base_camera, place, references.of(task))

    def tilted(self, references, task: str, tilt_deg: float, towards_deg: float, yaw_deg: float, pointed=(0, 0, 0)):
        """Pointed at a place that is told in the target's frame."""
        self.world.reset(5, joints_rad=HOME_RAD)
        normal = pose_of.leaning(np.deg2rad(tilt_deg), np.deg2rad(towards_deg))
        self.world.place_target((0.47, 0.04, 0.035), np.deg2rad(yaw_deg), normal)
        view, truth = simulated_view(self.world, self.camera), self.world.site_pose("target_opening")
        point_m = (truth @ np.append(pointed, 1.0))[:3]
        return truth, target_turn(view, self.camera.t_base_camera, point_m, references.of(task))


def apart_deg(yaw_rad: float, expected_deg: float, symmetry: int) -> float:
    period = 360.0 / symmetry
    return abs((np.rad2deg(yaw_rad) - expected_deg + period / 2) % period - period / 2)


@pytest.mark.parametrize("task", task_names())
def test_the_yaw_of_each_target_is_found_with_the_symmetry_of_its_task(task, references):
    scene = Scene(task)
    for yaw_deg, holes in ((27.0, 0.0), (-140.0, 0.0), (80.0, 0.4)):
        place, turn = scene.turn(references, task, yaw_deg, holes=holes)
        assert turn.symmetry == load_task(task).target_symmetry, turn.message
        assert apart_deg(turn.yaw_rad, yaw_deg, turn.symmetry) < 4.0, turn.message
        assert np.linalg.norm(turn.origin_m - place) < 0.006
        assert turn.plane.level and "degrees" in turn.message
    scene.camera.close()


@pytest.mark.parametrize(
    ("task", "leaning_deg"),
    [("usb_insertion", ((10.0, 20.0), (30.0, 110.0))), ("plug_in_socket", ((10.0, 20.0), (20.0, -100.0)))],
)
def test_a_tilted_target_is_found_with_its_normal_and_its_yaw_about_it(task, leaning_deg, references):
    scene = Scene(task)
    for tilt_deg, towards_deg in leaning_deg:
        truth, turn = scene.tilted(references, task, tilt_deg, towards_deg, 25.0)
        assert turn.known and not turn.plane.level, turn.message
        error_rad = float(np.arccos(np.clip(turn.plane.normal @ truth[:3, 2], -1.0, 1.0)))
        assert error_rad < np.deg2rad(1.8) and error_rad < 4.0 * turn.plane.normal_std_rad, turn.message
        assert turn.plane.normal_std_rad < np.deg2rad(1.5)
        assert apart_deg(turn.yaw_rad, 25.0, turn.symmetry) < 4.0, turn.message
        assert np.linalg.norm(turn.origin_m - truth[:3, 3]) < 0.006
    scene.camera.close()


def test_a_target_that_leans_away_is_found_from_a_pixel_on_the_wall_below_its_surface(references):
    scene = Scene("usb_insertion")
    # 11 degrees above the surface: of its 26 mm four pixels are seen, and the wall below it fills the view.
    truth, turn = scene.tilted(references, "usb_insertion", 30.0, -155.0, 0.0, (0.014, 0.008, -0.0165))
    assert turn.known, turn.message
    assert np.arccos(np.clip(turn.plane.normal @ truth[:3, 2], -1.0, 1.0)) < np.deg2rad(2.0)
    assert apart_deg(turn.yaw_rad, 0.0, turn.symmetry) < 6.0, turn.message
    assert np.linalg.norm(turn.origin_m - truth[:3, 3]) < 0.006
    scene.camera.close()


class Unsure:
    """Points at a pixel and says that it is not sure."""

    def __init__(self, pixel_uv) -> None:
        self._place = Candidate(pixel_uv, "", 0.01)

    def point(self, rgb, prompt) -> Pointing:
        return Pointing(None, 0.01, "nothing in view", (self._place,))


def test_a_place_that_pointing_is_not_sure_of_counts_when_its_reference_view_is_what_is_seen_there(references):
    scene = Scene("card_swipe")
    place, _ = scene.turn(References(None), "card_swipe", 30.0)
    view, frames = simulated_view(scene.world, scene.camera), FixedFrames()
    frames.add("link_base", view.frame_id, scene.camera.t_base_camera)
    model = Unsure(tuple(scene.camera.project(place)[:2]))

    def located(task: str, own: bool):
        return localize("swipe it", view, model, frames, references.of(task), window_px=17, own_sentence=own)

    found = located("card_swipe", True)
    assert "known by its reference view" in found.message and np.linalg.norm(found.target.point_m - place) < 0.006
    for task, own in (("card_swipe", False), ("plug_in_socket", True)):
        with pytest.raises(VitalError, match="nothing in view") as refusal:
            located(task, own)
        assert refusal.value.code is ErrorCode.NOT_IN_VIEW
    scene.camera.close()


@pytest.mark.parametrize(
    ("task", "found_at_least"), [("usb_insertion", 3), ("plug_in_socket", 4), ("card_swipe", 4), ("key_in_lock", 4)]
)
def test_a_target_is_found_beside_what_hides_part_of_it_and_nowhere_else(task, found_at_least, references):
    """Something half as far away as the table stands in front, from a few pixels beside the pointed one on."""
    scene = Scene(task)
    place, whole = scene.turn(references, task, 27.0)
    view = simulated_view(scene.world, scene.camera)
    column = round(float(scene.camera.project(place)[0]))
    found = 0
    for beside_px in (2, 6, 12):
        for columns in (slice(0, column - beside_px), slice(column + beside_px, None)):
            rgb, depth_mm = view.rgb.copy(), view.depth_mm.copy()
            rgb[:, columns], depth_mm[:, columns] = (30, 150, 190), depth_mm[:, columns] // 2
            half_hidden = replace(view, rgb=rgb, depth_mm=depth_mm)
            turn = target_turn(half_hidden, scene.camera.t_base_camera, place, references.of(task))
            if not turn.known:
                assert "partly hidden" in turn.message
                continue
            found += 1
            assert apart_deg(turn.yaw_rad, 27.0, turn.symmetry) < 4.0, turn.message
            assert np.linalg.norm(turn.origin_m - place) < 0.006
    assert whole.known and found >= found_at_least
    scene.camera.close()


def test_what_hides_nothing_of_the_target_changes_nothing(references):
    """As far beside it as the view from above reaches."""
    scene = Scene("plug_in_socket")
    place, whole = scene.turn(references, "plug_in_socket", 27.0)
    view = simulated_view(scene.world, scene.camera)
    depth_mm = view.depth_mm.copy()
    depth_mm[:, : round(float(scene.camera.project(place)[0])) - 36] //= 2
    t_base_camera, reference = scene.camera.t_base_camera, references.of("plug_in_socket")
    turn = target_turn(replace(view, depth_mm=depth_mm), t_base_camera, place, reference)
    seen, _ = top_view(replace(view, depth_mm=depth_mm), t_base_camera, turn.plane)
    assert seen.hidden is not None and not reference.register(seen).partly_hidden
    assert turn.cost == pytest.approx(whole.cost, abs=0.1) and turn.yaw_std_rad == pytest.approx(
        whole.yaw_std_rad, rel=0.2
    )
    apart_rad = np.deg2rad(apart_deg(turn.yaw_rad, float(np.rad2deg(whole.yaw_rad)), 2))
    assert apart_rad < 2.0 * whole.yaw_std_rad
    scene.camera.close()


def test_without_a_reference_view_the_yaw_is_not_known_but_the_surface_is(references, tmp_path):
    scene = Scene("usb_insertion")
    _, turn = scene.turn(References(tmp_path), "usb_insertion", 20.0)
    assert not turn.known and "no reference view" in turn.message and turn.plane.normal[2] == 1.0
    assert references.of("") is None
    assert References(references_folder("none")).of("usb_insertion") is None
    scene.camera.close()


def test_what_does_not_look_like_the_reference_view_has_no_yaw(references):
    scene = Scene("plug_in_socket")
    _, turn = scene.turn(references, "usb_insertion", 20.0)
    assert not turn.known and "differs from the reference view" in turn.message
    scene.camera.close()


def test_a_view_comes_back_from_disk_as_it_was(tmp_path, references):
    del references
    view = load_view(references_folder("shipped") / "usb_insertion.png")
    save_view(tmp_path / "again.png", view)
    again = load_view(tmp_path / "again.png")
    np.testing.assert_array_equal(again.colour, view.colour)
    np.testing.assert_array_equal(again.known, view.known)
    np.testing.assert_allclose(again.height_m, view.height_m, atol=2e-5)


def test_images_that_are_no_views_are_refused(tmp_path):
    blank = TargetView(
        np.zeros((113, 113, 3), np.float32), np.zeros((113, 113), np.float32), np.zeros((113, 113), bool)
    )
    save_view(tmp_path / "usb_insertion.png", blank)
    (tmp_path / "key_in_lock.png").write_bytes(b"no image")
    references = References(tmp_path)
    for task, told in (("usb_insertion", "shows no surface"), ("key_in_lock", "take it again")):
        with pytest.raises(VitalError, match=told) as refusal:
            references.of(task)
        assert refusal.value.code is ErrorCode.BAD_PARAMETER
    with pytest.raises(VitalError, match="expected a folder of views"):
        References(tmp_path / "nowhere")
