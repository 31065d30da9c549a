"""Fuzzing of the pure parsers, guided by coverage: `make fuzz`.

The same targets run as property tests in `make test`, so that they cannot rot.
"""
