"""The fisheye wrist camera: reading, watching, cutting the window."""
