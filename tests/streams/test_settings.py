"""The settings: their sources, their validation and their manual."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import StopWorker
from streams.commands.operate.settings import settings as command
from streams.settings import NAMES, Settings, display_value, documentation, variable
from streams.settings_sources import load_settings


def test_the_defaults_are_valid_and_named_as_the_source() -> None:
    loaded = load_settings(environ={})
    assert loaded.settings == Settings()
    assert set(loaded.sources.values()) == {"default"}


def test_later_sources_override_earlier_ones(tmp_path: Path) -> None:
    file = tmp_path / "shelfstream.toml"
    file.write_text('app_id = "file"\npartitions = 8\nhalf_life_days = 45\n')
    environ = {"SHELFSTREAM_PARTITIONS": "16", "SHELFSTREAM_HALF_LIFE_DAYS": "30"}
    loaded = load_settings(file, environ, {"half_life_days": 7.0, "app_id": None})
    assert (loaded.settings.app_id, loaded.settings.partitions, loaded.settings.half_life_days) == (
        "file",
        16,
        7,
    )
    assert loaded.sources["app_id"] == str(file)
    assert loaded.sources["partitions"] == "SHELFSTREAM_PARTITIONS"
    assert loaded.sources["half_life_days"] == "option"


def test_the_environment_can_name_the_file(tmp_path: Path) -> None:
    file = tmp_path / "shelfstream.toml"
    file.write_text('agents = ["enrich"]')
    assert load_settings(environ={"SHELFSTREAM_CONFIG": str(file)}).settings.agents == ("enrich",)


def test_agents_are_a_comma_separated_list_in_the_environment() -> None:
    assert load_settings(environ={"SHELFSTREAM_AGENTS": "enrich, affinity"}).settings.agents == (
        "enrich",
        "affinity",
    )


def test_all_problems_are_reported_at_once() -> None:
    environ = {
        "SHELFSTREAM_PARTITONS": "4",
        "SHELFSTREAM_BATCH_MAX_RECORDS": "many",
        "SHELFSTREAM_AGENTS": "enrich,cook",
        "SHELFSTREAM_CONFIG": "/nowhere.toml",
    }
    with pytest.raises(StopWorker) as stopped:
        load_settings(environ=environ)
    message = str(stopped.value)
    assert "4 problems" in message
    assert "SHELFSTREAM_PARTITONS: there is no such setting; the nearest is SHELFSTREAM_PARTITIONS" in message
    assert "SHELFSTREAM_BATCH_MAX_RECORDS" in message
    assert "'many'" in message
    assert "cook" in message
    assert "/nowhere.toml: cannot be read" in message


def test_an_unknown_key_of_the_file_names_the_nearest(tmp_path: Path) -> None:
    file = tmp_path / "shelfstream.toml"
    file.write_text("halflife_days = 3")
    with pytest.raises(StopWorker, match=r"halflife_days in .*the nearest is half_life_days"):
        load_settings(file, environ={})


def test_a_file_that_is_not_toml_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "shelfstream.toml"
    file.write_text("partitions: 4")
    with pytest.raises(StopWorker, match="is not TOML"):
        load_settings(file, environ={})


@pytest.mark.parametrize(
    ("environ", "problem"),
    [
        ({"HEARTBEAT_INTERVAL_S": "6"}, "at most a third of session_timeout_s"),
        ({"REVOKE_BUDGET_S": "60"}, "revoke_budget_s must be less"),
        ({"IN_FLIGHT_MAX_BYTES": "10"}, "in_flight_max_bytes must be at least"),
        ({"RETRY_BACKOFF_MIN_S": "31"}, "retry_backoff_min_s must be at most"),
        ({"AFFINITY_TOP_K": "401"}, "affinity_top_k must be at most"),
        ({"SECURITY_PROTOCOL": "SASL_SSL", "SASL_USERNAME": "me"}, "needs sasl_username, and sasl_password"),
        ({"PUBLISH_EPSILON": "3"}, "publish_epsilon needs pseudonym_keys_file"),
        ({"PSEUDONYM_KEYS": "k1:short"}, "the secret of key 1 has 5 characters"),
        ({"PSEUDONYM_KEYS": "k1:" + "s" * 32, "PSEUDONYM_KEYS_FILE": "f"}, "exclude each other"),
        ({"SASL_PASSWORD": "x", "SASL_PASSWORD_FILE": "y"}, "exclude each other"),
        ({"SSL_KEY_PASSWORD": "x", "SSL_KEY_PASSWORD_FILE": "y"}, "exclude each other"),
        (
            {"SECURITY_PROTOCOL": "SASL_SSL", "SASL_MECHANISM": "OAUTHBEARER"},
            "OAUTHBEARER needs sasl_oauth_token",
        ),
        ({"SASL_OAUTH_TOKEN": "no function"}, "SASL_OAUTH_TOKEN"),
        ({"SSL_CERTFILE": "cert.pem"}, "belong together"),
        ({"AGENTS": "enrich,enrich"}, "each agent once"),
        ({"EMBEDDED": "true", "PARTITIONS": "8"}, "must be 4"),
        ({"HALF_LIFE_DAYS": "nan"}, "half_life_days|HALF_LIFE_DAYS"),
        ({"HALF_LIFE_DAYS": "inf"}, "finite"),
        ({"APP_ID": "spaces are bad"}, "APP_ID"),
        ({"AGENTS": ""}, "AGENTS"),
    ],
)
def test_invalid_settings_are_refused_with_the_reason(environ: dict[str, str], problem: str) -> None:
    with pytest.raises(StopWorker, match=problem):
        load_settings(environ={f"SHELFSTREAM_{name}": value for name, value in environ.items()})


def test_the_variables_of_a_kubernetes_service_are_not_settings() -> None:
    environ = {
        "SHELFSTREAM_SERVICE_HOST": "10.0.0.1",
        "SHELFSTREAM_SERVICE_PORT_HTTP": "9464",
        "SHELFSTREAM_PORT": "tcp://10.0.0.1:9464",
        "SHELFSTREAM_PORT_9464_TCP_ADDR": "10.0.0.1",
    }
    assert load_settings(environ=environ).settings == Settings()


@given(st.text(min_size=4).filter(lambda password: password.strip() == password))
def test_a_password_is_never_shown(password: str) -> None:
    marked = f"SECRET{password}"
    settings = load_settings(environ={"SHELFSTREAM_SASL_PASSWORD": marked}).settings
    assert settings.sasl_password == marked
    assert marked not in repr(settings)
    assert display_value(settings, "sasl_password") == "(hidden)"


@given(st.sampled_from(NAMES), st.text())
def test_any_text_in_the_environment_is_accepted_or_refused_by_name(name: str, text: str) -> None:
    try:
        loaded = load_settings(environ={variable(name): text})
    except StopWorker as stopped:
        assert name in str(stopped).lower()
    else:
        assert loaded.settings is not None


def test_every_setting_has_a_description() -> None:
    assert [name for name in NAMES if len(documentation(name)) < 10] == []


def test_the_command_shows_each_setting_with_its_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELFSTREAM_PARTITIONS", "7")
    shown_json = CliRunner().invoke(command, ["--json"])
    assert shown_json.exit_code == 0
    assert '"source": "SHELFSTREAM_PARTITIONS"' in shown_json.stdout
    manual = CliRunner().invoke(command, ["--markdown"]).stdout
    assert [name for name in NAMES if f"| `{name}` |" not in manual] == []
    assert "partitions" in CliRunner().invoke(command, []).stdout


def test_wrong_settings_end_a_command_with_exit_code_2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELFSTREAM_PARTITIONS", "none")
    result = CliRunner().invoke(command, [])
    assert result.exit_code == 2
    assert "SHELFSTREAM_PARTITIONS" in result.stderr
