"""What a wrist image shows: the task's window, a whole fisheye, or the paper's window of it."""

import queue

import cv2
import numpy as np
import pytest

from vital_core import pose as pose_of
from vital_core.errors import ErrorCode, VitalError
from vital_core.task import WINDOW, WRIST_VIEWS, load_task, task_names
from vital_sim.cameras.cameras import WristCamera
from vital_sim.demonstrations import collect_demos
from vital_sim.demonstrations.collect_demos import Job, record_job
from vital_sim.demonstrator.disturbance import Disturbance
from vital_sim.evaluation.evaluate import _name, parse
from vital_sim.evaluation.evaluation import Cell
from vital_sim.gym.env import VitalEnv
from vital_sim.ros.sim_session import SimSession
from vital_sim.ros.sim_sinks import Sinks
from vital_sim.world.mounts import FISHEYE_RAD, WRIST_MARGIN_RAD, WRIST_RENDER_PX, t_tcp_wrist_camera, wrist_optics
from vital_sim.world.world import World

RED = [1.0, 0.0, 0.0, 1.0]
WIDE = [view for view in WRIST_VIEWS if view != WINDOW]


def red_centre(image: np.ndarray) -> np.ndarray:
    """(u, v) of the middle of what is red."""
    colour = image.astype(int)
    rows, columns = np.nonzero((colour[..., 0] > 60) & (colour[..., 0] > 2 * colour[..., 1]))
    assert len(rows) > 3
    return np.array([columns.mean() + 0.5, rows.mean() + 0.5])


def world_of(view: str, task: str = "usb_insertion") -> World:
    made = World(load_task(task).seen_through(view))
    made.begin(0)
    return made


@pytest.mark.parametrize("name", task_names())
def test_window_is_made_as_the_shipped_weights_know_it(name):
    """Every pixel is taken from where it always was: they were trained on it."""
    task = load_task(name)
    assert task.wrist_view == WINDOW and task.seen_through(WINDOW) == task
    optics = wrist_optics(task)
    grid = np.stack(np.meshgrid(*[np.arange(128) + 0.5 - 64.0] * 2), axis=-1)
    radius, focal = np.linalg.norm(grid, axis=-1, keepdims=True), 64.0 / (task.wrist_window_rad / 2)
    pinhole = (WRIST_RENDER_PX / 2) / np.tan((task.wrist_window_rad + WRIST_MARGIN_RAD) / 2)
    before = (grid / radius * np.tan(radius / focal) * pinhole + WRIST_RENDER_PX / 2 - 0.5).astype(np.float32)
    np.testing.assert_array_equal(WristCamera._fisheye_map(optics), before)
    np.testing.assert_array_equal(optics.matrix, [[focal, 0, 64], [0, focal, 64], [0, 0, 1]])
    assert (optics.tilt_rad, optics.window_px) == (task.wrist_tilt_rad, None)


def test_simulated_robot_keeps_its_view_from_task_to_task():
    seen = queue.Queue()
    names = ("joints", "tactile", "scene", "show", "truth", "reference", "reset")
    wants = {f"wants_{name}": lambda: False for name in ("foreground", "scene", "show")}
    nothing = {name: lambda *_: None for name in names}
    sinks = Sinks(wrist=lambda images, _: seen.put(images[0]), wants_wrist=lambda: True, stamp=int, **nothing, **wants)
    session = SimSession("usb_insertion", 0, "green", sinks, wrist_view="fisheye")
    try:
        for task in ("usb_insertion", "card_swipe"):
            session.reset(task, 1).result(60.0)
            assert seen.get(timeout=60.0).shape == (128, 128, 3)
            expected = wrist_optics(load_task(task).seen_through("fisheye"))
            np.testing.assert_array_equal(session.wrist_camera.camera_matrix, expected.matrix)
            assert session.world.task.wrist_view == "fisheye" and session.world.task.name == task
    finally:
        session.close()


@pytest.mark.parametrize("view", WIDE)
@pytest.mark.parametrize("task", ["usb_insertion", "card_swipe"])
def test_wide_views_show_a_point_where_their_lens_says(view, task):
    world = world_of(view, task)
    camera = WristCamera(world.model, world.task)
    world.model.geom_rgba[:] = [0.2, 0.2, 0.2, 1.0]
    geom = next(world.model.geom(i) for i in range(world.model.ngeom) if world.model.geom(i).name.startswith("target_"))
    world.model.geom_rgba[:, 3] = 0.0
    world.model.geom_rgba[geom.id] = RED
    place = pose_of.inverse(world.site_pose("tcp")) @ [*world.data.geom_xpos[geom.id], 1.0]
    assert np.linalg.norm(red_centre(camera.render(world.data)) - camera.project(place[:3])) < 5.0
    camera.close()


