"""LeRobotDataset v3 and scripted demonstrations, to and from recorded sessions."""
