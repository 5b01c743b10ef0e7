"""Checks of the state, the models, the workers and this machine."""

from collections.abc import Iterator

from streams.doctor.facts import Facts, Finding, Severity
from streams.settings import variable
from streams.topics import PRODUCT_ENRICHED, changelog

_FILES_OF_A_PROCESS = 128
_FILES_OF_A_LANE = 24
_SCARCE_DISK = 0.1
_MINUTE_S = 60.0


def check_state(facts: Facts) -> Iterator[Finding]:
    """How large the state is, and how long a worker with an empty disk takes to restore it."""
    settings = facts.settings
    tables = (PRODUCT_ENRICHED, changelog(settings, "shoppers"), changelog(settings, "affinities"))
    offsets = sum(
        each.after.end - each.after.first for at, each in facts.partitions.items() if at.topic in tables
    )
    if facts.restoring is None or not facts.restoring.records:
        if facts.partitions:
            yield Finding(Severity.OK, "state", "changelogs", f"{offsets:,} offsets, nothing to restore")
        return
    rate = facts.restoring.records / max(facts.restoring.seconds, 1e-3)
    size = offsets * facts.restoring.bytes / facts.restoring.records
    seconds = offsets / rate
    slow = seconds > 15 * _MINUTE_S
    yield Finding(
        Severity.WARN if slow else Severity.OK,
        "state",
        "changelogs",
        f"at most {offsets:,} records, about {size / 2**20:,.0f} MiB: one worker with an empty disk reads "
        f"them in about {seconds / _MINUTE_S:,.1f} minutes ({rate:,.0f} records/s from here)",
        f"Keep {variable('data_dir')} on a disk that survives restarts, and run several workers."
        if slow
        else "",
    )


def check_models(facts: Facts) -> Iterator[Finding]:
    """Whether the registry's models in use are sound, and each worker serves the deployed one."""
    models = facts.models
    if models is None:
        return
    where = str(facts.settings.model_registry)
    for version, error in models.errors.items():
        yield Finding(
            Severity.BAD,
            "models",
            f"{where} {version}".strip(),
            error,
            "Add it again with `shelfstream models add`, or go back with `shelfstream models rollback`.",
        )
    if not models.errors:
        candidate = f"; candidate {models.candidate}" if models.candidate else ""
        serving = models.deployed or "none: workers serve model_path or the shipped model"
        yield Finding(Severity.OK, "models", where, f"deployed: {serving}{candidate}; digests verified")
    for worker in facts.workers:
        if models.deployed and worker.model and worker.model != models.deployed:
            yield Finding(
                Severity.WARN,
                "models",
                worker.url,
                f"the worker serves {worker.model}, not the deployed {models.deployed}",
                "Wait a minute: workers look for a new deployment. Then see the worker's warnings.",
            )


def check_workers(facts: Facts) -> Iterator[Finding]:
    """Whether the workers whose addresses were given answer and are ready."""
    for worker in facts.workers:
        if worker.error:
            yield Finding(
                Severity.BAD, "workers", worker.url, worker.error, "Start the worker, or correct --url."
            )
        elif not worker.ready or worker.reasons:
            yield Finding(
                Severity.WARN if worker.ready else Severity.BAD,
                "workers",
                worker.url,
                "; ".join(worker.reasons) or "not ready",
                "See its log; `shelfstream status --url` shows its lanes.",
            )
        else:
            yield Finding(
                Severity.OK,
                "workers",
                worker.url,
                f"ready, version {worker.version}, {worker.model or 'no model'}",
            )
    versions = sorted({worker.version for worker in facts.workers if worker.version})
    if len(versions) > 1:
        yield Finding(
            Severity.WARN,
            "workers",
            f"{len(facts.workers)} workers",
            f"they run different versions: {', '.join(versions)}",
            "Finish the upgrade: docs/operations/upgrades.md.",
        )


def check_machine(facts: Facts) -> Iterator[Finding]:
    """Whether this machine admits a worker: open files, disk, and a writable data_dir."""
    machine, settings = facts.machine, facts.settings
    lanes = settings.partitions * len(settings.agents)
    needed = _FILES_OF_A_PROCESS + _FILES_OF_A_LANE * lanes
    if settings.state_store == "rocksdb" and machine.open_files < needed:
        yield Finding(
            Severity.WARN,
            "machine",
            "open files",
            f"the limit is {machine.open_files:,}; a worker that owns all {lanes} lanes may need {needed:,}",
            f"Raise it (`ulimit -n {needed}`, LimitNOFILE= or ulimits:), or run more workers.",
        )
    else:
        yield Finding(Severity.OK, "machine", "open files", f"the limit is {machine.open_files:,}")
    where = str(settings.data_dir)
    taken = f"local state takes {machine.state_bytes / 2**20:,.0f} MiB"
    free = f"{machine.free_bytes / 2**30:,.1f} GiB free; {taken}"
    if not machine.writable:
        yield Finding(
            Severity.BAD,
            "machine",
            where,
            "cannot be written",
            f"Correct its owner, or {variable('data_dir')}.",
        )
    elif machine.free_bytes < max(_SCARCE_DISK * machine.total_bytes, 2 * machine.state_bytes):
        yield Finding(
            Severity.WARN,
            "machine",
            where,
            free,
            "Make room: a rebuilt table needs as much again while the old one is removed.",
        )
    else:
        yield Finding(Severity.OK, "machine", where, free)