def test_fisheye_is_an_equidistant_lens_of_its_whole_angle_and_black_beyond_its_circle():
    world = world_of("fisheye")
    camera = WristCamera(world.model, world.task)
    for angle in (0.0, 0.3, 1.0, FISHEYE_RAD / 2):
        u, v = camera.project((camera.t_tcp_camera @ [np.sin(angle), 0.0, np.cos(angle), 1.0])[:3])
        assert (u, v) == pytest.approx((64.0 + 64.0 * angle / (FISHEYE_RAD / 2), 64.0))
    image = camera.render(world.data)
    radius = np.hypot(*(np.indices((128, 128)) + 0.5 - 64.0))
    assert image[radius > 66].max() < 12 and image[radius < 60].mean() > 40  # the sensor's noise alone; a picture
    assert camera.foreground(world.data).any() and not camera.foreground(world.data)[radius > 66].any()
    camera.close()


@pytest.mark.parametrize("task", ["usb_insertion", "card_swipe", "pick_block"])
def test_fisheyes_window_is_so_many_of_its_pixels_with_the_work_among_them(task):
    world = world_of("fisheye_window", task)
    part, whole = WristCamera(world.model, world.task), WristCamera(world.model, world.task.seen_through("fisheye"))
    left, upper, width, height = wrist_optics(world.task).window_px
    assert (width, height) == (102, 64)
    shown = whole.render(world.data)[upper : upper + height, left : left + width]
    np.testing.assert_array_equal(part.render(world.data), cv2.resize(shown, (128, 128)))
    tip = pose_of.inverse(world.site_pose("tcp")) @ world.site_pose("target_opening")
    assert all(0.0 < pixel < 128.0 for pixel in part.project(tip[:3, 3]))
    part.close()
    whole.close()


@pytest.mark.parametrize("view", WIDE)
def test_environment_shows_what_it_was_asked_for_and_moves_as_ever(view):
    ends = []
    for wanted in (WINDOW, view):
        env = VitalEnv("usb_insertion", wrist_view=wanted)
        first = env.reset(seed=1)[0]["image"]
        for _ in range(3):
            env.step(np.array([0.002, 0.0, 0.003, 0, 0, 0, 1], np.float32))
        np.testing.assert_allclose(env._camera.t_tcp_camera, t_tcp_wrist_camera(env.task))
        ends.append((first, env.world.joints_rad))
        env.close()
    assert not np.array_equal(ends[0][0], ends[1][0])
    np.testing.assert_array_equal(ends[0][1], ends[1][1])


def test_unknown_view_is_refused_by_name():
    with pytest.raises(VitalError, match="'periscope', expected one of window, fisheye, fisheye_window") as refused:
        VitalEnv("usb_insertion", wrist_view="periscope")
    assert refused.value.code is ErrorCode.BAD_PARAMETER


def test_results_of_another_view_are_another_cell_with_another_name():
    cells = {str(Cell("usb_insertion", "scene", 0, 1, {}, wrist_view=view).identity) for view in WRIST_VIEWS}
    assert len(cells) == 3
    names = [
        _name(parse(["--policy", "x", "--task", "usb_insertion", "--wrist-view", view, *more]), {"method": "visk"})
        for view, more in ((WINDOW, []), ("fisheye", []), ("fisheye_window", []), ("fisheye", ["--name", "mine"]))
    ]
    assert names == ["visk", "visk_fisheye", "visk_fisheye_window", "mine"]


@pytest.mark.slow
def test_demonstrations_say_what_their_images_show(tmp_path):
    job = Job("usb_insertion", 0, 5, tmp_path, "green", Disturbance(0.0, 0.0), "fisheye")
    record_job(job)
    assert collect_demos._metadata(job.path)["wrist_view"] == "fisheye" and collect_demos._is_recorded(job)
    with pytest.raises(VitalError, match="record into another folder"):
        collect_demos._is_recorded(Job("usb_insertion", 0, 5, tmp_path, "green", Disturbance(0.0, 0.0)))
