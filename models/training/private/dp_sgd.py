"""DP-SGD with Opacus (Yousefpour et al., 2021): clipped gradients, noise, and privacy accounting."""

import math
import secrets
import warnings
from typing import Any

import torch
from opacus import PrivacyEngine
from torch.utils.data import DataLoader, TensorDataset

from models.arrays import Floats
from models.training.private.training import Head, HeadTask, Privacy
from models.training.progress import LossCallback

_MOMENTUM = 0.9
_FINAL_RATE = 0.1
"""Learning rate of the last step, as a share of the first step's."""
_SEED_BITS = 63


def train_head(task: HeadTask, privacy: Privacy, progress: LossCallback) -> Head:
    """Train the shifts of the first levels with differential privacy.

    The noise is from torch's generator, which is not cryptographic, and has floating-point precision. The
    guarantee holds for the ideal algorithm, not against attacks on the arithmetic (Mironov, 2012).

    Args:
        task: Titles and labels.
        privacy: Budget and hyperparameters. Opacus finds the noise level that keeps to the budget.
        progress: Called after each step.

    Returns:
        The mean of the head over the second half of the steps, and the budget that was spent.
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
        # Opacus warns that its generator is not cryptographic (see above), and torch about its hooks.
        warnings.simplefilter("ignore")
        engine = PrivacyEngine()
        model, optimizer, criterion, batches = _private(engine, head, _Loss(task), loader, privacy, generator)
        steps = privacy.epochs * len(batches)
        mean, half, smoothed = _MeanHead(), steps // 2, 0.0
        for step, (chosen,) in enumerate((batch for _ in range(privacy.epochs) for batch in batches), 1):
            for group in optimizer.param_groups:
                group["lr"] = privacy.rate * (1.0 - (1.0 - _FINAL_RATE) * step / steps)
            optimizer.zero_grad()
            loss = criterion(model(hidden[chosen]), chosen)
            loss.backward()
            optimizer.step()
            if step > half:
                mean.add(head)
            smoothed = loss.item() if step == 1 else 0.9 * smoothed + 0.1 * loss.item()
            progress(step, steps, smoothed)
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
    """Wrap head, optimizer, loss and batches so that training keeps to the budget."""
    common = {
        "module": head,
        "optimizer": torch.optim.SGD(head.parameters(), lr=privacy.rate, momentum=_MOMENTUM),
        "criterion": loss,
        "data_loader": loader,
        "max_grad_norm": privacy.clip,
        "noise_generator": generator,
        # Computes the norms of per-title gradients without the gradients themselves (Goodfellow, 2015).
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
    """The negative log of the probability of each label's subtree; see `models.training.student.loss`.

    Attributes:
        reduction: `mean` or `none`, as in torch's losses. Opacus sets it.
    """

    def __init__(self, task: HeadTask) -> None:
        self.reduction = "mean"
        self._offsets, self._lineage = torch.from_numpy(task.offsets), torch.from_numpy(task.lineage)
        self._first, self._last = torch.from_numpy(task.first)[:, None], torch.from_numpy(task.last)[:, None]
        self._groups = torch.arange(task.offsets.shape[1])[None]

    def __call__(self, shifts: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
        """Compute the loss of titles.

        Args:
            shifts: Shifts of the groups, shape [titles, groups].
            chosen: Numbers of the titles, shape [titles].
        """
        logits = self._offsets[chosen]
        # One row per group, so that whole rows are selected. The row of zeros stands for no ancestor.
        rows = torch.nn.functional.pad(shifts.T, (0, 0, 0, 1))
        for ancestors in self._lineage.T:
            logits = logits + rows.index_select(0, ancestors).T
        inside = (self._groups >= self._first[chosen]) & (self._groups < self._last[chosen])
        label = logits.masked_fill(~inside, -torch.inf).logsumexp(dim=1)
        losses = logits.logsumexp(dim=1) - label
        return losses if self.reduction == "none" else losses.mean()


class _MeanHead:
    """The mean of the head over steps. It varies less than the last head, and costs no privacy."""

    def __init__(self) -> None:
        self._steps = 0
        self._weights: torch.Tensor = torch.zeros(())
        self._bias: torch.Tensor = torch.zeros(())

    def add(self, head: torch.nn.Linear) -> None:
        """Add the current parameters."""
        self._steps += 1
        self._weights = self._weights + head.weight.detach()
        self._bias = self._bias + head.bias.detach()

    def head(self) -> tuple[Floats, Floats]:
        """Mean weights, shape [dimensions, groups], and mean bias, shape [groups]."""
        steps = max(self._steps, 1)
        return (self._weights / steps).T.contiguous().numpy(), (self._bias / steps).numpy()
