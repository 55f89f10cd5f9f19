"""The simulated cameras."""
