"""The second stage of the cascade: text encoders, one for each language that has one."""

from collections.abc import Sequence

from models.arrays import Floats
from models.encoder.encoder import EncoderStage
from models.text.languages import Language


class Encoders:
    """Joins to the student's opinion that of whichever encoder reads a text. Thread-safe.

    Args:
        stages: One for each language.

    Attributes:
        stages: By language.
        version: Names them all.
    """

    def __init__(self, stages: Sequence[EncoderStage]) -> None:
        self.stages: dict[Language, EncoderStage] = {stage.language: stage for stage in stages}
        self.version = "+".join(stage.version for stage in stages)

    def reader(self, text: str) -> EncoderStage | None:
        """The encoder that reads a cleaned text; None where there is none."""
        return next((stage for stage in self.stages.values() if stage.reads(text)), None)

    def join(self, texts: Sequence[str], share: Floats) -> Floats:
        """As `EncoderStage.join`; a text that no encoder reads keeps the student's opinion."""
        for stage in self.stages.values():
            share = stage.join(texts, share)
        return share
