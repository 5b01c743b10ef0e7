"""The model registry: versions of models, and which of them are deployed."""
