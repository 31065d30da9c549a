"""The operator's command `hooks`: a folder per command group, and the modules that groups share.

Imports `relay`, `localcloud` and `gemini_relay`. The modules of this folder import no group, `cli`
excepted.
"""
