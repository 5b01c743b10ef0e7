"""The deployment files match the code: the Dockerfile, the compose file, and the wheel of the project."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from click.testing import CliRunner

from streams.cli import main
from streams.settings import PREFIX
from streams.settings_sources import load_settings
from tests.support.broker import VERSION

ROOT = Path(__file__).resolve().parents[1]
DEPLOY = ROOT / "deploy"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
VOLUMES: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["volumes"]
OURS = sorted(name for name, service in SERVICES.items() if service["image"].startswith("shelfstream:"))


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions in order, each with its arguments. Continued lines are joined."""
    lines = [line for line in (DEPLOY / "Dockerfile").read_text().splitlines() if line[:1] not in {"", "#"}]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    split = (line.strip().partition(" ") for line in joined.splitlines())
    return [(name, arguments.strip()) for name, _, arguments in split]


def last_stage() -> list[tuple[str, str]]:
    """The instructions of the final image."""
    found = instructions()
    start = max(number for number, (name, _) in enumerate(found) if name == "FROM")
    return found[start:]


def copied_sources() -> list[str]:
    """The paths that the Dockerfile copies from the project."""
    copies = [rest for name, rest in instructions() if name == "COPY" and "--from" not in rest]
    return [source for rest in copies for source in rest.split()[:-1]]


def image_environment() -> dict[str, str]:
    """The environment variables of the image."""
    pairs = (pair for name, rest in last_stage() if name == "ENV" for pair in shlex.split(rest))
    return dict(pair.split("=", 1) for pair in pairs)


def ours(environment: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(PREFIX)}


# The image


def test_the_image_is_built_on_pinned_bases_that_the_project_supports() -> None:
    bases = [rest.split()[0] for name, rest in instructions() if name == "FROM"]
    assert len(bases) == 2
    for base in bases:
        pinned = re.fullmatch(r"python:(\d+)\.(\d+)\.\d+-slim-\w+", base)
        assert pinned is not None, f"{base} is not pinned to a patch version"
        assert (int(pinned[1]), int(pinned[2])) >= (3, 11)
    assert PROJECT["project"]["requires-python"] == ">=3.11"


def test_the_image_runs_as_an_unprivileged_user_and_can_be_stopped() -> None:
    stage = last_stage()
    names = [name for name, _ in stage]
    user = next(rest for name, rest in stage if name == "USER")
    uid, gid = user.split(":")
    assert int(uid) >= 10_000
    assert int(gid) >= 10_000
    assert names.index("USER") < names.index("ENTRYPOINT")
    assert not any(name in {"RUN", "COPY"} for name in names[names.index("USER") :])
    assert dict(stage)["STOPSIGNAL"] == "SIGTERM"
    # The form of a list has no shell between: the worker itself gets the signal.
    assert orjson.loads(dict(stage)["ENTRYPOINT"]) == ["shelfstream"]
    assert orjson.loads(dict(stage)["CMD"]) == ["worker"]


def test_the_image_has_no_build_tools() -> None:
    for name, rest in last_stage():
        assert not re.search(r"\b(apt-get|pip|gcc|git)\b", rest), f"{name} {rest}"
    copied = [rest for name, rest in last_stage() if name == "COPY"]
    assert copied == ["--from=build /opt/shelfstream /opt/shelfstream"]


def test_the_image_copies_existing_paths_and_all_packages() -> None:
    sources = copied_sources()
    for source in sources:
        assert (ROOT / source).exists(), source
    rooms = {package.split(".")[0] for package in PROJECT["tool"]["setuptools"]["packages"]}
    named = {PROJECT["project"]["readme"], *PROJECT["project"]["license-files"]}
    assert rooms | named | {"pyproject.toml"} == set(sources)
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"}
    assert allowed == set(sources)


def test_the_image_s_settings_are_valid_and_its_state_is_in_its_volume() -> None:
    settings = load_settings(environ=ours(image_environment())).settings
    stage = dict(last_stage())
    assert stage["VOLUME"] == str(settings.data_dir)
    assert f"install --directory --owner={stage['USER'].split(':')[0]}" in stage["RUN"]
    assert stage["EXPOSE"] == str(settings.http_port)
    assert settings.http_host == "0.0.0.0"


