"""The policy on the robot: ticks, episodes, weights that change under way, the policy node."""
