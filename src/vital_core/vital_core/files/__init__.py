"""Files that are read as if a stranger had written them, and written so that a crash loses nothing."""
