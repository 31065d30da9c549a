"""Whole stacks: the emulators with the functions, and a local cloud that Terraform applies to.

Imports every other folder of `localcloud`, and the routes' form of `relay`.
"""
