"""What each task's world is built of: the thing in the hand and the thing on the table, all of boxes.

Frames: an opening's origin is the centre of its mouth, z out of it. A held object's origin is the point of it
that lies between the fingers (nominally the TCP), z towards its tip.
"""

from dataclasses import dataclass

import numpy as np

from vital_core.errors import ErrorCode, VitalError
from vital_sim.world.boxes import HOUSING_HEIGHT_M, Box, Vector, box_between


@dataclass(frozen=True)
class Connector:
    """One plug and the opening that it fits."""

    prong_m: Vector
    """Full width (x), thickness (y) and length (z) of each prong."""
    prong_x_m: tuple[float, ...]
    """Centres of the prongs along x."""
    clearance_m: float
    """Gap per side between prong and slot."""
    chamfer_m: float
    """Width and depth of the 45 degree lead-in."""
    slot_depth_m: float
    """How deep the slots are."""
    grip_m: Vector
    """Full size (x, y, z) of the part between the fingers."""
    grip_end_m: float
    """Lower end along z of the part between the fingers."""
    housing_m: tuple[float, float]
    """Full size (x, y) of the housing around the opening."""
    object_mass_kg: float
    """Of what is held."""

    @property
    def tip_m(self) -> float:
        """Distance of the tip from the object's origin along z."""
        return self.grip_end_m + self.prong_m[2]

    @property
    def tip_x_m(self) -> float:
        """Distance of the tip from the object's origin along x."""
        return 0.0

    @property
    def skirt_top_m(self) -> float:
        """Where the outer faces below the rim begin, along z."""
        return -self.chamfer_m

    @property
    def engaged_m(self) -> float:
        """Depth from which on the tip is in the slot and no more on the lead-in."""
        return self.chamfer_m + 0.0005

    def object_boxes(self) -> list[Box]:
        """Grip body and prongs of the held object, in the object's frame."""
        width, thickness, length = self.prong_m
        grip_x, grip_y, grip_z = self.grip_m
        boxes = [Box("grip", (0.0, 0.0, self.grip_end_m - grip_z / 2), (grip_x / 2, grip_y / 2, grip_z / 2))]
        for i, x in enumerate(self.prong_x_m):
            centre = (x, 0.0, self.grip_end_m + length / 2)
            boxes.append(Box(f"prong{i}", centre, (width / 2, thickness / 2, length / 2)))
        return boxes

    def target_boxes(self) -> list[Box]:
        """The housing with its slots: walls all around, lead-in chamfers, and a floor; in the opening's frame."""
        boxes = _layer("wall", self, 0.0, -self.slot_depth_m, -self.chamfer_m)
        if self.chamfer_m > 0.0:
            boxes += _layer("rim", self, self.chamfer_m, -self.chamfer_m, 0.0)
            for i, x in enumerate(self.prong_x_m):
                boxes += _chamfers(i, x, self)
        x, y = self.housing_m[0] / 2, self.housing_m[1] / 2
        boxes.append(box_between("floor", (-x, -y, -HOUSING_HEIGHT_M), (x, y, -self.slot_depth_m)))
        return boxes

    def lining_boxes(self) -> list[Box]:
        """None: its walls are dark themselves."""
        return []


# USB 2.0 connector drawings: series A plug shell 12.0 x 4.5 mm, 11.75 mm into the receptacle.
USB_A = Connector(
    prong_m=(0.0120, 0.0045, 0.0180),
    prong_x_m=(0.0,),
    clearance_m=0.00025,
    chamfer_m=0.0005,
    slot_depth_m=0.0118,
    grip_m=(0.017, 0.008, 0.034),
    grip_end_m=0.017,
    housing_m=(0.030, 0.022),
    object_mass_kg=0.020,
)
# NEMA 1-15: two blades 6.35 x 1.5 mm, 12.7 mm apart, 15.9 to 18.3 mm long.
TWO_PRONG = Connector(
    prong_m=(0.0015, 0.00635, 0.0175),
    prong_x_m=(-0.00635, 0.00635),
    clearance_m=0.0005,
    chamfer_m=0.0007,
    slot_depth_m=0.0165,
    grip_m=(0.024, 0.014, 0.034),
    grip_end_m=0.0175,
    housing_m=(0.060, 0.050),
    object_mass_kg=0.030,
)
# A blade of 2 x 8 mm as of flat cylinder-lock keys, 0.3 mm of air on each side.
KEY = Connector(
    prong_m=(0.0080, 0.0020, 0.0200),
    prong_x_m=(0.0,),
    clearance_m=0.0003,
    chamfer_m=0.0005,
    slot_depth_m=0.0165,
    grip_m=(0.024, 0.003, 0.030),
    grip_end_m=0.015,
    housing_m=(0.026, 0.026),
    object_mass_kg=0.012,
)


