"""The simulation: contact world, cameras, scripted demonstrator, Gymnasium environment, ROS node."""

import gymnasium

# In the order of the paper's tables.
TASKS = ("usb_insertion", "plug_in_socket", "card_swipe", "key_in_lock", "pick_block")


def environment_id(task: str) -> str:
    """What Gymnasium calls the environment of a task."""
    return f"Vital/{task.title().replace('_', '')}-v0"


for _task in TASKS:
    if (_id := environment_id(_task)) not in gymnasium.registry:
        gymnasium.register(id=_id, entry_point="vital_sim.gym.env:VitalEnv", kwargs={"task": _task})
