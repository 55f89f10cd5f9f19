"""What the cameras publish of themselves: the mount is where MuJoCo looks from, the calibration is how it looks."""

import cv2
import mujoco
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from std_msgs.msg import Header

from vital_core import pose as pose_of
from vital_core.task import load_task, task_names
from vital_ros.conversions import camera_info_message
from vital_sim.cameras.cameras import SceneCamera, WristCamera
from vital_sim.world.mounts import (
    SCENE_HEIGHT_PX,
    SCENE_LOOKS_AT_M,
    SCENE_POSITION_M,
    SCENE_WIDTH_PX,
    T_BASE_SCENE_CAMERA,
    WRIST_MARGIN_RAD,
    WRIST_POSITION_M,
    t_tcp_wrist_camera,
)
from vital_sim.world.world import World

TABLE_M = 0.0004  # the sheet's upper face
inside = st.floats(0.02, 0.98)
distances = st.floats(0.05, 1.0)


def published(camera, width, height, model):
    """Matrix and distortion out of the message that a listener calibrates itself by."""
    info = camera_info_message(camera.camera_matrix, (width, height), model, Header(frame_id=camera.frame_id))
    return np.reshape(info.k, (3, 3)), np.array(info.d)


def seen_from(model, data, name):
    """Pose in `link_base` of the optical frame (z along the view, y down) of a camera of MuJoCo."""
    pose = np.eye(4)
    pose[:3, 3] = data.camera(name).xpos
    pose[:3, :3] = data.camera(name).xmat.reshape(3, 3) @ np.diag([1.0, -1.0, -1.0])
    return pose


@pytest.mark.parametrize("task", task_names())
def test_cameras_of_every_task_stand_where_their_frames_say(task):
    world = World(load_task(task))
    world.begin(3)
    wrist = world.site_pose("tcp") @ t_tcp_wrist_camera(world.task)
    np.testing.assert_allclose(seen_from(world.model, world.data, "wrist_camera"), wrist, atol=1e-6)
    np.testing.assert_allclose(seen_from(world.model, world.data, "scene_camera"), T_BASE_SCENE_CAMERA, atol=1e-6)
    angle_rad = np.deg2rad(world.model.cam_fovy[world.model.camera("wrist_camera").id])
    assert angle_rad == pytest.approx(world.task.wrist_window_rad + WRIST_MARGIN_RAD)


@pytest.mark.parametrize("pose", [T_BASE_SCENE_CAMERA, *(t_tcp_wrist_camera(load_task(t)) for t in task_names())])
def test_optical_frames_are_right_handed(pose):
    np.testing.assert_allclose(pose[:3, :3].T @ pose[:3, :3], np.eye(3), atol=1e-12)
    assert np.linalg.det(pose[:3, :3]) == pytest.approx(1.0)
    np.testing.assert_array_equal(pose[3], [0, 0, 0, 1])


@pytest.mark.parametrize("task", task_names())
def test_wrist_camera_is_tilted_towards_the_fingers_by_what_the_task_says(task):
    task = load_task(task)
    pose = t_tcp_wrist_camera(task)
    np.testing.assert_array_equal(pose[:3, 3], WRIST_POSITION_M)
    view, along_fingers = pose[:3, 2], np.array([0.0, 0.0, 1.0])
    assert np.arccos(view @ along_fingers) == pytest.approx(abs(task.wrist_tilt_rad))
    np.testing.assert_allclose(pose[:3, 0], [0.0, -1.0, 0.0], atol=1e-12)


def test_scene_camera_has_what_it_looks_at_in_its_middle_and_upright():
    u, v, distance_m = SceneCamera.project(SCENE_LOOKS_AT_M)
    assert (u, v) == pytest.approx((SCENE_WIDTH_PX / 2, SCENE_HEIGHT_PX / 2))
    assert distance_m == pytest.approx(np.linalg.norm(np.subtract(SCENE_LOOKS_AT_M, SCENE_POSITION_M)))
    above_u, above_v, _ = SceneCamera.project(np.add(SCENE_LOOKS_AT_M, [0.0, 0.0, 0.05]))
    assert above_v < v and above_u == pytest.approx(u)


@given(inside, inside, distances)
@settings(max_examples=50, deadline=None)
def test_pixel_of_the_wrist_image_comes_back_through_the_published_calibration(wrist, x, y, distance_m):
    """OpenCV's equidistant model takes a pixel to its ray; the ray's point is projected onto that pixel."""
    pixel = np.array([x, y]) * 128
    matrix, distortion = published(wrist, 128, 128, "equidistant")
    ray = np.append(cv2.fisheye.undistortPoints(pixel[None, None], matrix, distortion)[0, 0], 1.0)
    point = distance_m * ray / np.linalg.norm(ray)
    back = wrist.project((wrist.t_tcp_camera @ [*point, 1.0])[:3])
    np.testing.assert_allclose(back, pixel, atol=1e-4)


@pytest.fixture(scope="module")
def lone_ball():
    """A world in which nothing is seen but a red ball of 3 mm; put it somewhere in `link_base`."""
    made = World(load_task("usb_insertion"))
    made.begin(0)
    geom, body = made.model.geom("prop_ball_0_free"), made.model.body("prop_ball")
    made.model.geom_rgba[:, 3] = 0.0
    made.model.geom_rgba[geom.id] = [1.0, 0.0, 0.0, 1.0]
    made.model.geom_size[geom.id, 0] = 0.003
    made.model.geom_pos[geom.id] = 0.0

    def put(point_m):
        made.model.body_pos[body.id] = point_m
        mujoco.mj_forward(made.model, made.data)
        return made

    put.world = made
    return put