def _layer(name: str, connector: Connector, widen: float, bottom: float, top: float) -> list[Box]:
    """A horizontal layer of the housing with one hole per prong, each wider by ``widen`` per side."""
    x_out, y_out = connector.housing_m[0] / 2, connector.housing_m[1] / 2
    half_x = connector.prong_m[0] / 2 + connector.clearance_m + widen
    half_y = connector.prong_m[1] / 2 + connector.clearance_m + widen
    boxes = [
        box_between(f"{name}_front", (-x_out, half_y, bottom), (x_out, y_out, top)),
        box_between(f"{name}_back", (-x_out, -y_out, bottom), (x_out, -half_y, top)),
    ]
    edges = [-x_out]
    for x in connector.prong_x_m:
        edges += [x - half_x, x + half_x]
    edges.append(x_out)
    for i, (left, right) in enumerate(zip(edges[::2], edges[1::2], strict=True)):
        boxes.append(box_between(f"{name}_side{i}", (left, -half_y, bottom), (right, half_y, top)))
    return boxes


def _chamfers(slot: int, slot_x: float, connector: Connector) -> list[Box]:
    """Four slanted plates around a slot; each plate's upper face is the 45 degree lead-in."""
    chamfer, depth = connector.chamfer_m, 0.001
    half_x = connector.prong_m[0] / 2 + connector.clearance_m
    half_y = connector.prong_m[1] / 2 + connector.clearance_m
    # From the middle of the slanted face half the plate's thickness into the material, 45 degrees down.
    inset = chamfer / 2 + depth / 2 / np.sqrt(2.0)
    z = -chamfer / 2 - depth / 2 / np.sqrt(2.0)
    run = chamfer / np.sqrt(2.0)
    plates = []
    for name, sign in (("front", 1.0), ("back", -1.0)):
        half = (half_x + chamfer, run, depth / 2)
        centre = (slot_x, sign * (half_y + inset), z)
        plates.append(Box(f"chamfer{slot}_{name}", centre, half, (sign * np.pi / 4, 0.0, 0.0)))
    for name, sign in (("right", 1.0), ("left", -1.0)):
        half = (run, half_y + chamfer, depth / 2)
        centre = (slot_x + sign * (half_x + inset), 0.0, z)
        plates.append(Box(f"chamfer{slot}_{name}", centre, half, (0.0, -sign * np.pi / 4, 0.0)))
    return plates


