"""The parts of the `ros2` command that this project uses, for systems without a ROS installation."""
