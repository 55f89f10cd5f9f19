"""Joint trajectories: tracking of a TCP motion, splines, pieces that end at rest."""
