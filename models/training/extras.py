"""Optional dependencies: a missing one is reported with the extra that installs it."""

from collections.abc import Iterator
from contextlib import contextmanager

from schemas.errors import StopWorker


@contextmanager
def required_extra(activity: str, extra: str = "train") -> Iterator[None]:
    """Turn a failed import inside the block into an error that names the extra to install.

    Args:
        activity: Subject of the error message, such as `Training needs`.
        extra: Name of the extra; several are separated by commas.

    Raises:
        StopWorker: A module that the block imports is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise StopWorker(
            f"{activity} {error.name}: pip install 'shelfstream[{extra}]', then again."
        ) from error
