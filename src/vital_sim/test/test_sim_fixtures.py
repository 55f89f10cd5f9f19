"""Fixtures of any size: what is held goes in where it should, and nowhere else."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from vital_sim.scenery.look import HOUSING_COLOURS
from vital_sim.world.boxes import HOUSING_HEIGHT_M, box_between
from vital_sim.world.fixtures import BLOCK, CARD_READER, HOUSED, TARGET_NAMES, Block, CardReader, Connector

MM = 0.001
sizes_mm = st.floats(1.0, 8.0)


@st.composite
def connectors(draw):
    """Any plug with one prong or two that its housing has room for."""
    width, thickness = draw(sizes_mm), draw(sizes_mm)
    clearance, chamfer = draw(st.floats(0.1, 0.6)), draw(st.floats(0.2, 1.0))
    apart = width / 2 + clearance + chamfer + draw(st.floats(1.0, 5.0))
    centres = draw(st.sampled_from([(0.0,), (-apart, apart)]))
    reach = max(centres) + width / 2 + clearance + chamfer + 2.0
    return Connector(
        prong_m=(width * MM, thickness * MM, draw(st.floats(12.0, 20.0)) * MM),
        prong_x_m=tuple(c * MM for c in centres),
        clearance_m=clearance * MM,
        chamfer_m=chamfer * MM,
        slot_depth_m=draw(st.floats(5.0, 18.0)) * MM,
        grip_m=(0.02, 0.01, 0.03),
        grip_end_m=draw(st.floats(10.0, 20.0)) * MM,
        housing_m=(2 * reach * MM, (thickness + 2 * clearance + 2 * chamfer + 4.0) * MM),
        object_mass_kg=0.02,
    )


@st.composite
def readers(draw):
    """Any reader whose slot is wider than the card."""
    gap_mm, flare_mm = draw(st.floats(0.2, 1.0)), draw(st.floats(0.2, 1.5))
    slot = (draw(st.floats(30.0, 80.0)) * MM, CARD_READER.card_m[1] + 2 * gap_mm * MM, draw(st.floats(6.0, 20.0)) * MM)
    return replace(CARD_READER, slot_m=slot, flare_m=flare_mm * MM)


def is_solid(boxes, points):
    """(n,) whether each point (n, 3) is within one of the boxes."""
    points = np.atleast_2d(points)
    inside = np.zeros(len(points), bool)
    for box in boxes:
        local = Rotation.from_rotvec(box.rotation_rad).inv().apply(points - np.array(box.centre_m))
        inside |= (np.abs(local) <= np.array(box.half_m) - 1e-9).all(axis=1)
    return inside


def prong_corners(connector, shift_m, below_m):
    """Corners of every prong, moved by ``shift_m`` (2,), at a depth."""
    half = np.array(connector.prong_m[:2]) / 2
    signs = np.array([(x, y) for x in (-1, 1) for y in (-1, 1)])
    corners = [[*(np.array([c, 0.0]) + half * s + shift_m), -below_m] for c in connector.prong_x_m for s in signs]
    return np.array(corners)


@given(connectors(), st.floats(0, 2 * np.pi))
@settings(max_examples=60, deadline=None)
def test_plug_within_its_clearance_meets_nothing_down_to_the_floor(connector, angle):
    shift = 0.98 * connector.clearance_m * np.array([np.cos(angle), np.sin(angle)])
    for share in (0.02, 0.5, 0.98):
        corners = prong_corners(connector, shift, share * connector.slot_depth_m)
        assert not is_solid(connector.target_boxes(), corners).any()
    assert is_solid(connector.target_boxes(), prong_corners(connector, shift, connector.slot_depth_m + 0.1 * MM)).all()


@given(connectors(), st.sampled_from([(1, 0), (-1, 0), (0, 1), (0, -1)]))
@settings(max_examples=60, deadline=None)
def test_plug_beyond_its_clearance_meets_the_wall_below_the_lead_in(connector, along):
    shift = 1.02 * connector.clearance_m * np.array(along)
    below_m = connector.chamfer_m + 0.1 * MM
    assert is_solid(connector.target_boxes(), prong_corners(connector, shift, below_m)).any()


@given(connectors(), st.floats(0.05, 0.95))
@settings(max_examples=60, deadline=None)
def test_lead_in_narrows_at_45_degrees(connector, share):
    """At the height h above the straight walls the opening is wider by h on each side."""
    height = share * connector.chamfer_m
    for shift, expected in ((0.97, False), (1.03, True)):
        aside = np.array([0.0, connector.clearance_m + shift * height])
        corners = prong_corners(connector, aside, connector.chamfer_m - height)
        assert is_solid(connector.target_boxes(), corners).any() == expected


@given(connectors())
@settings(max_examples=40, deadline=None)
def test_tip_is_the_lowest_point_of_what_is_held(connector):
    lowest = max(box.centre_m[2] + box.half_m[2] for box in connector.object_boxes())
    assert lowest == pytest.approx(connector.tip_m)
    grip = next(box for box in connector.object_boxes() if box.name == "grip")
    assert grip.centre_m[2] + grip.half_m[2] == pytest.approx(connector.grip_end_m)


@given(connectors())
@settings(max_examples=40, deadline=None)
def test_boxes_of_a_housing_stay_within_it_and_have_names_of_their_own(connector):
    boxes = connector.target_boxes()
    assert len({box.name for box in boxes}) == len(boxes)
    for box in (b for b in boxes if not b.name.startswith("chamfer")):
        lower, upper = np.subtract(box.centre_m, box.half_m), np.add(box.centre_m, box.half_m)
        assert (np.abs([lower[:2], upper[:2]]) <= np.array(connector.housing_m) / 2 + 1e-12).all()
        assert lower[2] >= -HOUSING_HEIGHT_M - 1e-12 and upper[2] <= 1e-12


@given(readers(), st.floats(-0.98, 0.98), st.floats(0.05, 0.95))
@settings(max_examples=60, deadline=None)
def test_card_within_its_clearance_runs_through_the_slot(reader, share, along):
    aside = share * reader.clearance_m
    x = reader.entry_m + along * reader.slot_m[0]
    faces = [[x, aside + sign * reader.card_m[1] / 2, -0.5 * reader.slot_m[2]] for sign in (-1, 1)]
    assert not is_solid(reader.target_boxes(), faces).any()


@given(readers(), st.sampled_from([-1.0, 1.0]), st.floats(0.05, 0.95))
@settings(max_examples=60, deadline=None)
def test_flare_leads_in_a_card_that_is_off_by_no_more_than_it_is_wide(reader, sign, share):
    """At the share s of the flare's length the opening is wider by (1 - s) of the flare on each side."""
    depth = -0.5 * reader.slot_m[2]
    x = reader.entry_m + share * reader.flare_m
    wall = reader.slot_m[1] / 2 + (1 - share) * reader.flare_m
    assert not is_solid(reader.target_boxes(), [x, sign * (wall - 0.02 * MM), depth]).any()
    assert is_solid(reader.target_boxes(), [x, sign * (wall + 0.02 * MM), depth]).all()


