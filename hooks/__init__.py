"""The operator's command `hooks`, and the laptop stack under `localcloud`."""
