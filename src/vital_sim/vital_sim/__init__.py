"""The simulation: contact world, cameras, scripted demonstrator, Gymnasium environment, ROS node."""

import gymnasium

for _id, _task in (("Vital/UsbInsertion-v0", "usb_insertion"), ("Vital/PlugInSocket-v0", "plug_in_socket")):
    if _id not in gymnasium.registry:
        gymnasium.register(id=_id, entry_point="vital_sim.env:VitalEnv", kwargs={"task": _task})
