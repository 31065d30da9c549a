"""The control planes, one module for each of Google's APIs.

They may import `controlplane`, except for its `cloud` module, which puts them together.
"""
