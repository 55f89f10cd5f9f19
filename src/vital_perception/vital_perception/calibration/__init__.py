"""The scene camera's pose by a board in the hand."""
