"""Recording episodes, judging and repairing them."""
