"""The MuJoCo world: arm, hand, held object, targets, contact, touch."""
