"""Open files: a worker raises its limit, and says at its start if all lanes together may need more.

Measured on Linux with a broker of one node: 49 files without lanes. A lane opens two connections of its
producer, six files of its table, and some files of rows: four with 60 MB, 16 at most. A further broker adds
a connection to each lane.
"""

import resource

import structlog

from streams.settings import Settings

log = structlog.get_logger()

BASE = 60
PER_LANE = 12
# Some container engines set a billion, and programs that close all possible files then take minutes.
_ENOUGH = 1 << 20


def files_needed(settings: Settings) -> int:
    """Return about how many files a worker opens that has all lanes of its agents."""
    return BASE + PER_LANE * settings.partitions * len(settings.agents)


def raise_limit() -> int:
    """Raise the soft limit of open files to the hard one, and return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _ENOUGH if hard == resource.RLIM_INFINITY else min(hard, _ENOUGH)
    if soft == resource.RLIM_INFINITY or soft >= most:
        return _ENOUGH if soft == resource.RLIM_INFINITY else soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    except (OSError, ValueError):
        # macOS refuses its own hard limit.
        return soft
    return most


def shortage(limit: int, needed: int) -> str | None:
    """Return a sentence if a limit of open files is too low, else None."""
    if limit >= needed:
        return None
    return (
        f"the limit of open files is {limit:,}, and a worker that has all lanes opens about {needed:,}: raise"
        f" it (`ulimit -n {needed}`, `LimitNOFILE={needed}` in systemd, `--ulimit nofile={needed}` in Docker)"
        ", or run more workers, or fewer agents in each"
    )


def prepare(settings: Settings) -> None:
    """Raise the limit, and log a warning if it is still too low."""
    warning = shortage(raise_limit(), files_needed(settings))
    if warning is not None:
        log.warning(warning)
