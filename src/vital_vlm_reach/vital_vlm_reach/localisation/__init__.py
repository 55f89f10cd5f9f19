"""From a pixel to a place."""