@given(readers())
@settings(max_examples=30, deadline=None)
def test_cards_tip_is_its_leading_lower_corner(reader):
    (card,) = reader.object_boxes()
    assert card.centre_m[0] + card.half_m[0] == pytest.approx(reader.tip_x_m)
    assert card.centre_m[2] + card.half_m[2] == pytest.approx(reader.tip_m)


@given(readers())
@settings(max_examples=30, deadline=None)
def test_linings_lie_on_the_slots_walls_behind_the_flare(reader):
    for lining in reader.lining_boxes():
        assert abs(lining.centre_m[1]) == pytest.approx(reader.slot_m[1] / 2)
        assert lining.centre_m[0] - lining.half_m[0] == pytest.approx(reader.entry_m + reader.flare_m)
        assert lining.centre_m[0] + lining.half_m[0] == pytest.approx(-reader.entry_m)


def test_reader_without_a_flare_has_straight_walls_alone():
    names = [box.name for box in replace(CARD_READER, flare_m=0.0).target_boxes()]
    assert names == ["floor", "wall_front", "wall_back"]


def test_connector_without_a_chamfer_has_straight_walls_alone():
    for fixture in (f for f in HOUSED.values() if isinstance(f, Connector)):
        names = [box.name for box in replace(fixture, chamfer_m=0.0).target_boxes()]
        assert not [n for n in names if n.startswith(("chamfer", "rim"))] and "floor" in names


def test_block_hangs_below_its_upper_face():
    (box,) = Block(size_m=(0.02, 0.03, 0.05)).target_boxes()
    assert box.centre_m == (0.0, 0.0, -0.025) and box.half_m == (0.01, 0.015, 0.025)


def test_every_target_in_a_housing_has_colours_and_every_one_a_name():
    assert set(HOUSED) == set(HOUSING_COLOURS)
    assert set(TARGET_NAMES) == {*HOUSED, "block"} and len(set(TARGET_NAMES.values())) == len(TARGET_NAMES)


def test_masses_are_of_things_that_one_hand_holds():
    for fixture in (*HOUSED.values(), BLOCK):
        assert 0.001 < fixture.object_mass_kg < 0.2


@given(*[st.floats(-1.0, 1.0)] * 3, *[st.floats(0.001, 1.0)] * 3)
def test_box_between_two_corners_reaches_from_one_to_the_other(x, y, z, length, width, height):
    box = box_between("b", (x, y, z), (x + length, y + width, z + height))
    np.testing.assert_allclose(np.subtract(box.centre_m, box.half_m), [x, y, z], atol=1e-12)
    np.testing.assert_allclose(np.add(box.centre_m, box.half_m), [x + length, y + width, z + height], atol=1e-12)


def test_card_fits_the_reader_that_it_is_swiped_through():
    assert isinstance(HOUSED["card"], CardReader)
    assert 0.0002 < CARD_READER.clearance_m < 0.001
    assert CARD_READER.tip_m > CARD_READER.slot_m[2]
