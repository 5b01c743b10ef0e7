"""The tested versions of Faust and aiokafka. The transport overrides internals of both."""

from importlib.metadata import version

from schemas.errors import StopWorker

TESTED: dict[str, str] = {"faust-streaming": "0.15.3", "aiokafka": "0.14.0"}


def check_versions(installed: dict[str, str] | None = None) -> None:
    """Check the installed versions of Faust and aiokafka.

    Args:
        installed: Versions by distribution; None takes those of this environment.

    Raises:
        StopWorker: A version was not tested. The message says what to install.
    """
    found = installed if installed is not None else {name: version(name) for name in TESTED}
    wrong = [f"{name} {found.get(name)}" for name, tested in TESTED.items() if found.get(name) != tested]
    if wrong:
        wanted = " ".join(f"{name}=={tested}" for name, tested in TESTED.items())
        raise StopWorker(
            f"exactly-once was not tested with {' and '.join(wrong)};"
            f" install the tested ones: pip install {wanted}"
        )
