"""A film of a run: what the cameras show, with sentence, phase, touch and result in readable type."""
