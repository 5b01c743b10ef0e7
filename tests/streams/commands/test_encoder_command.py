"""The command `shelfstream encoder export`; the written files are tested with the export itself."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from models.training.encoder import export as encoder_export
from models.training.encoder.export import Request
from schemas.errors import StopWorker
from streams.cli import main


def test_it_writes_the_language_s_folder_and_prints_the_encoder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[Request, Path]] = []

    class Written:
        name = "letters"

    def export(request: Request, folder: Path, *rest: object) -> Written:
        asked.append((request, folder))
        return Written()

    monkeypatch.setattr(encoder_export, "export_encoder", export)
    given = ["--language", "zh", "-o", str(tmp_path), "--source", "letters", "--for-gpu"]
    result = CliRunner().invoke(main, ["encoder", "export", *given])
    assert result.exit_code == 0, result.output
    assert asked == [(Request("zh", "letters", for_gpu=True), tmp_path / "zh")]
    assert result.stdout == f"letters, which reads zh, is in {tmp_path / 'zh'}.\n"


def test_a_failed_download_is_one_error_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def export(*_: object) -> None:
        raise StopWorker("Cannot bring it: give --source.")

    monkeypatch.setattr(encoder_export, "export_encoder", export)
    result = CliRunner().invoke(main, ["encoder", "export", "--language", "en", "-o", str(tmp_path)])
    assert result.exit_code == 1
    assert result.stderr.strip() == "Error: Cannot bring it: give --source."


def test_other_languages_are_rejected(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["encoder", "export", "--language", "fr", "-o", str(tmp_path)])
    assert result.exit_code == 2
    assert "'en', 'zh'" in result.stderr
