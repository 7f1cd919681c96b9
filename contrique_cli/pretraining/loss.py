"""The contrastive loss of CONTRIQUE, always in float32."""

from __future__ import annotations

import torch
from torch.nn import functional

LEAST_SPREAD = 0.01
"""Share of the mean variance added to each: what hardly varies shall not be held hardest."""


def contrastive_loss(
    anchors: torch.Tensor,
    anchor_classes: torch.Tensor,
    others: torch.Tensor,
    classes: torch.Tensor,
    *,
    offset: int = 0,
    temperature: float = 0.1,
) -> torch.Tensor:
    """Mean over anchors i of log sum_{k != i} exp(s_ik) - mean_{p in P(i)} s_ip.

    s_ij is the cosine of embeddings i and j over the temperature; P(i) holds every embedding of
    the class of i but i itself: other patches, the other view, other photos. An anchor that is
    alone in its class has nothing to be drawn to and is left out of the mean.

    Args:
        anchors: embeddings, any length, shape (n, K); rows `offset` to `offset + n` of `others`.
        anchor_classes: their classes, shape (n,).
        others: all embeddings, of every process, shape (N, K).
        classes: all classes, shape (N,).
        offset: row of `others` that is the first anchor.
        temperature: of the softmax.

    Returns:
        A float32 scalar.

    Source: Madhusudana et al., IEEE TIP 2022, equations (1) to (3).
    """
    with torch.autocast(anchors.device.type, enabled=False):
        left = functional.normalize(anchors.float(), dim=1)
        right = functional.normalize(others.float(), dim=1)
        similarity = left @ right.T / temperature  # (n, N)
        rows = torch.arange(len(left), device=left.device)
        is_self = torch.zeros_like(similarity, dtype=torch.bool)
        is_self[rows, rows + offset] = True
        spread = similarity.masked_fill(is_self, -torch.inf).logsumexp(dim=1)  # (n,)
        is_positive = (anchor_classes[:, None] == classes[None, :]) & ~is_self  # (n, N)
        count = is_positive.sum(dim=1)  # (n,)
        pull = (similarity * is_positive).sum(dim=1) / count.clamp(min=1)  # (n,)
        has_positive = (count > 0).float()
        return ((spread - pull) * has_positive).sum() / has_positive.sum().clamp(min=1)


def centre_loss(
    anchors: torch.Tensor,
    classes: torch.Tensor,
    centres: torch.Tensor,
    *,
    temperature: float = 0.1,
) -> torch.Tensor:
    """Mean over synthetic anchors of log sum_c exp(s_ic) - s_iy, y being the anchor's class.

    The contrastive loss above with one learnt embedding per class in the place of the batch: in a
    batch of 64 photos an anchor meets 15 other classes by chance, here it meets all of them.

    Args:
        anchors: embeddings, any length, shape (n, K).
        classes: their classes, shape (n,); ordinary photos, from C on, are left out.
        centres: one per distortion class, any length, shape (C, K).
        temperature: of the softmax.

    Returns:
        A float32 scalar; 0 where no anchor has a centre.

    Source: Movshovitz-Attias et al., "No Fuss Distance Metric Learning using Proxies", ICCV 2017;
    Cui et al., "Parametric Contrastive Learning", ICCV 2021.
    """
    with torch.autocast(anchors.device.type, enabled=False):
        left = functional.normalize(anchors.float(), dim=1)
        right = functional.normalize(centres.float(), dim=1)
        similarity = left @ right.T / temperature  # (n, C)
        is_synthetic = classes < len(centres)
        own = similarity.gather(1, classes.clamp(max=len(centres) - 1)[:, None])[:, 0]  # (n,)
        gap = (similarity.logsumexp(dim=1) - own) * is_synthetic
        return gap.sum() / is_synthetic.sum().clamp(min=1)


def anchor_loss(cells: torch.Tensor, kept: torch.Tensor) -> torch.Tensor:
    """How far features have moved: the share of each one's variance, on average.

    Args:
        cells: features of n patches, shape (n, F).
        kept: of the same patches, by the network that training began with, shape (n, F).

    Returns:
        A float32 scalar; 0 where nothing has moved, or fewer than two patches are given.
    """
    with torch.autocast(cells.device.type, enabled=False):
        if len(kept) < 2:  # noqa: PLR2004 - a variance takes two
            return cells.new_zeros(())
        spread = kept.var(dim=0, correction=0)
        spread = spread + LEAST_SPREAD * spread.mean()
        return ((cells - kept).square().mean(dim=0) / spread).mean()
