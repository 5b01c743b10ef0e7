"""What makes an import the same when it runs again."""

from pathlib import Path

from schemas.formats.row import ImportOptions
from streams.importing.request import STDIN, ImportRequest


def test_standard_input_has_no_id_to_continue_by(tmp_path: Path) -> None:
    file = tmp_path / "log.csv"
    file.write_text("1,2268318,2520377,pv,1511544070\n")
    options = ImportOptions()
    assert ImportRequest("taobao", (str(file),), options).identity()
    assert ImportRequest("taobao", (STDIN,), options).identity() is None
    assert ImportRequest("taobao", (str(file), STDIN), options).identity() is None