@pytest.fixture(scope="module")
def ball_camera(lone_ball):
    made = WristCamera(lone_ball.world.model, lone_ball.world.task)
    yield made
    made.close()


@given(st.floats(0.1, 0.9), st.floats(0.1, 0.9), st.floats(0.08, 0.2))
@settings(max_examples=25, deadline=None)
def test_ball_is_in_the_wrist_image_where_its_projection_is(lone_ball, ball_camera, x, y, distance_m):
    """From the edge to the middle, to a pixel: mount, window, pinhole and fisheye together."""
    across_rad = (np.array([x, y]) - 0.5) * lone_ball.world.task.wrist_window_rad
    angle_rad = np.linalg.norm(across_rad) + 1e-12
    ray = np.append(across_rad / angle_rad * np.sin(angle_rad), np.cos(angle_rad))
    point_tcp = ball_camera.t_tcp_camera @ [*(distance_m * ray), 1.0]
    np.testing.assert_allclose(ball_camera.project(point_tcp[:3]), [128 * x, 128 * y], atol=1e-6)
    world = lone_ball((lone_ball.world.site_pose("tcp") @ point_tcp)[:3])
    red = ball_camera.render(world.data)[..., 0] > 40
    rows, columns = np.nonzero(red)
    assert [columns.mean() + 0.5, rows.mean() + 0.5] == pytest.approx([128 * x, 128 * y], abs=1.0)


@given(st.floats(-0.2, 0.2), st.floats(-0.2, 0.2), st.floats(0.05, 0.5))
@settings(max_examples=50, deadline=None)
def test_wrist_projection_is_opencvs_with_the_published_calibration(wrist, x, y, z):
    matrix, distortion = published(wrist, 128, 128, "equidistant")
    point = np.array([[[x, y, z]]])
    expected = cv2.fisheye.projectPoints(point, np.zeros(3), np.zeros(3), matrix, distortion)[0][0, 0]
    told = wrist.project((wrist.t_tcp_camera @ [x, y, z, 1.0])[:3])
    np.testing.assert_allclose(told, expected, atol=1e-6)


@given(st.floats(0.1, 0.8), st.floats(-0.4, 0.4), st.floats(0.0, 0.3))
@settings(max_examples=50, deadline=None)
def test_scene_projection_is_opencvs_with_the_published_calibration(scene, x, y, z):
    matrix, distortion = published(scene, SCENE_WIDTH_PX, SCENE_HEIGHT_PX, "plumb_bob")
    t_camera_base = pose_of.inverse(T_BASE_SCENE_CAMERA)
    turn = pose_of.to_vector(t_camera_base)[3:]
    expected = cv2.projectPoints(np.array([[x, y, z]]), turn, t_camera_base[:3, 3], matrix, distortion)[0][0, 0]
    u, v, distance_m = scene.project([x, y, z])
    np.testing.assert_allclose([u, v], expected, atol=1e-6)
    assert distance_m == pytest.approx((t_camera_base @ [x, y, z, 1.0])[2])


def test_depth_image_taken_back_through_the_calibration_is_the_table(world, scene):
    """Pixels of the bare table, at their depth, lie in its plane; a few are at the foot of what stands on it."""
    depth_m = scene.render_depth_m(world.data)
    rows, columns = np.mgrid[0:SCENE_HEIGHT_PX:8, 0:SCENE_WIDTH_PX:8]
    pixels = np.stack([columns + 0.5, rows + 0.5, np.ones_like(rows)], axis=-1)
    rays = pixels @ np.linalg.inv(scene.camera_matrix).T
    points = rays * depth_m[rows, columns][..., None]
    base = points @ T_BASE_SCENE_CAMERA[:3, :3].T + T_BASE_SCENE_CAMERA[:3, 3]
    bare = (np.abs(base[..., :2] - [0.45, 0.0]) < [0.35, 0.5]).all(axis=-1) & (np.abs(base[..., 2]) < 0.01)
    assert bare.sum() > 500
    assert np.quantile(np.abs(base[bare][:, 2] - TABLE_M), 0.99) < 1e-4


def test_point_behind_the_wrist_camera_is_outside_of_its_image(wrist):
    u, v = wrist.project((wrist.t_tcp_camera @ [0.01, 0.0, -0.1, 1.0])[:3])
    assert not (0 <= u <= 128 and 0 <= v <= 128)


def test_point_on_the_axis_is_the_middle_at_any_distance(wrist):
    for distance_m in (1e-3, 0.1, 10.0):
        u, v = wrist.project((wrist.t_tcp_camera @ [0.0, 0.0, distance_m, 1.0])[:3])
        assert (u, v) == pytest.approx((64.0, 64.0), abs=1e-6)


def test_depth_noise_is_another_at_each_image_and_follows_from_the_seed(world, scene):
    taken = []
    for seed in (4, 4, 5):
        scene.reset(seed)
        taken.append([scene.render(world.data)[1] for _ in range(2)])
    np.testing.assert_array_equal(taken[0], taken[1])
    assert not np.array_equal(taken[0][0], taken[0][1]) and not np.array_equal(taken[0][0], taken[2][0])


def test_exposure_stays_near_one(world, wrist):
    """A wandering gain: the mean level of a still scene changes by a tenth at most, and it does change."""
    levels = []
    for seed in range(12):
        wrist.reset(seed)
        levels.append(wrist.render(world.data).mean())
    assert 0.01 < np.ptp(levels) / np.mean(levels) < 0.2


def test_closed_camera_leaves_others_of_the_model_working(world, wrist):
    other = WristCamera(world.model, world.task)
    other.close()
    mujoco.mj_forward(world.model, world.data)
    assert wrist.render(world.data).any()
