"""The settings of the read API."""

from pathlib import Path
from typing import Annotated

from msgspec import Meta

from streams.behavior_settings import BehaviorSettings
from streams.setting_descriptions import doc

TOKEN_CHARACTERS = 16
"""The least length of a token."""


class ReadingSettings(BehaviorSettings, frozen=True, kw_only=True):
    """How one product or shopper is read over HTTP. `Settings` extends it."""

    read_api_token: Annotated[
        Annotated[str, Meta(min_length=TOKEN_CHARACTERS)] | None,
        Meta(
            description="Token of the read API on http_port, at least 16 characters. Without a token there is"
            " no read API. Never shown.",
            extra={"secret": True},
        ),
    ] = None
    read_api_token_file: Annotated[
        Path | None,
        doc("File with the token, instead of read_api_token. Read again at each request."),
    ] = None
    advertised_url: Annotated[
        Annotated[str, Meta(pattern=r"^https?://[^\s/]+(/\S*)?$")] | None,
        doc(
            "Address at which other workers reach this one's http_port, such as http://10.0.0.7:9464. Without"
            " it they cannot pass requests of the read API on to this worker."
        ),
    ] = None

    @property
    def has_read_api(self) -> bool:
        """Whether workers serve the read API."""
        return self.read_api_token is not None or self.read_api_token_file is not None


def reading_contradictions(settings: ReadingSettings, http_port: int) -> list[str]:
    """Return a message for each rule between settings of the read API that is broken."""
    checks = (
        (
            settings.read_api_token is None or settings.read_api_token_file is None,
            "set read_api_token or read_api_token_file, not both",
        ),
        (
            not settings.has_read_api or http_port >= 0,
            "the read API needs http_port: -1 serves nothing",
        ),
    )
    return [problem for holds, problem in checks if not holds]
