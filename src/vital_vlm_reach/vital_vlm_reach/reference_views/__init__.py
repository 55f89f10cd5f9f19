"""Making a target's reference view: rendered, or taken by the scene's camera."""
