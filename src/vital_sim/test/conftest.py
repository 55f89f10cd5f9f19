"""A world that is only looked at, with its cameras."""

import pytest

from vital_core.task import load_task
from vital_sim.cameras.cameras import SceneCamera, WristCamera
from vital_sim.world.world import World


@pytest.fixture(scope="module")
def world() -> World:
    made = World(load_task("usb_insertion"))
    made.begin(0)
    return made


@pytest.fixture(scope="module")
def wrist(world):
    made = WristCamera(world.model, world.task)
    yield made
    made.close()


@pytest.fixture(scope="module")
def scene(world):
    made = SceneCamera(world.model)
    yield made
    made.close()
