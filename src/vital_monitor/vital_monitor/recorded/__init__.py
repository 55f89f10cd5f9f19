"""A recorded session or bag in the place of what runs: its messages come as if they were said now."""
