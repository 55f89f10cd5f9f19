"""An examination of pointing with sentences written by hand and scenes of a generator of its own.

Kept apart from `pointing.training`: neither imports the other, and nothing is tuned on what this one says.
"""
