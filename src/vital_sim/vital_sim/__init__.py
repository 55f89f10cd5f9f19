"""The simulation: contact world, cameras, scripted demonstrator, Gymnasium environment, ROS node."""

import gymnasium

for _task in ("usb_insertion", "plug_in_socket", "card_swipe", "key_in_lock", "pick_block"):
    _id = f"Vital/{_task.title().replace('_', '')}-v0"
    if _id not in gymnasium.registry:
        gymnasium.register(id=_id, entry_point="vital_sim.gym.env:VitalEnv", kwargs={"task": _task})
