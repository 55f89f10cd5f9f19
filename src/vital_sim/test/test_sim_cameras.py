"""The cameras: the fisheye's mapping, depth in its units, the foreground, noise that follows from the seed."""

import mujoco
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vital_core import pose as pose_of
from vital_core.task import load_task
from vital_sim.cameras.cameras import DEPTH_RANGE_M, FOREGROUND, LabelledWristCamera, SceneCamera, WristCamera
from vital_sim.world.mounts import T_BASE_SCENE_CAMERA, t_tcp_wrist_camera
from vital_sim.world.world import World

RED = [1.0, 0.0, 0.0, 1.0]


@pytest.fixture
def red_geom(world):
    """Paints a geom so that it is found in an image, and gives it its colour back."""
    before = world.model.geom_rgba.copy()

    def paint(name):
        world.model.geom_rgba[:] = [0.2, 0.2, 0.2, 1.0]
        world.model.geom_rgba[world.model.geom(name).id] = RED
        return world.model.geom(name).id

    yield paint
    world.model.geom_rgba[:] = before


def red_centre(image):
    """(u, v) of the middle of what is red."""
    colour = image.astype(int)
    rows, columns = np.nonzero((colour[..., 0] > 60) & (colour[..., 0] > 2 * colour[..., 1]))
    assert len(rows) > 3
    return np.array([columns.mean() + 0.5, rows.mean() + 0.5])


def test_wrist_camera_shows_a_point_where_its_lens_says(world, wrist, red_geom):
    geom = red_geom("target_floor")
    floor_tcp = pose_of.inverse(world.site_pose("tcp")) @ [*world.data.geom_xpos[geom], 1.0]
    u, v = wrist.project(floor_tcp[:3])
    assert 0 < u < 128 and 0 < v < 128
    shown = wrist.render(world.data)
    assert np.linalg.norm(red_centre(shown) - [u, v]) < 6.0


@given(st.floats(0.0, 0.6), st.floats(0, 2 * np.pi), st.floats(0.05, 0.5))
@settings(max_examples=80, deadline=None)
def test_radius_in_the_fisheye_is_proportional_to_the_angle(wrist, angle, around, distance_m):
    """An equidistant lens: r = f theta, whatever the distance."""
    ray = np.array([np.sin(angle) * np.cos(around), np.sin(angle) * np.sin(around), np.cos(angle)])
    u, v = wrist.project((wrist.t_tcp_camera @ [*(distance_m * ray), 1.0])[:3])
    radius = wrist.camera_matrix[0, 0] * angle
    np.testing.assert_allclose([u - 64, v - 64], radius * np.array([np.cos(around), np.sin(around)]), atol=1e-6)


def test_edge_of_the_wrist_image_is_half_the_window(world, wrist):
    focal = wrist.camera_matrix[0, 0]
    assert 64 / focal == pytest.approx(world.task.wrist_window_rad / 2)
    np.testing.assert_allclose(wrist.t_tcp_camera, t_tcp_wrist_camera(world.task))


def test_every_pixel_of_the_fisheye_lies_in_the_pinhole_image(wrist):
    corners = wrist._map[[0, 0, -1, -1, 64], [0, -1, 0, -1, 0]]
    across = wrist._map[64]
    assert (np.diff(across[:, 0]) > 0).all()
    assert np.isfinite(corners).all() and (wrist._map[64, 0] > -1.5).all()


def test_scene_camera_shows_a_point_where_it_projects(world, scene, red_geom):
    geom = red_geom("gripper_palm")
    u, v, distance_m = scene.project(world.data.geom_xpos[geom])
    assert np.linalg.norm(red_centre(scene.render_colour(world.data)) - [u, v]) < 12.0
    assert distance_m == pytest.approx((pose_of.inverse(T_BASE_SCENE_CAMERA) @ [*world.data.geom_xpos[geom], 1])[2])


def test_depth_of_the_table_is_what_geometry_says_in_millimetres(world, scene):
    point = np.array([0.40, -0.45, 0.0004])
    u, v, distance_m = scene.project(point)
    _, depth_mm = scene.render(world.data)
    exact = scene.render_depth_m(world.data)
    assert depth_mm.dtype == np.uint16 and depth_mm.shape == (480, 640)
    assert exact[int(v), int(u)] == pytest.approx(distance_m, abs=0.004)
    around = depth_mm[int(v) - 3 : int(v) + 4, int(u) - 3 : int(u) + 4].astype(float)
    assert np.median(around[around > 0]) == pytest.approx(1000 * distance_m, abs=8.0)


