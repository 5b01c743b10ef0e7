"""DP-SGD by Opacus (Yousefpour et al., 2021): clipped gradients, noise, and an account of what is spent."""

import math
import secrets
import warnings
from collections.abc import Callable
from typing import Any

import torch
from opacus import PrivacyEngine
from torch.utils.data import DataLoader, TensorDataset

from models.arrays import Floats
from models.training.private.training import Head, HeadTask, Privacy

_MOMENTUM = 0.9
_LEAST_RATE = 0.1
_SEED_BITS = 63


def learn_head(task: HeadTask, privacy: Privacy, progress: Callable[[int, int, float], None]) -> Head:
    """Learn the shifts of the first levels with differential privacy.

    The noise comes from torch's generator, which is not a cryptographic one, and its Gaussian is of floating
    point: the guarantee is that of the mathematics, not against somebody who attacks the arithmetic (Mironov,
    2012).

    Args:
        task: What to learn from.
        privacy: The budget and the settings; the noise that keeps to the budget is found by Opacus.
        progress: Called after each step with its number, the number of steps, and the mean loss of late.
    """
    seed = secrets.randbits(_SEED_BITS) if privacy.seed is None else privacy.seed
    generator = torch.Generator().manual_seed(seed)
    hidden = torch.from_numpy(task.hidden)
    titles = TensorDataset(torch.arange(len(task.first)))
    loader: DataLoader[tuple[torch.Tensor, ...]] = DataLoader(
        titles, batch_size=min(privacy.batch, len(titles)), generator=generator
    )
    head = torch.nn.Linear(task.hidden.shape[1], task.offsets.shape[1])
    torch.nn.init.zeros_(head.weight)
    torch.nn.init.zeros_(head.bias)
    with warnings.catch_warnings():
        # Opacus warns that its generator is no cryptographic one (see above), and torch of its hooks.
        warnings.simplefilter("ignore")
        engine = PrivacyEngine()
        model, optimizer, criterion, batches = _private(engine, head, _Loss(task), loader, privacy, generator)
        steps = privacy.epochs * len(batches)
        mean, averaged, recent = _Mean(), steps // 2, 0.0
        for step, (chosen,) in enumerate((batch for _ in range(privacy.epochs) for batch in batches), 1):
            for group in optimizer.param_groups:
                group["lr"] = privacy.rate * (1.0 - (1.0 - _LEAST_RATE) * step / steps)
            optimizer.zero_grad()
            loss = criterion(model(hidden[chosen]), chosen)
            loss.backward()
            optimizer.step()
            if step > averaged:
                mean.add(head)
            recent = loss.item() if step == 1 else 0.9 * recent + 0.1 * loss.item()
            progress(step, steps, recent)
    spent = math.inf if math.isinf(privacy.epsilon) else engine.get_epsilon(privacy.delta)
    return Head(*mean.head(), epsilon=spent)


def _private(
    engine: PrivacyEngine,
    head: torch.nn.Linear,
    loss: "_Loss",
    loader: "DataLoader[tuple[torch.Tensor, ...]]",
    privacy: Privacy,
    generator: torch.Generator,
) -> tuple[Any, Any, Any, Any]:
    """The head, its optimizer, loss and batches, so that training keeps to the budget."""
    common = {
        "module": head,
        "optimizer": torch.optim.SGD(head.parameters(), lr=privacy.rate, momentum=_MOMENTUM),
        "criterion": loss,
        "data_loader": loader,
        "max_grad_norm": privacy.clip,
        "noise_generator": generator,
        # Norms of the titles' gradients without the gradients themselves (Goodfellow, 2015).
        "grad_sample_mode": "ghost",
    }
    if math.isinf(privacy.epsilon):
        return tuple(engine.make_private(noise_multiplier=0.0, **common))
    return tuple(
        engine.make_private_with_epsilon(
            target_epsilon=privacy.epsilon, target_delta=privacy.delta, epochs=privacy.epochs, **common
        )
    )


class _Loss:
    """The negative log of the probability of each label's subtree, as in `student.subtree_loss`.

    Attributes:
        reduction: What becomes of the titles' losses, as in torch's own; Opacus sets it.
    """

    def __init__(self, task: HeadTask) -> None:
        self.reduction = "mean"
        self._offsets, self._lineage = torch.from_numpy(task.offsets), torch.from_numpy(task.lineage)
        self._first, self._last = torch.from_numpy(task.first)[:, None], torch.from_numpy(task.last)[:, None]
        self._groups = torch.arange(task.offsets.shape[1])[None]

    def __call__(self, shifts: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
        """The losses of the chosen titles, whose own shifts have shape [titles, groups]."""
        logits = self._offsets[chosen]
        # A group a row, so that whole rows are picked; no ancestor is the row of zeros.
        rows = torch.nn.functional.pad(shifts.T, (0, 0, 0, 1))
        for ancestors in self._lineage.T:
            logits = logits + rows.index_select(0, ancestors).T
        inside = (self._groups >= self._first[chosen]) & (self._groups < self._last[chosen])
        label = logits.masked_fill(~inside, -torch.inf).logsumexp(dim=1)
        losses = logits.logsumexp(dim=1) - label
        return losses if self.reduction == "none" else losses.mean()


class _Mean:
    """The mean of the head over steps: it is steadier than the last one, and costs no privacy."""

    def __init__(self) -> None:
        self._steps = 0
        self._weights: torch.Tensor = torch.zeros(())
        self._bias: torch.Tensor = torch.zeros(())

    def add(self, head: torch.nn.Linear) -> None:
        """Count the head as it is now."""
        self._steps += 1
        self._weights = self._weights + head.weight.detach()
        self._bias = self._bias + head.bias.detach()

    def head(self) -> tuple[Floats, Floats]:
        """Weights, shape [dimensions, shifts], and bias, shape [shifts]."""
        steps = max(self._steps, 1)
        return (self._weights / steps).T.contiguous().numpy(), (self._bias / steps).numpy()
