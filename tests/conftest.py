from hypothesis import settings

# A deadline for each example would fail a test for the machine's load.
settings.register_profile("relay", deadline=None)
settings.load_profile("relay")
