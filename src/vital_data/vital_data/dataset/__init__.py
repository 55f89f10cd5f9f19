"""Episodes as what training reads: aligned streams, labels, normalisation."""
