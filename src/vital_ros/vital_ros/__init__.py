"""ROS glue, once: what every node and client of the project shares."""
