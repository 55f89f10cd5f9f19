"""The robot's sensors: tactile pad, wrist camera, and where the cameras are."""
