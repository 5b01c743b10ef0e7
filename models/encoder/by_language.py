"""The second stage of the cascade: text encoders, at most one per language."""

from collections.abc import Sequence

from models.arrays import Floats
from models.encoder.encoder import EncoderStage
from models.text.languages import Language


class Encoders:
    """Combines the student's probabilities with those of the encoder that reads the text. Thread-safe.

    Args:
        stages: One encoder per language.

    Attributes:
        stages: The encoders by language.
        version: The encoders' versions, joined by `+`.
    """

    def __init__(self, stages: Sequence[EncoderStage]) -> None:
        self.stages: dict[Language, EncoderStage] = {stage.language: stage for stage in stages}
        self.version = "+".join(stage.version for stage in stages)

    def encoder_for(self, text: str) -> EncoderStage | None:
        """The encoder that reads a cleaned text; None if there is none."""
        return next((stage for stage in self.stages.values() if stage.reads(text)), None)

    def combine(self, texts: Sequence[str], probabilities: Floats) -> Floats:
        """As `EncoderStage.combine`; a text that no encoder reads keeps the student's probabilities."""
        for stage in self.stages.values():
            probabilities = stage.combine(texts, probabilities)
        return probabilities
