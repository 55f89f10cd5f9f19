"""The vocabulary of ViTaL: poses, the xArm 7, tasks, observations, actions, clocks, error codes and safe files."""
