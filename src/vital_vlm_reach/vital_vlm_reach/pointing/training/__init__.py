"""Training and examining the embedded pointing network; renders with the simulation."""
