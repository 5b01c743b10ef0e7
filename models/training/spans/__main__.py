"""Entry point of `python -m models.training.spans`."""

from models.training.spans.training import main

main()
