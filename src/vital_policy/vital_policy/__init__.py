"""The local visuo-tactile policy: encoders, transformer, behaviour cloning and the 6 Hz policy node."""
