"""Episodes as what training reads: aligned streams, actions, normalisation."""
