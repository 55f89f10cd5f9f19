"""One node, one process: its start, its end, its place on the network and among the others on the cores."""
