"""Loads the keys of pseudonyms that the settings name."""

from schemas.errors import StopWorker
from schemas.pseudonyms import Pseudonyms
from streams.credentials import secret_file
from streams.settings import Settings, variable


def load_pseudonyms(settings: Settings) -> Pseudonyms | None:
    """Return the pseudonyms of the settings; None if ids stay as they are.

    Raises:
        StopWorker: The file of keys cannot be read, or does not say keys. The message holds no secret.
    """
    name, text = "pseudonym_keys", settings.pseudonym_keys
    if text is None:
        name, text = "pseudonym_keys_file", secret_file("pseudonym_keys_file", settings.pseudonym_keys_file)
    if text is None:
        return None
    try:
        return Pseudonyms.parse(text)
    except ValueError as error:
        raise StopWorker(f"{variable(name)}: {error}") from error
