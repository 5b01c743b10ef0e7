"""The chart's values fit their schema, and its templates set variables that workers read.

With helm on the path it is rendered too, with the values of several deployments.
"""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import orjson
import pytest
import yaml

from streams.settings import Settings

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
CHART = DEPLOY / "chart"
HELM = shutil.which("helm")
TEMPLATES = sorted((CHART / "templates").glob("*.*"))
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA = orjson.loads((CHART / "values.schema.json").read_bytes())
SECURED = {
    "kafka": {
        "bootstrapServers": "kafka-1:9093,kafka-2:9093",
        "securityProtocol": "SASL_SSL",
        "saslMechanism": "SCRAM-SHA-512",
        "saslUsername": "shelfstream",
        "secret": "kafka-login",
        "secretKeys": ["sasl-password", "ca.crt"],
    },
    "readApi": {"secret": "read-api"},
    "monitoring": {"enabled": True, "dashboard": {"enabled": True}},
    "env": {"SHELFSTREAM_HALF_LIFE_DAYS": "30"},
    "groups": {
        "enrich": {"gpus": 1, "autoscaling": {"enabled": True}},
        "behavior": {"autoscaling": {"enabled": True, "maxReplicas": 6}},
    },
}
"""A deployment with everything that is off by default."""


def variables() -> set[str]:
    """Return the variables that a worker reads."""
    return {f"SHELFSTREAM_{name.upper()}" for name in Settings.__struct_fields__}


def wrong(values: dict[str, Any]) -> list[str]:
    """Return the paths of the values that the schema refuses."""
    errors = jsonschema.Draft7Validator(SCHEMA).iter_errors(values)
    return sorted("/".join(map(str, error.absolute_path)) for error in errors)


def changed(path: str, value: object) -> dict[str, Any]:
    """Return the default values with one of them replaced."""
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    *parents, last = path.split("/")
    place = values
    for name in parents:
        place = place[name]
    place[last] = value
    return dict(values)


def leaves(schema: dict[str, Any], path: str = "") -> Iterator[str]:
    """Iterate over the paths of values that the schema knows by name."""
    for name, child in schema.get("properties", {}).items():
        yield f"{path}{name}"
        yield from leaves(child, f"{path}{name}.")


def test_the_default_values_fit() -> None:
    assert wrong(VALUES) == []


@pytest.mark.parametrize(
    ("path", "value", "refused"),
    [
        ("partitions", 0, "partitions"),
        ("kafka/bootstrapServers", "kafka", "kafka/bootstrapServers"),
        ("kafka/saslMechanism", "scram", "kafka/saslMechanism"),
        ("groups/enrich/agents", ["enricher"], "groups/enrich"),
        ("env/HALF_LIFE_DAYS", "30", "env"),
        ("env/SHELFSTREAM_HALF_LIFE_DAYS", 30, "env/SHELFSTREAM_HALF_LIFE_DAYS"),
        ("replicas", 3, ""),
    ],
)
def test_wrong_values_are_refused(path: str, value: object, refused: str) -> None:
    assert wrong(changed(path, value)) == [refused]


def test_each_value_that_the_schema_knows_is_explained() -> None:
    known = {path for path in leaves(SCHEMA) if not path.startswith("global")}
    written = set(leaves_of(VALUES))
    assert {path for path in known if path not in written} == set()


def leaves_of(values: dict[str, Any], path: str = "") -> Iterator[str]:
    """Iterate over the paths of all values."""
    for name, value in values.items():
        yield f"{path}{name}"
        if isinstance(value, dict):
            yield from leaves_of(value, f"{path}{name}.")


def test_templates_set_only_variables_that_a_worker_reads() -> None:
    for template in TEMPLATES:
        text = template.read_text()
        named = set(re.findall(r"SHELFSTREAM_[A-Z_]+[A-Z]", text))
        named |= {f"SHELFSTREAM_{each}" for each in re.findall(r'"(SSL_[A-Z_]+)"', text)}
        assert named <= variables(), template.name


