"""Benchmarks: the functions beside peers that do the same work, each on a core of its own."""
