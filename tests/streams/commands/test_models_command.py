"""`shelfstream models` and `shelfstream status`: serving models, trials, and rejected changes."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner, Result

from models.registry.gate_results import GATE_RESULTS, write_gate_result
from models.registry.registry import Registry
from models.taxonomy.tree import Taxonomy
from streams.cli import main
from streams.inference.model_report import ModelReport, ShadowCounts
from streams.observability.status import WorkerStatus
from streams.observability.status_page import render
from tests.support.model_folders import tiny_model


class Shell:
    """Runs `shelfstream models` on a registry of three models.

    Attributes:
        versions: In the order in which they were added.
    """

    def __init__(self, folder: Path) -> None:
        self.registry = Registry(folder / "registry")
        self.versions = []
        for number in range(3):
            tiny_model(folder / f"model-{number}", number, Taxonomy.google())
            self.run("add", str(folder / f"model-{number}"))
            self.versions = self.registry.versions()

    def run(self, *arguments: str, code: int = 0) -> str:
        """The output of a command that must end with `code`."""
        result: Result = CliRunner().invoke(
            main, ["models", *arguments, "--registry", str(self.registry.folder)]
        )
        assert result.exit_code == code, result.output
        return result.output


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


def roles(shell: Shell) -> list[str]:
    rows = orjson.loads(shell.run("list", "--json"))["models"]
    assert [row["version"] for row in rows] == shell.versions
    return [row["role"] for row in rows]


def test_a_new_registry_serves_the_workers_own_model(shell: Shell) -> None:
    assert roles(shell) == ["", "", ""]
    assert "Serving: the model that workers have without a registry" in shell.run("list")


def test_each_command_shows_in_the_list(shell: Shell) -> None:
    first, second, third = shell.versions
    shell.run("promote", first, "--force")
    assert f"Serving: {second}\nBefore:  {first}" in shell.run("promote", second, "--force")
    assert roles(shell) == ["previous", "serving", ""]
    shell.run("canary", third, "--share", "0.1")
    shell.run("shadow", third)
    assert roles(shell) == ["previous", "serving", "shadow, canary 10.0%"]
    listed = shell.run("list")
    assert f"Shadow:  {third}" in listed
    assert f"Canary:  {third} for 10.0% of the products" in listed
    shell.run("canary", "--off")
    assert roles(shell) == ["previous", "serving", "shadow"]
    shell.run("rollback")
    assert roles(shell) == ["serving", "previous", ""]


def test_a_promotion_needs_the_gate_s_decision_on_this_pair_of_models(shell: Shell) -> None:
    first, second, third = shell.versions
    shell.run("promote", first, "--force")
    folder = shell.registry.folder
    missing = shell.run("promote", second, code=3)
    assert f"The gate has not compared {second} with the serving model" in missing
    assert f"shelfstream gate --candidate {folder / second} --registry {folder}" in missing
    write_gate_result(folder, second, first, promote=False, reasons=["accuracy on shop a: worse"])
    assert "accuracy on shop a: worse" in shell.run("promote", second, code=3)
    write_gate_result(folder, second, third, promote=True, reasons=[])
    assert f"compared it with {third}, and {first} serves now" in shell.run("promote", second, code=3)
    assert roles(shell) == ["serving", "", ""]
    shell.run("promote", first)
    write_gate_result(folder, second, first, promote=True, reasons=[])
    shell.run("promote", second)
    assert roles(shell) == ["previous", "serving", ""]
    (folder / GATE_RESULTS / f"{first}.json").write_text("{}")
    assert "is no decision of the gate" in shell.run("promote", first, code=1)


def test_a_damaged_model_is_listed_with_its_damage_and_not_promoted(shell: Shell) -> None:
    damaged = shell.versions[0]
    (shell.registry.folder / damaged / "student.bin").write_bytes(b"")
    assert "student.bin is not the file that its manifest names" in shell.run("list")
    assert "student.bin" in shell.run("promote", damaged, code=1)
    assert orjson.loads(shell.run("list", "--json"))["deployment"]["serving"] is None


def test_impossible_changes_are_one_error_message(shell: Shell) -> None:
    assert "Nothing was promoted yet" in shell.run("rollback", code=1)
    assert "has no model nonsense" in shell.run("promote", "nonsense", code=1)
    shell.run("shadow", shell.versions[0])
    assert "is on trial as shadow" in shell.run("canary", shell.versions[1], code=1)
    for arguments in (["canary"], ["shadow"], ["canary", shell.versions[0], "--off"]):
        shell.run(*arguments, code=2)
    shell.run("canary", shell.versions[0], "--share", "0", code=2)


def test_without_a_registry_the_commands_say_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SHELFSTREAM_MODEL_REGISTRY", raising=False)
    result = CliRunner().invoke(main, ["models", "list"])
    assert result.exit_code == 2
    assert "SHELFSTREAM_MODEL_REGISTRY" in result.output


def test_a_missing_registry_is_not_an_empty_one(tmp_path: Path) -> None:
    """A typing error in its name must not look like a lost deployment."""
    for arguments in (["list"], ["rollback"], ["promote", "student-1-00000000"]):
        result = CliRunner().invoke(main, ["models", *arguments, "--registry", str(tmp_path / "registyr")])
        assert result.exit_code == 1
        assert "There is no registry" in result.output
    assert not (tmp_path / "registyr").exists()


def test_the_setting_names_the_registry(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELFSTREAM_MODEL_REGISTRY", str(shell.registry.folder))
    result = CliRunner().invoke(main, ["models", "list"])
    assert shell.versions[0] in result.output


# Models of the workers


@pytest.fixture
def worker() -> Iterator[tuple[WorkerStatus, str]]:
    """A status, and the address of a server that returns it."""
    shown = WorkerStatus(worker_id="w-0", joined=True)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(orjson.dumps(shown.as_json(0.0)))

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield shown, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


TRIAL = ModelReport(
    model_version="student-1-a",
    taxonomy_version="t",
    candidate_version="student-1-b",
    canary_share=0.05,
    shadow=ShadowCounts(1_000, 7, {"level1": 3, "category": 40, "outcome": 11}),
    trouble="student-1-c is deployed, but not in service: torn",
)


def test_the_status_shows_a_worker_s_models(worker: tuple[WorkerStatus, str]) -> None:
    shown, url = worker
    shown.update_models(TRIAL)
    shown.lane("enrich", "product-created", 0).committed(5, 0.0)
    result = CliRunner().invoke(main, ["status", "--url", url])
    assert result.exit_code == 0
    for part in (
        "w-0: ready, student-1-a",
        "warning: student-1-c is deployed, but not in service: torn",
        "canary: student-1-b for 5.0% of the products",
        "shadow: student-1-b: compared 1,000, dropped 7, level1 3, category 40, outcome 11",
        "enrich product-created-0",
    ):
        assert part in result.output
    status = orjson.loads(CliRunner().invoke(main, ["status", "--url", url, "--json"]).stdout)
    assert status["model_version"] == "student-1-a"


def test_the_exit_code_tells_an_unready_and_a_missing_worker(
    worker: tuple[WorkerStatus, str],
) -> None:
    shown, url = worker
    shown.joined = False
    result = CliRunner().invoke(main, ["status", "--url", url])
    assert result.exit_code == 1
    assert "not ready" in result.output
    assert "has not joined its consumer group" in result.output
    result = CliRunner().invoke(main, ["status", "--url", "http://127.0.0.1:1"])
    assert result.exit_code == 1
    assert "No worker answers" in result.output


def test_the_page_shows_the_trial_and_the_problem() -> None:
    shown = WorkerStatus(joined=True)
    assert "canary" not in render(shown.as_json(0.0))
    shown.update_models(TRIAL)
    page = render(shown.as_json(0.0))
    for part in (
        "student-1-b for 5.0% of the products",
        "compared 1,000, dropped 7, level1 3",
        "student-1-c is deployed, but not in service: torn",
        'class="ready"',
    ):
        assert part in page
