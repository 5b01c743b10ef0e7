"""Loads the settings from defaults, a TOML file, the environment and a command's options."""

import difflib
import math
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from msgspec import ValidationError, convert

from schemas.errors import StopWorker
from streams.privacy_settings import privacy_contradictions
from streams.reading_settings import reading_contradictions
from streams.security_settings import security_contradictions
from streams.settings import NAMES, PREFIX, TYPES, Settings, documentation, is_secret, variable
from streams.wrapping_settings import wrapping_contradictions

CONFIG = PREFIX + "CONFIG"
_NOT_SETTINGS = {CONFIG, PREFIX + "REQUIRE_KAFKA"}
# Kubernetes sets these in every container of a namespace that has a service named shelfstream.
_SERVICE_LINKS = re.compile(PREFIX + r"(SERVICE_HOST|SERVICE_PORT\w*|PORT|PORT_\d+_(TCP|UDP)\w*)")


class LoadedSettings(NamedTuple):
    """Settings with their sources.

    Attributes:
        settings: The validated settings.
        sources: Source of each setting by name: "default", the path of a file, the name of an environment
            variable, or "option".
    """

    settings: Settings
    sources: dict[str, str]


def load_settings(
    config: Path | None = None,
    environ: Mapping[str, str] | None = None,
    options: Mapping[str, Any] | None = None,
) -> LoadedSettings:
    """Load and validate the settings. Options override the environment, which overrides the file.

    Args:
        config: TOML file whose keys are setting names. None means the file that SHELFSTREAM_CONFIG names.
        environ: The environment. None means that of this process.
        options: Settings by name from a command's options. None values are ignored.

    Raises:
        StopWorker: Lists all problems at once: unknown names with the nearest known name, invalid values,
            and contradictions.
    """
    environ = os.environ if environ is None else environ
    problems: list[str] = []
    values: dict[str, Any] = {}
    sources = dict.fromkeys(NAMES, "default")
    path = config or (Path(environ[CONFIG]) if environ.get(CONFIG) else None)
    given = [
        (name, value, str(path), f"{name} in {path}")
        for name, value in (_read_file(path, problems) if path else {}).items()
    ]
    given += [
        (name.removeprefix(PREFIX).lower(), value, name, name)
        for name, value in sorted(environ.items())
        if name.startswith(PREFIX) and name not in _NOT_SETTINGS and not _SERVICE_LINKS.fullmatch(name)
    ]
    given += [
        (name, value, "option", f"--{name.replace('_', '-')}")
        for name, value in (options or {}).items()
        if value is not None
    ]
    for name, value, source, label in given:
        if name not in sources:
            problems.append(_unknown(name, label))
        elif (converted := _converted(name, value, label, problems)) is not None:
            values[name], sources[name] = converted, source
    settings = Settings(**values)
    problems += _contradictions(settings)
    if problems:
        count = "a problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise StopWorker(f"The settings have {count}:\n" + "\n".join(f"  - {each}" for each in problems))
    return LoadedSettings(settings, sources)


def _read_file(path: Path, problems: list[str]) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        problems.append(f"{path}: cannot be read ({error.strerror}); name a TOML file, or unset {CONFIG}")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        problems.append(f"{path}: is not TOML: {error}")
    return {}


def _unknown(name: str, label: str) -> str:
    near = difflib.get_close_matches(name, NAMES, n=1, cutoff=0.0)[0]
    suggestion = variable(near) if label.startswith(PREFIX) else near
    return f"{label}: there is no such setting; the nearest is {suggestion}"


def _converted(name: str, value: Any, label: str, problems: list[str]) -> Any:
    """Convert a value to the setting's type. Returns None, and adds a problem, if it is invalid."""
    if name == "agents" and isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()]
    elif isinstance(value, str):
        value = value.strip()
    try:
        converted = convert(value, TYPES[name], strict=False, dec_hook=to_path)
    except ValidationError as error:
        why = str(error).split(" - at `$")[0]
    else:
        if not isinstance(converted, float) or math.isfinite(converted):
            return converted
        why = "Expected a finite number"
    got = "" if is_secret(name) else f", got {value!r}"
    problems.append(f"{label}: {why}{got} ({documentation(name).removesuffix('.')})")
    return None


def to_path(kind: type, value: Any) -> Any:
    """Decode hook for msgspec: converts a non-empty string to a path.

    Raises:
        ValidationError: The type is not a path, or the value is no such string.
    """
    if kind is Path and isinstance(value, str) and value:
        return Path(value)
    raise ValidationError("Expected a path")


def _contradictions(settings: Settings) -> list[str]:
    """Return a message for each rule between settings that is broken."""
    checks = (
        (
            settings.heartbeat_interval_s * 3 <= settings.session_timeout_s,
            "heartbeat_interval_s must be at most a third of session_timeout_s, to tolerate lost ones",
        ),
        (
            settings.revoke_budget_s < settings.rebalance_timeout_s,
            "revoke_budget_s must be less than rebalance_timeout_s, or a rebalance removes the worker",
        ),
        (
            settings.in_flight_max_bytes >= settings.batch_max_bytes,
            "in_flight_max_bytes must be at least batch_max_bytes, or no batch fits",
        ),
        (
            settings.retry_backoff_min_s <= settings.retry_backoff_max_s,
            "retry_backoff_min_s must be at most retry_backoff_max_s",
        ),
        (
            settings.affinity_top_k <= settings.affinity_bound,
            "affinity_top_k must be at most affinity_bound: only kept neighbors can be published",
        ),
        (
            len(set(settings.agents)) == len(settings.agents),
            "agents must name each agent once",
        ),
        (
            not settings.embedded or settings.partitions == 4,
            "partitions must be 4 with the embedded broker, whose topics always have 4",
        ),
    )
    broken = [problem for holds, problem in checks if not holds]
    return [
        *broken,
        *security_contradictions(settings),
        *wrapping_contradictions(settings),
        *privacy_contradictions(settings),
        *reading_contradictions(settings, settings.http_port),
    ]
