"""What every imitation needs: clock, gRPC and HTTP servers, raw messages, errors.

Imports nothing else of the project.
"""