def test_charts_and_image_have_the_version_of_the_project() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    project = (DEPLOY.parent / "pyproject.toml").read_text()
    assert f'version = "{chart["appVersion"]}"' in project
    assert f"shelfstream:{chart['appVersion']}" in (DEPLOY / "compose.yaml").read_text()


def template(values: dict[str, Any], tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """Render the chart with helm. A helm that was built from source knows no version of Kubernetes."""
    file = tmp_path / "values.yaml"
    file.write_bytes(orjson.dumps(values))
    command = [str(HELM), "template", "shop", str(CHART), "--kube-version", "1.30.0", "--values", str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def rendered(values: dict[str, Any], tmp_path: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the objects that helm renders, by kind and name."""
    done = template(values, tmp_path)
    assert done.returncode == 0, done.stderr
    objects = [each for each in yaml.safe_load_all(done.stdout) if each]
    return {(each["kind"], each["metadata"]["name"]): each for each in objects}


@pytest.mark.skipif(HELM is None, reason="helm is not installed")
@pytest.mark.parametrize("values", [{}, SECURED], ids=["default", "secured"])
def test_workers_run_without_rights_as_the_image_expects(values: dict[str, Any], tmp_path: Path) -> None:
    objects = rendered(values, tmp_path)
    pods = [
        each["spec"]["template"]["spec"]
        for (kind, _), each in objects.items()
        if kind in ("Deployment", "StatefulSet", "Job")
    ]
    assert len(pods) == 3
    for pod in pods:
        (container,) = pod["containers"]
        assert pod["securityContext"]["runAsUser"] == 10001
        assert pod["automountServiceAccountToken"] is False
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        names = [each["name"] for each in container["env"]]
        assert len(set(names)) == len(names) and set(names) <= variables() | {"POD_IP"}
        assert all(isinstance(each.get("value", ""), str) for each in container["env"])
        volumes = {each["name"] for each in pod["volumes"]} | {"state"}
        assert {each["name"] for each in container["volumeMounts"]} <= volumes


@pytest.mark.skipif(HELM is None, reason="helm is not installed")
def test_a_secured_deployment_has_what_is_off_by_default(tmp_path: Path) -> None:
    default, secured = rendered({}, tmp_path), rendered(SECURED, tmp_path)
    added = {kind for kind, _ in secured} - {kind for kind, _ in default}
    assert added == {
        "ConfigMap",
        "PrometheusRule",
        "ScaledObject",
        "ServiceMonitor",
        "TriggerAuthentication",
    }
    worker = secured["Deployment", "shop-shelfstream-enrich"]["spec"]["template"]["spec"]["containers"][0]
    env = {each["name"]: each.get("value") for each in worker["env"]}
    assert worker["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert env["SHELFSTREAM_DEVICE"] == "cuda"
    assert env["SHELFSTREAM_SASL_PASSWORD_FILE"] == "/run/secrets/kafka/sasl-password"
    assert env["SHELFSTREAM_SSL_CAFILE"] == "/run/secrets/kafka/ca.crt"
    assert "SHELFSTREAM_SSL_CERTFILE" not in env
    assert env["SHELFSTREAM_ADVERTISED_URL"] == "http://$(POD_IP):9464"
    scaled = secured["ScaledObject", "shop-shelfstream-behavior"]["spec"]
    assert scaled["maxReplicaCount"] == 6
    assert [each["metadata"]["sasl"] for each in scaled["triggers"]] == ["scram_sha512"] * 2
    assert "replicas" not in secured["StatefulSet", "shop-shelfstream-behavior"]["spec"]
    rules = secured["PrometheusRule", "shop-shelfstream"]["spec"]
    assert rules == yaml.safe_load((CHART / "files/rules.yaml").read_text())
    dashboard = secured["ConfigMap", "shop-shelfstream-dashboard"]["data"]["shelfstream.json"]
    assert orjson.loads(dashboard) == orjson.loads((CHART / "files/dashboard.json").read_bytes())


@pytest.mark.skipif(HELM is None, reason="helm is not installed")
def test_more_workers_than_partitions_are_refused(tmp_path: Path) -> None:
    done = template({"partitions": 4}, tmp_path)
    assert done.returncode != 0
    assert "more than the 4 partitions have no work" in done.stderr
