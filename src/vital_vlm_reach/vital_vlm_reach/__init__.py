"""From a sentence and an RGB-D view to a hover pose above the target."""
