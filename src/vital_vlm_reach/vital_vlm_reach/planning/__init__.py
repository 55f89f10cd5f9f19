"""From a place to a path of the joints."""
