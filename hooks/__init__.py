"""The operator's command `hooks`, and the laptop stack under `hooks.local`."""
