"""The simulation as the bottom of the ROS graph."""
