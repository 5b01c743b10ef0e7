"""torch's view of the CUDA device: whether it exists, and whether its memory ran out."""

import torch


def has_cuda() -> bool:
    """Whether torch finds a CUDA device."""
    return bool(torch.cuda.is_available())


def ran_out_of_memory(error: Exception) -> bool:
    """Whether the device had no memory left; if so, torch's cached memory is released."""
    if not isinstance(error, torch.OutOfMemoryError) and "out of memory" not in str(error):
        return False
    if has_cuda():
        torch.cuda.empty_cache()
    return True
