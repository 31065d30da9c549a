"""The control planes, one module for each of Google's APIs."""