def test_the_health_check_passes_only_for_a_live_worker(tmp_path: Path) -> None:
    """Run the check against a server that answers 200, one that answers 503, and none."""
    check = orjson.loads(dict(last_stage())["HEALTHCHECK"].partition("CMD ")[2])
    assert check[:2] == ["python", "-c"]
    server = "\n".join(
        (
            "import http.server, sys",
            "class Answer(http.server.BaseHTTPRequestHandler):",
            "    def do_GET(self):",
            "        self.send_response(int(sys.argv[1]) if self.path == '/live' else 404)",
            "        self.end_headers()",
            "listening = http.server.HTTPServer(('127.0.0.1', 0), Answer)",
            "print(listening.server_port, flush=True)",
            "listening.handle_request()",
        )
    )

    def checked(port: int) -> int:
        environment = os.environ | {"SHELFSTREAM_HTTP_PORT": str(port)}
        done = subprocess.run(
            [sys.executable, *check[1:]], env=environment, capture_output=True, check=False, timeout=120
        )
        return done.returncode

    for status, healthy in ((200, True), (503, False)):
        with subprocess.Popen(
            [sys.executable, "-c", server, str(status)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as process:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            assert (checked(port) == 0) is healthy
    assert checked(port) != 0


# The compose file


def test_every_service_is_pinned_and_depends_on_existing_services() -> None:
    for name, service in SERVICES.items():
        tag = service["image"].partition(":")[2]
        assert re.fullmatch(r"v?\d+\.\d+\.\d+", tag), f"{name}: {service['image']} is not pinned"
        for needed, how in service.get("depends_on", {}).items():
            assert needed in SERVICES
            if how["condition"] == "service_healthy":
                assert "test" in SERVICES[needed]["healthcheck"]
            else:
                assert how["condition"] == "service_completed_successfully"
                assert SERVICES[needed]["restart"] == "no"


def test_volumes_are_declared_and_used() -> None:
    mounted = {mount.split(":")[0] for service in SERVICES.values() for mount in service.get("volumes", ())}
    files = {each for each in mounted if each.startswith("./")}
    assert mounted - files == set(VOLUMES)
    assert [each for each in files if not (DEPLOY / each).is_file()] == []


def test_prometheus_scrapes_workers_by_the_job_that_alerts_name() -> None:
    config = yaml.safe_load((DEPLOY / "monitoring/prometheus.yaml").read_text())
    (job,) = config["scrape_configs"]
    assert job["job_name"] == "shelfstream"
    assert set(job["dns_sd_configs"][0]["names"]) == {name for name in OURS if name != "topics"}


def test_the_kafka_version_is_that_of_the_tests() -> None:
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{VERSION}"


@pytest.mark.parametrize("name", OURS)
def test_our_services_have_valid_settings_and_commands(name: str) -> None:
    service = SERVICES[name]
    assert service["image"] == f"shelfstream:{PROJECT['project']['version']}"
    assert (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).exists()
    settings = load_settings(environ=ours(image_environment() | service["environment"])).settings
    assert settings.bootstrap_servers == "kafka:19092"
    command = service["command"]
    assert command[0] in main.list_commands(None)  # type: ignore[arg-type]
    accepted = CliRunner().invoke(main, [*command, "--help"])
    assert accepted.exit_code == 0, accepted.output
    if command[0] == "worker":
        assert [mount.split(":")[1] for mount in service["volumes"]] == [str(settings.data_dir)]
        assert service["ports"][0].endswith(f":{settings.http_port}")
        # The container is killed after the grace period: a worker must stop within it.
        assert int(service["stop_grace_period"].removesuffix("s")) > 2 * settings.revoke_budget_s


def test_the_profile_apart_runs_all_agents() -> None:
    apart = [service for service in SERVICES.values() if service.get("profiles") == ["apart"]]
    agents = [agent for service in apart for agent in service["command"][-1].split(",")]
    assert sorted(agents) == sorted(load_settings(environ={}).settings.agents)


def test_the_broker_s_listeners_are_consistent() -> None:
    environment = SERVICES["kafka"]["environment"]

    def addresses(name: str) -> dict[str, str]:
        return dict(each.split("://", 1) for each in environment[name].split(","))

    listening, advertised = addresses("KAFKA_LISTENERS"), addresses("KAFKA_ADVERTISED_LISTENERS")
    protocols = dict(
        each.split(":") for each in environment["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].split(",")
    )
    controller = environment["KAFKA_CONTROLLER_LISTENER_NAMES"]
    assert set(listening) == set(protocols)
    assert set(advertised) == set(listening) - {controller}
    assert environment["KAFKA_INTER_BROKER_LISTENER_NAME"] in advertised
    for name, address in advertised.items():
        assert address.rpartition(":")[2] == listening[name].rpartition(":")[2]
    voter, _, where = environment["KAFKA_CONTROLLER_QUORUM_VOTERS"].partition("@")
    assert voter == environment["KAFKA_NODE_ID"]
    assert where.rpartition(":")[2] == listening[controller].rpartition(":")[2]
    assert [environment["KAFKA_LOG_DIRS"]] == [mount.split(":")[1] for mount in SERVICES["kafka"]["volumes"]]
    outside = advertised["OUTSIDE"].rpartition(":")[2]
    assert SERVICES["kafka"]["ports"] == [f"127.0.0.1:{outside}:{listening['OUTSIDE'].rpartition(':')[2]}"]


# The wheel


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory with shelfstream installed from a wheel, which is built from the image's sources."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in copied_sources():
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    subprocess.run(
        [*pip, "wheel", str(source), "--no-deps", "--wheel-dir", str(folder)], check=True, timeout=500
    )
    (wheel,) = folder.glob("shelfstream-*.whl")
    target = folder / "installed"
    subprocess.run([*pip, "install", "--no-deps", "--target", str(target), str(wheel)], check=True)
    yield target


def test_the_wheel_holds_all_code_and_data(installed: Path) -> None:
    """The wheel has every file of the packages, the license and the notice, and no tests."""
    packages = ("schemas", "models", "streams")
    have = {
        str(path.relative_to(installed))
        for package in packages
        for path in (installed / package).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    want = {
        str(path.relative_to(ROOT))
        for package in packages
        for path in (ROOT / package).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert have == want
    assert {path.name for path in installed.iterdir() if path.is_dir() and path.suffix != ".dist-info"} == {
        *packages,
        "bin",
    }
    licenses = {path.name for path in installed.glob("*.dist-info/licenses/*")}
    assert licenses == set(PROJECT["project"]["license-files"])


def test_an_installed_shelfstream_works_away_from_its_sources(installed: Path, tmp_path: Path) -> None:
    line = orjson.dumps({"product_id": "1", "title": "Men's Blue Cotton Slim Fit Shirt"}).decode()
    code = "\n".join(
        (
            f"import sys; sys.path.insert(0, {str(installed)!r})",
            "import streams.cli",
            f"assert streams.cli.__file__.startswith({str(installed)!r}), streams.cli.__file__",
            "streams.cli.main()",
        )
    )
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, "enrich", "-"],
        input=line,
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    assert orjson.loads(done.stdout)["category"]["id"] == 212
