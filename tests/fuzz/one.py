"""Fuzzes one target in this process: `python -m tests.fuzz.one NAME CORPUS [-libfuzzer=option]…`.

Apart from the rest, since what counts is instrumented as it is imported.
"""

import sys

import atheris

with atheris.instrument_imports(include=["relay", "jwt", "json", "base64", "fnmatch"]):
    from tests.fuzz.targets import TARGETS

if __name__ == "__main__":
    atheris.Setup([sys.argv[0], *sys.argv[2:]], TARGETS[sys.argv[1]].check)
    atheris.Fuzz()
