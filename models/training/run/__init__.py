"""A whole training run: read the data, train, calibrate, evaluate, export and describe a student."""
