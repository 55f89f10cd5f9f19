"""The vendor's gripper behind the project's topics."""
