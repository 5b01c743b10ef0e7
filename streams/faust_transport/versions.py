"""The versions that the lane was tested with. It overrides internals of both, so others are refused."""

from importlib.metadata import version

from schemas.errors import StopWorker

TESTED: dict[str, str] = {"faust-streaming": "0.15.3", "aiokafka": "0.14.0"}


def check_versions(installed: dict[str, str] | None = None) -> None:
    """Refuse a Faust or aiokafka that the lane was not tested with.

    Args:
        installed: versions by distribution; those of this environment when None.

    Raises:
        StopWorker: names what is installed and what to install.
    """
    found = installed if installed is not None else {name: version(name) for name in TESTED}
    wrong = [f"{name} {found.get(name)}" for name, tested in TESTED.items() if found.get(name) != tested]
    if wrong:
        wanted = " ".join(f"{name}=={tested}" for name, tested in TESTED.items())
        raise StopWorker(
            f"exactly-once was not tested with {' and '.join(wrong)};"
            f" install the tested ones: pip install {wanted}"
        )
