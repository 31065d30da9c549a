"""A function as a process of its own, under the real functions-framework.

Imports `localcloud.core` alone.
"""
