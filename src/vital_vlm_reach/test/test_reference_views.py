"""Reference views that a person takes: marked by hand or pixel, checked, and as good as rendered ones."""

from dataclasses import replace

import numpy as np
import pytest
from depth_scenes import depth_of

from vital_core import pose as pose_of
from vital_core.arm.xarm7 import HOME_RAD
from vital_core.errors import ErrorCode, VitalError
from vital_core.task import load_task
from vital_sim.cameras.cameras import SceneCamera
from vital_sim.world.world import World
from vital_vlm_reach.localisation.camera import Camera, View
from vital_vlm_reach.localisation.localization import target_turn
from vital_vlm_reach.localisation.references import References, references_folder
from vital_vlm_reach.localisation.registration import Reference
from vital_vlm_reach.localisation.target_view import load_view, save_view
from vital_vlm_reach.planning.robot_model import Obstacle
from vital_vlm_reach.reference_views.marking import HandMark, PixelMark
from vital_vlm_reach.reference_views.render_references import simulated_view
from vital_vlm_reach.reference_views.take_reference import parser, pixel_mark
from vital_vlm_reach.reference_views.taken_view import drawn, taken_view

TASK = load_task("usb_insertion")
CAMERA = Camera(640, 480, np.array([[610.0, 0, 320], [0, 610.0, 240], [0, 0, 1]]))
# 0.8 m from the boxes, 40 degrees above the table.
T_BASE_CAMERA = pose_of.from_rpy((1.06, 0.0, 0.55), (np.deg2rad(-130), 0.0, np.pi / 2))
MIDDLE_M = np.array([0.45, 0.0, 0.035])


def holding_the_tip_in(t_base_target, above_m: float = 0.0):
    """Pose of a TCP whose object's tip stands on a target's frame, or above it."""
    return t_base_target @ pose_of.point_down((-TASK.tip_forward_m, 0.0, TASK.tip_offset_m + above_m))


class Lab:
    """A USB port on a table under the scene camera."""

    def __init__(self) -> None:
        self.world = World(TASK)
        self.camera = SceneCamera(self.world.model)

    def views(self, place, yaw_deg: float, count: int = 3, normal=None):
        self.world.reset(11, joints_rad=HOME_RAD)
        self.world.place_target(place, np.deg2rad(yaw_deg), normal)
        self.camera.reset(11)
        seen = [simulated_view(self.world, self.camera) for _ in range(count)]
        return seen, self.world.site_pose("target_opening")


@pytest.fixture(scope="module")
def lab():
    made = Lab()
    yield made
    made.camera.close()


def pixel_of(camera: Camera, t_base_camera, point_m) -> tuple[float, float]:
    u, v = camera.project((pose_of.inverse(t_base_camera) @ np.append(point_m, 1.0))[:3])
    return float(u), float(v)


def test_a_view_marked_by_the_hand_locates_as_well_as_the_rendered_one(lab, tmp_path):
    views, truth = lab.views((0.47, 0.05, 0.034), 20.0, 2)
    taken = taken_view(views, lab.camera.t_base_camera, HandMark(holding_the_tip_in(truth), TASK), 1)
    assert np.linalg.norm(taken.t_base_target[:3, 3] - truth[:3, 3]) < 0.003
    assert taken.symmetry == 1 and taken.read > 0.8 and taken.repeats_rad < np.deg2rad(1.0), taken.told()
    save_view(tmp_path / "usb_insertion.png", taken.view)
    own = References(tmp_path).of("usb_insertion")
    rendered = References(references_folder("shipped")).of("usb_insertion")
    seen, true = lab.views((0.44, -0.04, 0.036), 130.0, 1)
    errors = []
    for reference in (own, rendered):
        turn = target_turn(seen[0], lab.camera.t_base_camera, true[:3, 3], reference)
        assert turn.known, turn.message
        period_deg = 360.0 / turn.symmetry
        yaw_error_deg = abs((np.rad2deg(turn.yaw_rad) - 130.0 + period_deg / 2) % period_deg - period_deg / 2)
        errors.append((yaw_error_deg, 1000 * np.linalg.norm(turn.origin_m - true[:3, 3])))
    assert errors[0][0] < errors[1][0] + 2.5 and errors[0][1] < errors[1][1] + 2.0, errors


def test_a_hand_high_above_a_target_marks_the_same_place_on_it(lab):
    views, truth = lab.views((0.45, 0.06, 0.036), -100.0, 1)
    mark = HandMark(holding_the_tip_in(truth, 0.06), TASK)(views[0], lab.camera.t_base_camera)
    assert np.linalg.norm(mark.on_surface_m - truth[:3, 3]) < 0.012
    assert np.linalg.norm(mark.origin_m(truth) - truth[:3, 3]) < 1e-6
    assert np.rad2deg(mark.yaw_rad) == pytest.approx(-100.0, abs=0.01)


