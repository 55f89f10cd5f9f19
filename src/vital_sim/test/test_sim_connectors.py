"""The connectors: a plug fits its own opening with the stated clearance, and nothing else is open."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from vital_core.errors import ErrorCode, VitalError
from vital_sim.world.boxes import Box
from vital_sim.world.fixtures import FIXTURES, Connector
from vital_sim.world.fixtures import fixture_for as connector_for

CONNECTORS = [name for name, fixture in FIXTURES.items() if isinstance(fixture, Connector)]


def _inside(box: Box, points: np.ndarray) -> np.ndarray:
    local = Rotation.from_rotvec(box.rotation_rad).inv().apply(points - np.array(box.centre_m))
    return (np.abs(local) <= np.array(box.half_m) - 1e-9).all(axis=1)


def _solid(connector, points: np.ndarray) -> np.ndarray:
    return np.any([_inside(box, points) for box in connector.target_boxes()], axis=0)


def _points(connector, rng, count=20_000):
    """Points below the mouth, within the housing, above the slots' floor."""
    x, y = connector.housing_m
    unit = rng.uniform(0.0, 1.0, (count, 3))
    return unit * [x, y, -connector.slot_depth_m + 1e-5] - [x / 2, y / 2, 1e-6]


def _slot_distance(connector, points):
    """Largest of the signed x and y distances outside the nearest slot's straight walls."""
    half_x = connector.prong_m[0] / 2 + connector.clearance_m
    half_y = connector.prong_m[1] / 2 + connector.clearance_m
    x = np.min([np.abs(points[:, 0] - c) for c in connector.prong_x_m], axis=0) - half_x
    return np.maximum(x, np.abs(points[:, 1]) - half_y)


@pytest.mark.parametrize("name", sorted(CONNECTORS))
def test_housing_is_solid_except_for_slots_and_lead_in(name):
    connector = connector_for(name)
    points = _points(connector, np.random.default_rng(1))
    lead_in = np.maximum(0.0, connector.chamfer_m + points[:, 2])
    distance = _slot_distance(connector, points)
    np.testing.assert_array_equal(_solid(connector, points), distance > lead_in)


@pytest.mark.parametrize("name", sorted(CONNECTORS))
def test_prongs_fit_with_the_stated_clearance_and_no_more(name):
    connector = connector_for(name)
    prongs = [box for box in connector.object_boxes() if box.name.startswith("prong")]
    for axis in (0, 1):
        for gap, expected in ((connector.clearance_m - 1e-6, False), (connector.clearance_m + 1e-6, True)):
            shift = np.zeros(3)
            shift[axis] = gap
            corners = [
                [box.centre_m[0] + sx * box.half_m[0], sy * box.half_m[1], -0.003]
                for box in prongs
                for sx in (-1, 1)
                for sy in (-1, 1)
            ]
            assert _solid(connector, np.array(corners) + shift).any() == expected


def test_clearances_are_those_of_the_issue():
    assert 0.0002 <= connector_for("usb_stick").clearance_m <= 0.0003
    assert connector_for("plug").clearance_m == 0.0005


@pytest.mark.parametrize("name", sorted(CONNECTORS))
def test_tip_is_35_mm_from_the_grasp(name):
    assert connector_for(name).tip_m == pytest.approx(0.035)


def test_unknown_object_is_refused_by_name():
    with pytest.raises(VitalError, match=r"spoon.*plug, usb_stick") as refusal:
        connector_for("spoon")
    assert refusal.value.code is ErrorCode.BAD_PARAMETER
