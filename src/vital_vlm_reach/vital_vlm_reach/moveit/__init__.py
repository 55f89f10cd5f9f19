"""MoveIt 2 as the planner, in a process of its own."""
