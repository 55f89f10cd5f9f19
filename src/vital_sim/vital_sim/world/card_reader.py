"""A card and the reader that it is swiped through, built of boxes.

Frames: the reader's origin is the middle of its slot at the upper edge, z up; the card is drawn along x. It is
held near its trailing edge and reaches out under the wrist camera, so that it hides the slot that it is about to enter.
The card's origin is the point between the fingers, z towards its lower edge; its tip is the leading lower corner.
"""

from dataclasses import dataclass

import numpy as np

from vital_sim.world.boxes import Box, Vector, box_between
from vital_sim.world.connectors import HOUSING_HEIGHT_M


@dataclass(frozen=True)
class CardReader:
    """card_m: length (x), thickness (y), height (z), ISO/IEC 7810 ID-1. edge_m: its lower edge below the grip;
    trailing_m: its trailing edge behind the grip.

    slot_m: length, width and depth of the slot; flare_m: width and length of the 45 degree lead-in at its entry.
    grip_m: size of what the fingers close on. housing_m: full size (x, y) of the reader.
    """

    card_m: Vector = (0.0856, 0.00076, 0.054)
    edge_m: float = 0.035
    trailing_m: float = 0.010
    slot_m: Vector = (0.060, 0.0020, 0.0120)
    flare_m: float = 0.0007
    grip_m: Vector = (0.0856, 0.00076, 0.054)
    housing_m: tuple[float, float] = (0.060, 0.034)
    object_mass_kg: float = 0.006

    @property
    def tip_m(self) -> float:
        """Distance of the lower edge from the card's origin along z."""
        return self.edge_m

    @property
    def clearance_m(self) -> float:
        """Gap on each side between card and slot."""
        return (self.slot_m[1] - self.card_m[1]) / 2

    @property
    def housing_centre_x_m(self) -> float:
        """Where the housing's middle is along x."""
        return 0.0

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


CARD_READER = CardReader()
