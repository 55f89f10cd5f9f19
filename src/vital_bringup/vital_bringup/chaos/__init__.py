"""A seeded campaign of faults against the running stack in simulation, and what must hold after each of them.

`faults` injects, `observer` (a process of its own) records what the arm was told and where it was, `motion` judges
that by its own kinematics, `stack` starts and ends the launch and finds what it left, `campaign` draws the faults and
keeps the ledger, `endurance` runs for long and in loops, `report` writes docs/reliability.md from ledgers.
"""
