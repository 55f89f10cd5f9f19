"""What docs/extend.md tells to do for a new task and a new device is enough."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from vital_core.errors import ErrorCode, VitalError
from vital_core.task import parse_task
from vital_sim.demonstrator.expert import ScriptedExpert
from vital_sim.demonstrator.rollout import run
from vital_sim.scenery import look
from vital_sim.world import fixtures
from vital_sim.world.world import World
from vital_teleop import devices
from vital_teleop.device import DeviceSample

ROOT = Path(__file__).parents[3]
# A barrel connector of 8 x 8 mm.
BARREL = fixtures.Connector(
    prong_m=(0.008, 0.008, 0.016),
    prong_x_m=(0.0,),
    clearance_m=0.0004,
    chamfer_m=0.0006,
    slot_depth_m=0.012,
    grip_m=(0.014, 0.009, 0.032),
    grip_end_m=0.016,
    housing_m=(0.028, 0.028),
    object_mass_kg=0.018,
)


@pytest.fixture
def barrel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Step 2: in the tables that the page names."""
    for table in (fixtures.HOUSED, fixtures.FIXTURES):
        monkeypatch.setitem(table, "barrel", BARREL)
    monkeypatch.setitem(fixtures.TARGET_NAMES, "barrel", "barrel jack")
    for colours in (look.HOUSING_COLOURS, look.TRIM):
        monkeypatch.setitem(colours, "barrel", colours["usb_stick"])


def task_file(**changed: object) -> bytes:
    """Step 1: a copy of the nearest task's file."""
    values = yaml.safe_load((ROOT / "src/vital_core/vital_core/tasks/usb_insertion.yaml").read_text())
    return yaml.safe_dump({**values, **changed}).encode()


def test_a_new_task_is_a_file_and_a_fixture_and_can_be_done(barrel: None) -> None:
    task = parse_task(
        "barrel_insertion",
        task_file(held_object="barrel", target="barrel jack", tip_offset_m=BARREL.tip_m, success_depth_m=0.010),
    )
    world = World(task)
    done = []
    for seed in range(3):
        world.begin(seed)
        done.append(run(world, ScriptedExpert(world)).success)
    assert done == [True] * 3


def test_a_task_file_that_lacks_a_field_is_refused_by_name() -> None:
    text = task_file().replace(b"episode_s:", b"episode_seconds:")
    with pytest.raises(VitalError, match=r"missing \['episode_s'\], unknown \['episode_seconds'\]") as refused:
        parse_task("copy", text)
    assert refused.value.code is ErrorCode.BAD_PARAMETER


class Foot:
    """A pedal: the shortest device that there is."""

    name = "foot"
    help = "foot: press"

    def open(self) -> None:
        """It is always there."""

    def poll(self) -> DeviceSample:
        """Slowly down, clutch closed."""
        return DeviceSample(alive_s=0.0, clutch=True, twist=np.array([0, 0, -0.01, 0, 0, 0.0]))

    def close(self) -> None:
        """Nothing is held."""


def test_a_new_device_is_a_class_and_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(devices.MAKERS, "foot", Foot)
    device = devices.make_device("foot")
    device.open()
    assert device.poll().clutch and device.name == "foot"
