"""Whole stacks: the emulators with the functions, and a local cloud that Terraform applies to.

May import every other folder of `localcloud`, and of `relay` what reads its routes.
"""