@dataclass(frozen=True)
class CardReader:
    """A card and the reader that it is swiped through.

    The reader's origin is the middle of its slot at the upper edge, z up; the card is drawn along x. It is held near
    its trailing edge and reaches out under the wrist camera, so that it hides the slot that it is about to enter.
    The card's tip is the leading lower corner.
    """

    card_m: Vector = (0.0856, 0.00076, 0.054)
    """Length (x), thickness (y) and height (z), ISO/IEC 7810 ID-1."""
    edge_m: float = 0.035
    """The card's lower edge below the grip."""
    trailing_m: float = 0.010
    """The card's trailing edge behind the grip."""
    slot_m: Vector = (0.060, 0.0020, 0.0120)
    """Length, width and depth of the slot."""
    flare_m: float = 0.0007
    """Width and length of the 45 degree lead-in at the slot's entry."""
    grip_m: Vector = (0.0856, 0.00076, 0.054)
    """Size of what the fingers close on."""
    housing_m: tuple[float, float] = (0.060, 0.034)
    """Full size (x, y) of the reader."""
    object_mass_kg: float = 0.006
    """Of the card."""

    @property
    def tip_m(self) -> float:
        """Distance of the lower edge from the card's origin along z."""
        return self.edge_m

    @property
    def clearance_m(self) -> float:
        """Gap on each side between card and slot."""
        return (self.slot_m[1] - self.card_m[1]) / 2

    @property
    def entry_m(self) -> float:
        """Where the slot begins along x."""
        return -self.slot_m[0] / 2

    @property
    def skirt_top_m(self) -> float:
        """Where the outer faces below the walls begin, along z."""
        return -self.slot_m[2]

    @property
    def tip_x_m(self) -> float:
        """Distance of the leading edge from the card's origin along x."""
        return self.card_m[0] - self.trailing_m

    def object_boxes(self) -> list[Box]:
        """The card, in its own frame."""
        length, thickness, height = self.card_m
        centre = (length / 2 - self.trailing_m, 0.0, self.edge_m - height / 2)
        return [Box("grip", centre, (length / 2, thickness / 2, height / 2))]

    def target_boxes(self) -> list[Box]:
        """Two walls with a lead-in at the entry, and a floor; in the reader's frame."""
        (length, width, depth), entry = self.slot_m, self.entry_m
        outside = self.housing_m[1] / 2
        boxes = [box_between("floor", (entry, -outside, -HOUSING_HEIGHT_M), (entry + length, outside, -depth))]
        for name, sign in (("front", 1.0), ("back", -1.0)):
            boxes.append(_wall(f"wall_{name}", sign, (entry + self.flare_m, -entry), (width / 2, outside), depth))
            if self.flare_m > 0.0:
                inner = width / 2 + self.flare_m
                boxes.append(_wall(f"rim_{name}", sign, (entry, entry + self.flare_m), (inner, outside), depth))
                boxes.append(self._flare(f"chamfer_{name}", sign))
        return boxes

    def lining_boxes(self) -> list[Box]:
        """The slot's inner faces; the walls that they lie on are the housing's faces."""
        (length, width, depth), flare = self.slot_m, self.flare_m
        half = (length / 2 - flare / 2, 0.00002, depth / 2)
        sides = (("lining_a", 1.0), ("lining_b", -1.0))
        return [Box(name, (flare / 2, sign * (width / 2), -depth / 2 - 0.0002), half) for name, sign in sides]

    def _flare(self, name: str, sign: float) -> Box:
        """A slanted plate whose inner face leads from the rim into the slot."""
        thickness, depth = 0.002, self.slot_m[2]
        inset = thickness / 2 / np.sqrt(2.0)
        x = self.entry_m + self.flare_m / 2 + inset
        y = self.slot_m[1] / 2 + self.flare_m / 2 + inset
        half = (self.flare_m / np.sqrt(2.0), thickness / 2, depth / 2)
        return Box(name, (x, sign * y, -depth / 2), half, (0.0, 0.0, -sign * np.pi / 4))


def _wall(name: str, sign: float, x: tuple[float, float], y: tuple[float, float], depth_m: float) -> Box:
    low, high = sorted((sign * y[0], sign * y[1]))
    return box_between(name, (x[0], low, -depth_m), (x[1], high, 0.0))


@dataclass(frozen=True)
class Block:
    """A block that lies on the table and is to be picked up; its origin is the middle of the upper face, z up."""

    size_m: Vector = (0.030, 0.025, 0.040)
    """Full size; the fingers close along y."""
    object_mass_kg: float = 0.050
    """Of the block."""

    def target_boxes(self) -> list[Box]:
        """The block, in its own frame."""
        x, y, z = self.size_m
        return [Box("block", (0.0, 0.0, -z / 2), (x / 2, y / 2, z / 2))]


CARD_READER = CardReader()
BLOCK = Block()

# What a gripper holds from the start, and what it goes into stands in a housing; a block it has yet to grasp.
Held = Connector | CardReader
HOUSED: dict[str, Held] = {"usb_stick": USB_A, "plug": TWO_PRONG, "key": KEY, "card": CARD_READER}
Fixture = Held | Block
FIXTURES: dict[str, Fixture] = {**HOUSED, "block": BLOCK}
# What the pointing model is asked for.
TARGET_NAMES = {
    "usb_stick": "USB port",
    "plug": "socket",
    "key": "lock",
    "card": "card reader",
    "block": "block",
}


def fixture_for(held_object: str) -> Fixture:
    """The fixture of a task's object. Raises VitalError(BAD_PARAMETER) for an unknown one."""
    if held_object not in FIXTURES:
        raise VitalError(
            ErrorCode.BAD_PARAMETER,
            f"the simulation has no '{held_object}', expected one of {', '.join(sorted(FIXTURES))}",
        )
    return FIXTURES[held_object]
