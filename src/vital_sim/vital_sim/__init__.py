"""The simulated robot, sensors and tasks of ViTaL."""
