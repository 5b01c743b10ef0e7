"""`shelfstream train` names a missing extra before it reads any data."""

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from streams.commands.modeling.train import train


@pytest.mark.parametrize("missing", ["torch", "opacus"])
def test_training_with_privacy_names_the_extra_that_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    monkeypatch.delitem(sys.modules, "models.training.private.dp_sgd", raising=False)
    arguments = ["--data", str(tmp_path), "-o", str(tmp_path / "out"), "--no-teacher", "--private", "3"]
    result = CliRunner().invoke(train, arguments)
    assert result.exit_code == 1
    assert "pip install 'shelfstream[train,private]'" in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_budget_of_zero_is_an_invalid_option(tmp_path: Path) -> None:
    result = CliRunner().invoke(train, ["--data", str(tmp_path), "-o", str(tmp_path), "--private", "0"])
    assert result.exit_code == 2
    assert "--private" in result.stderr
