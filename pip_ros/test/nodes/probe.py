"""Says what it was started with: arguments, parameter files, terminals, environment; stays if told to."""

import itertools
import os
import signal
import sys
import time
from pathlib import Path

arguments = sys.argv[1:]
print("arguments:", " ".join(arguments), flush=True)
for flag, value in itertools.pairwise(arguments):
    if flag == "--params-file" and os.path.isfile(value):
        print("parameters:", Path(value).read_text().replace("\n", "|"), flush=True)
print("tty:", sys.stdout.isatty(), "stdin tty:", sys.stdin.isatty(), flush=True)
print("colour:", os.environ.get("COLOUR"), flush=True)
if "stubborn" in arguments:
    signal.signal(signal.SIGINT, lambda *_: print("SIGINT shrugged off", flush=True))
if "immortal" in arguments:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if {"stay", "stubborn", "immortal"} & set(arguments):
    try:
        print("staying", flush=True)
        while True:
            time.sleep(10)
    except KeyboardInterrupt:
        print("got SIGINT", flush=True)
