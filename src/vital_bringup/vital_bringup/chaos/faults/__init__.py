"""Faults by what they touch: processes, messages, the graph, disks and clocks; `kinds` is the table of all."""
