"""The command gate, pure: what may move the arm, and what stops it."""
