"""Pictures for people: prettier where the meshes are installed, there without them, and seen by no policy."""

import cv2
import numpy as np
import pytest

from vital_core.arm import arm_meshes as meshes
from vital_core.arm.arm_meshes import Mesh, arm_meshes
from vital_core.task import load_task
from vital_sim.cameras.cameras import SceneCamera, WristCamera
from vital_sim.cameras.show_camera import GRIPPER_CLOSED_RAD, ShowCamera, knuckle_angle_rad, wood
from vital_sim.world.world import World

SIZE = (160, 120)


def world_of(task: str, seed: int = 7) -> World:
    world = World(load_task(task))
    world.begin(seed)
    return world


def seen_by_policies(world: World) -> list[np.ndarray]:
    wrist, scene = WristCamera(world.model, world.task, seed=3), SceneCamera(world.model, seed=3)
    images = [wrist.render(world.data), *scene.render(world.data)]
    wrist.close()
    scene.close()
    return images


def test_what_policies_see_and_how_things_move_is_the_same_with_and_without_a_show() -> None:
    alone, shown = world_of("usb_insertion"), world_of("usb_insertion")
    camera = ShowCamera(shown, *SIZE, passes=2, shadow_px=256)
    for _ in range(2):
        alone.advance(0.05)
        shown.advance(0.05)
        camera.render()
    assert np.array_equal(alone.data.qpos, shown.data.qpos) and np.array_equal(alone.tactile_ut(), shown.tactile_ut())
    for one, other in zip(seen_by_policies(alone), seen_by_policies(shown), strict=True):
        assert np.array_equal(one, other)
    camera.close()


@pytest.mark.parametrize(
    ("task", "with_meshes"), [("usb_insertion", True), ("pick_block", True), ("card_swipe", False)]
)
def test_show_follows_the_world(task: str, with_meshes: bool) -> None:
    assert arm_meshes(), "the set `looks` belongs to the tests: ./vital setup --looks"
    world = world_of(task)
    camera = ShowCamera(world, *SIZE, passes=1, shadow_px=256, meshes=None if with_meshes else ())
    before = camera.render().astype(int)
    assert before.shape == (120, 160, 3) and before.std() > 10
    joints = world.commanded_joints.copy()
    joints[0] += 0.3
    world.command_joints(joints)
    world.advance(0.5)
    assert np.abs(camera.render().astype(int) - before).mean() > 2.0
    camera.close()


def test_shadows_are_thrown_and_softer_with_more_lights() -> None:
    world = world_of("usb_insertion")
    pictures = {}
    for passes in (1, 4):
        camera = ShowCamera(world, 240, 180, passes=passes, shadow_px=1024)
        pictures[passes] = camera.render()
        camera.close()
    # Along a soft edge there are shades that a hard one has not.
    steps = {
        n: np.abs(np.diff(cv2.cvtColor(p, cv2.COLOR_RGB2GRAY).astype(int), axis=1)).max(axis=1).mean()
        for n, p in pictures.items()
    }
    assert not np.array_equal(pictures[1], pictures[4]) and steps[4] <= steps[1]


def test_fingers_close_on_what_is_held() -> None:
    gaps = np.linspace(0.0, 0.04, 9)
    angles = [knuckle_angle_rad(gap) for gap in gaps]
    assert angles[0] == pytest.approx(GRIPPER_CLOSED_RAD) and np.all(np.diff(angles) < 0.0)


def test_the_same_table_every_time() -> None:
    assert np.array_equal(wood(64), wood(64)) and wood(64).shape == (64, 64, 3)


def test_a_package_that_is_not_there_or_not_whole_gives_no_meshes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(arm_meshes()) == 15 and all(isinstance(mesh, Mesh) for mesh in arm_meshes())
    monkeypatch.setitem(meshes.FILES, "link8", ("link8", (1, 1, 1)))
    assert arm_meshes() == ()
    monkeypatch.setattr(meshes, "PACKAGE", "no_such_package_here")
    assert arm_meshes() == ()


def test_the_meshes_of_driven_fingers_stand_as_far_apart_as_the_fingers_that_slide() -> None:
    world = world_of("pick_block")
    camera = ShowCamera(world, *SIZE, passes=1, shadow_px=256)

    def gap_m(data, left: str, right: str) -> float:
        return float(np.linalg.norm(data.body(left).xpos - data.body(right).xpos))

    gaps = []
    for closed in (0.0, 0.5, 0.9):
        world.command_gripper(closed)
        world.advance(0.8)
        camera.render()
        shown = gap_m(camera._data, "show_left_finger", "show_right_finger")
        gaps.append((shown, gap_m(world.data, "finger_left", "finger_right")))
    shown_m, true_m = np.array(gaps).T
    assert true_m[0] - true_m[-1] > 0.05, "the gripper closes"
    np.testing.assert_allclose(shown_m - shown_m[0], true_m - true_m[0], atol=0.003)
    camera.close()
