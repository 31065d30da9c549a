"""The operator's command `hooks`: a folder per command group, and the modules that groups share.

Imports `relay` and `localcloud`. The modules of this folder import no group, `cli` excepted.
"""
