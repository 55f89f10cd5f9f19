"""The world as a Gymnasium environment."""
