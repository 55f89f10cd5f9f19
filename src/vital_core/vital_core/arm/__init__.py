"""The xArm 7: geometry, kinematics, description, and what a Cartesian step means for its joints."""