def test_two_pixels_tell_place_and_yaw(lab):
    views, truth = lab.views((0.45, -0.03, 0.035), -35.0)
    origin, along = truth[:3, 3], truth[:3, 3] - 0.02 * truth[:3, 1]
    camera, t_base_camera = views[0].camera, lab.camera.t_base_camera
    mark = PixelMark(pixel_of(camera, t_base_camera, origin), 0.0, pixel_of(camera, t_base_camera, along))
    taken = taken_view(views, t_base_camera, mark, 1)
    turned = pose_of.inverse(truth)[:3, :3] @ taken.t_base_target[:3, :3]
    assert np.arctan2(turned[1, 0], turned[0, 0]) == pytest.approx(-np.pi / 2, abs=np.deg2rad(8.0))
    assert np.linalg.norm(taken.t_base_target[:3, 3] - origin) < 0.005
    picture = drawn(views[0], t_base_camera, taken.t_base_target)
    assert (picture != views[0].rgb).any(axis=2).sum() > 20


def test_a_leaning_target_is_refused(lab):
    views, truth = lab.views((0.45, 0.0, 0.035), 0.0, 1, pose_of.leaning(np.deg2rad(20.0), 1.0))
    mark = PixelMark(pixel_of(views[0].camera, lab.camera.t_base_camera, truth[:3, 3]))
    with pytest.raises(VitalError, match="lay it level") as refusal:
        taken_view(views, lab.camera.t_base_camera, mark, 1)
    assert refusal.value.code is ErrorCode.BAD_OBSERVATION


def boxes(*sizes_and_places, holes: float = 0.0) -> View:
    """Blue boxes on a grey table; each ((x, y, z) size, (x, y) middle), m."""
    things = [Obstacle("box", (*place, size[2] / 2), size) for size, place in sizes_and_places]
    table_mm, depth_mm = depth_of([], CAMERA, T_BASE_CAMERA), depth_of(things, CAMERA, T_BASE_CAMERA)
    rgb = np.where((depth_mm != table_mm)[..., None], (40, 60, 160), (150, 150, 150)).astype(np.uint8)
    lost = np.random.default_rng(0).random(depth_mm.shape) < holes
    return View(rgb, np.where(lost, 0, depth_mm).astype(np.uint16), CAMERA, "camera")


BOX = ((0.04, 0.026, 0.035), (0.45, 0.0))
MARK = PixelMark(pixel_of(CAMERA, T_BASE_CAMERA, MIDDLE_M))


def test_a_box_on_a_table_gives_a_view_and_says_how_good_it_is():
    taken = taken_view([boxes(BOX)] * 2, T_BASE_CAMERA, MARK, 2)
    assert taken.surface_mm2 == pytest.approx(40 * 26, rel=0.15) and taken.symmetry == 2
    assert "the same every 180 degrees" in taken.told()


@pytest.mark.parametrize(
    ("views", "code", "told"),
    [
        ([boxes(((0.012, 0.011, 0.035), (0.45, 0.0)))], ErrorCode.BAD_OBSERVATION, "camera near enough"),
        ([boxes(((0.30, 0.30, 0.035), (0.45, 0.0)))], ErrorCode.BAD_OBSERVATION, "flush with what is around"),
        ([boxes(BOX, ((0.03, 0.026, 0.035), (0.45, 0.045)))], ErrorCode.AMBIGUOUS, "take it away"),
        ([boxes(BOX, holes=0.8)], ErrorCode.NO_DEPTH, "of its surface has depth"),
        ([boxes(BOX, holes=0.985)], ErrorCode.NO_DEPTH, "depth readings"),
        ([boxes(BOX), boxes((BOX[0], (0.455, 0.003)))], ErrorCode.BAD_OBSERVATION, "moved"),
    ],
    ids=["small", "flush", "two", "holes", "empty", "moved"],
)
def test_what_is_no_good_as_a_reference_is_refused_by_code(views, code, told):
    with pytest.raises(VitalError, match=told) as refusal:
        taken_view(views, T_BASE_CAMERA, MARK, 2)
    assert refusal.value.code is code


def test_marks_that_say_nothing_are_refused():
    leaning = pose_of.from_rpy((0.45, 0.0, 0.07), (np.deg2rad(170), 0.0, 0.0))
    elsewhere = pose_of.point_down((0.45, 0.30, 0.30))
    for refused, told in (
        (lambda: HandMark(leaning, TASK), "straight above"),
        (lambda: HandMark(elsewhere, TASK)(boxes(BOX), T_BASE_CAMERA), "no surface is seen"),
        (lambda: replace(MARK, along_x_uv=MARK.origin_uv)(boxes(BOX), T_BASE_CAMERA), "long edge"),
        (lambda: pixel_mark([1.0, 2.0, 3.0], None), "expected 2 or 4"),
        (lambda: pixel_mark([1.0, 2.0, 3.0, 4.0], 5.0), "give one of them"),
    ):
        with pytest.raises(VitalError, match=told):
            refused()
    assert parser().parse_args(["here", "--task", "usb_insertion", "--hand"]).hand


def test_a_taken_view_can_be_read_as_a_reference(tmp_path):
    save_view(tmp_path / "box.png", taken_view([boxes(BOX)], T_BASE_CAMERA, MARK, 2).view)
    assert Reference(load_view(tmp_path / "box.png"), 2).symmetry == 2
