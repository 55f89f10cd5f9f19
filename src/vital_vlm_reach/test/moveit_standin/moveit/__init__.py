"""Stands in for moveit_py, which no wheel brings: same names and signatures; records what it is asked."""
