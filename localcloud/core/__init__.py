"""What every imitation needs: clocks, gRPC and HTTP servers, raw messages, errors, clients.

Imports no other folder of the project.
"""
