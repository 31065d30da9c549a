"""`hooks verify`: whether a captured delivery verifies, and if not, why.

Imports the shared modules of `hooks`, and of `relay` the receiver with its keys.
"""
