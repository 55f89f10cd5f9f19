"""Demonstrations without ROS, one file an episode: from a start, or from where a policy has come."""
