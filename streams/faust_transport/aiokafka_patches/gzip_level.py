"""Patch: gzip compresses at its fastest level. The package's docstring says why."""

import sys
from functools import partial

from aiokafka.codec import gzip_encode
from aiokafka.record import default_records

FASTEST = 1
"""The level of zlib that takes the least time."""


def patch_gzip_level() -> None:
    """Let all producers of the process compress by gzip at the level `FASTEST`."""
    encode = partial(gzip_encode, compresslevel=FASTEST)
    # The compiled builder if there is one, and the one in Python beside it.
    for name in {default_records.DefaultRecordBatchBuilder.__module__, default_records.__name__}:
        vars(sys.modules[name])["gzip_encode"] = encode
