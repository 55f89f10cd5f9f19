"""The connectors of the insertion tasks, built of boxes: what is held, and what it goes into.

Frames: an opening's origin is the centre of its mouth, z out of it. A held object's origin is the point of it
that lies between the fingers (nominally the TCP), z towards its tip.
"""

from dataclasses import dataclass

import numpy as np

from vital_sim.world.boxes import Box, Vector, box_between


@dataclass(frozen=True)
class Connector:
    """One plug and the opening that it fits.

    prong_m: full width (x), thickness (y) and length (z) of each prong; prong_x_m: their centres along x.
    clearance_m: gap per side between prong and slot. chamfer_m: width and depth of the 45 degree lead-in.
    slot_depth_m: how deep the slots are. grip_m: full size (x, y, z) of the part between the fingers, and
    grip_end_m: its lower end along z. housing_m: full size (x, y) of the housing around the opening.
    """

    prong_m: Vector
    prong_x_m: tuple[float, ...]
    clearance_m: float
    chamfer_m: float
    slot_depth_m: float
    grip_m: Vector
    grip_end_m: float
    housing_m: tuple[float, float]
    object_mass_kg: float

    @property
    def tip_m(self) -> float:
        """Distance of the tip from the object's origin along z."""
        return self.grip_end_m + self.prong_m[2]

    @property
    def tip_x_m(self) -> float:
        """Distance of the tip from the object's origin along x."""
        return 0.0

    @property
    def housing_centre_x_m(self) -> float:
        """Where the housing's middle is along x."""
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


HOUSING_HEIGHT_M = 0.045

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
