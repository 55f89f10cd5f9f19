"""Whether the simulation measures what it says."""
