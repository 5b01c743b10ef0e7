"""Libraries of the extra `import`, which serving does without."""

from collections.abc import Iterator
from contextlib import contextmanager

from schemas.errors import InvalidFile


@contextmanager
def required_extra(what: str) -> Iterator[None]:
    """Turn a missing library into a sentence that names the extra.

    Args:
        what: What needs it, as the start of a sentence: `Reading XML`.

    Raises:
        InvalidFile: The block raised ImportError.
    """
    try:
        yield
    except ImportError as error:
        raise InvalidFile(
            f"{what} needs the extra `import` ({error.name} is missing): pip install 'shelfstream[import]'"
        ) from error