def test_depth_has_no_reading_beyond_its_range_and_noise_within(world, scene):
    exact = scene.render_depth_m(world.data)
    depth_mm = scene.render(world.data)[1]
    assert (depth_mm[exact > DEPTH_RANGE_M[1]] == 0).all()
    read = depth_mm > 0
    assert 0.3 < read.mean() < 1.0
    error_m = depth_mm[read] / 1000.0 - exact[read]
    assert 0.0005 < error_m.std() < 0.01 and abs(error_m.mean()) < 0.001


def test_depth_is_lost_along_the_grippers_outline(world, scene):
    exact = scene.render_depth_m(world.data)
    rows, columns = np.nonzero(np.abs(np.diff(exact, axis=1)) > 0.05)
    depth_mm = scene.render(world.data)[1]
    assert len(rows) > 50 and (depth_mm[rows, columns] == 0).all()


def test_calibration_is_off_by_millimetres_and_always_by_the_same(world, scene):
    distance_m, angle_rad = pose_of.distance(scene.t_base_camera, T_BASE_SCENE_CAMERA)
    assert 0.0001 < distance_m < 0.004 and angle_rad < 0.004
    again = SceneCamera(world.model)
    np.testing.assert_array_equal(again.t_base_camera, scene.t_base_camera)
    again.close()


def test_foreground_is_what_segmentation_says(world, wrist):
    """Beside MuJoCo's own segmentation, through the same lens."""
    renderer = mujoco.Renderer(world.model, 160, 160)
    renderer.enable_segmentation_rendering()
    option = mujoco.MjvOption()
    option.sitegroup[:] = 0
    renderer.update_scene(world.data, "wrist_camera", option)
    ids, kinds = renderer.render()[..., 0], renderer.render()[..., 1]
    renderer.close()
    bodies = {world.model.body(i).name: i for i in range(world.model.nbody)}
    wanted = [bodies[name] for name in FOREGROUND if name in bodies]
    seen = (kinds == mujoco.mjtObj.mjOBJ_GEOM) & np.isin(world.model.geom_bodyid[ids], wanted)
    columns, rows = (np.clip(np.rint(wrist._map[..., i]).astype(int), 0, 159) for i in (0, 1))
    assert (seen[rows, columns] != wrist.foreground(world.data)).mean() < 0.002


def test_foreground_asked_for_between_images_changes_none_of_them(world, wrist):
    wrist.reset(3)
    plain = [wrist.render(world.data) for _ in range(2)]
    wrist.reset(3)
    first = wrist.render(world.data)
    wrist.foreground(world.data)
    np.testing.assert_array_equal(np.stack([first, wrist.render(world.data)]), np.stack(plain))


@pytest.mark.parametrize("kind", ["wrist", "scene"])
def test_noise_and_exposure_follow_from_the_seed(world, wrist, scene, kind):
    camera, render = (wrist, wrist.render) if kind == "wrist" else (scene, scene.render_colour)
    images = []
    for seed in (1, 1, 2):
        camera.reset(seed)
        images.append(render(world.data))
    np.testing.assert_array_equal(images[0], images[1])
    assert not np.array_equal(images[0], images[2])
    assert not np.array_equal(images[2], render(world.data))


def test_marks_of_the_truth_are_not_seen(world, wrist):
    """Sites stand where the truth is; a policy must not find it in an image."""
    wrist.reset(0)
    plain = wrist.render(world.data)
    before = world.model.site_size.copy(), world.model.site_rgba.copy()
    world.model.site_size[:], world.model.site_rgba[:] = 0.03, RED
    mujoco.mj_forward(world.model, world.data)
    wrist.reset(0)
    np.testing.assert_array_equal(wrist.render(world.data), plain)
    world.model.site_size[:], world.model.site_rgba[:] = before


def test_labelled_camera_gives_the_foreground_only_while_it_is_wanted(world):
    wanted = [False]
    camera = LabelledWristCamera(world.model, world.task, lambda: wanted[0])
    image, foreground = camera.render(world.data)
    assert image.shape == (128, 128, 3) and foreground is None
    wanted[0] = True
    _, foreground = camera.render(world.data)
    assert foreground.shape == (128, 128) and foreground.dtype == bool and 0.0 < foreground.mean() < 1.0
    camera.close()


@pytest.mark.parametrize("task", ["pick_block", "card_swipe"])
def test_every_task_has_a_foreground_and_a_background(task):
    world = World(load_task(task))
    world.begin(1)
    camera = WristCamera(world.model, world.task)
    assert 0.02 < camera.foreground(world.data).mean() < 0.9
    camera.close()
