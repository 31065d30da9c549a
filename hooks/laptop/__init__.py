"""`hooks dev`, `demo`, `deploy`, `env`, `send`, `subscribe`, `tail`: the stack on this machine.

Imports the shared modules of `hooks`, `hooks.webhook.states`, and `localcloud`.
"""
