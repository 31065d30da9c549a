"""The soak: a long run under load, faults and hostile traffic, with an account at the end.

`python -m tests.soak` runs the real functions, several of each, on the embedded emulators. A
process of its own stands for Gemini: it signs, repeats, forges and rotates. Meanwhile functions
are killed and stopped, and Pub/Sub, Firestore, Secret Manager and the JWKS fail and hang.
"""
