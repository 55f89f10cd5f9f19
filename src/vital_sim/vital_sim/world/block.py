"""A block that lies on the table and is to be picked up.

Its frame has its origin at the middle of the upper face, z up.
"""

from dataclasses import dataclass

from vital_sim.world.boxes import Box, Vector


@dataclass(frozen=True)
class Block:
    """size_m: full size, the fingers close along y. friction: of the silicone pads on it."""

    size_m: Vector = (0.030, 0.025, 0.040)
    object_mass_kg: float = 0.050
    friction: float = 1.0

    def target_boxes(self) -> list[Box]:
        """The block, in its own frame."""
        x, y, z = self.size_m
        return [Box("block", (0.0, 0.0, -z / 2), (x / 2, y / 2, z / 2))]


BLOCK = Block()
