"""Benchmarks: the functions beside their peers and their limits, in one run on the same cores."""
