"""Teleoperation: a person's hand on a device, a stream of end-effector commands to the gate.

Devices give samples (`device.DeviceSample`); `operation.Operation` turns them into targets and says whether the arm
is wanted; `teleop_node` asks the gate for the arm and sends the commands at 30 Hz.
"""
