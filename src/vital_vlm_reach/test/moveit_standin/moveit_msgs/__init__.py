"""Stands in for moveit_msgs, which no wheel brings: the messages that are used, with the same fields."""
