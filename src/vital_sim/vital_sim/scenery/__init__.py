"""Looks that are drawn from a seed: surfaces, lamps, colours."""
