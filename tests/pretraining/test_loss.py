"""The contrastive loss against its formula, written out."""

from __future__ import annotations

import math

import pytest
import torch

from contrique_cli.pretraining.loss import anchor_loss, centre_loss, contrastive_loss


def naive_loss(embeddings: torch.Tensor, classes: list[int], temperature: float) -> float:
    """Madhusudana et al., IEEE TIP 2022, term by term, in double precision."""
    z = [[float(value) for value in row] for row in embeddings.double()]
    z = [[value / math.sqrt(sum(v * v for v in row)) for value in row] for row in z]
    n = len(z)

    def similarity(i: int, j: int) -> float:
        return sum(a * b for a, b in zip(z[i], z[j], strict=True)) / temperature

    total, anchors = 0.0, 0
    for i in range(n):
        positives = [p for p in range(n) if p != i and classes[p] == classes[i]]
        if not positives:
            continue
        spread = math.log(sum(math.exp(similarity(i, k)) for k in range(n) if k != i))
        total += spread - sum(similarity(i, p) for p in positives) / len(positives)
        anchors += 1
    return total / anchors


@pytest.mark.parametrize("temperature", [0.1, 0.5, 1.0])
def test_the_loss_is_the_formula_of_the_paper(temperature):
    torch.manual_seed(0)
    embeddings = torch.randn(24, 8) * torch.rand(24, 1) * 5
    classes = [0, 0, 1, 2, 2, 2, 0, 1] * 3
    expected = naive_loss(embeddings, classes, temperature)
    tensor = torch.tensor(classes)
    actual = contrastive_loss(embeddings, tensor, embeddings, tensor, temperature=temperature)
    torch.testing.assert_close(float(actual), expected, rtol=1e-5, atol=1e-5)  # float32 sums


def test_an_anchor_alone_in_its_class_is_left_out_of_the_mean():
    torch.manual_seed(1)
    embeddings, classes = torch.randn(5, 4), torch.tensor([0, 0, 1, 1, 7])
    actual = contrastive_loss(embeddings, classes, embeddings, classes)
    assert float(actual) == pytest.approx(naive_loss(embeddings, classes.tolist(), 0.1), rel=1e-5)


def test_shares_of_the_anchors_average_to_the_whole():
    torch.manual_seed(2)
    embeddings, classes = torch.randn(12, 4), torch.tensor([0, 1, 2] * 4)
    whole = contrastive_loss(embeddings, classes, embeddings, classes)
    parts = [
        contrastive_loss(
            embeddings[start : start + 6],
            classes[start : start + 6],
            embeddings,
            classes,
            offset=start,
        )
        for start in (0, 6)
    ]
    torch.testing.assert_close(sum(parts) / 2, whole)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_embeddings_are_judged_in_float32(dtype):
    torch.manual_seed(3)
    embeddings = (torch.randn(16, 128) * 100).to(dtype).requires_grad_()
    classes = torch.arange(8).repeat(2)
    with torch.autocast("cpu", torch.bfloat16):
        loss = contrastive_loss(embeddings, classes, embeddings, classes)
    loss.backward()
    assert loss.dtype == torch.float32
    assert embeddings.grad is not None
    assert embeddings.grad.isfinite().all()
    expected = contrastive_loss(embeddings.float(), classes, embeddings.float(), classes)
    torch.testing.assert_close(loss, expected)


def test_embeddings_of_zero_give_a_finite_loss_and_gradient():
    embeddings = torch.zeros(4, 8, requires_grad=True)
    classes = torch.tensor([0, 0, 1, 1])
    loss = contrastive_loss(embeddings, classes, embeddings, classes)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(math.log(3))
    assert embeddings.grad is not None
    assert embeddings.grad.isfinite().all()


def test_identical_embeddings_of_opposite_classes_stay_finite_at_a_low_temperature():
    embeddings = torch.ones(6, 8)
    classes = torch.tensor([0, 0, 1, 1, 2, 2])
    loss = contrastive_loss(embeddings, classes, embeddings, classes, temperature=0.01)
    assert float(loss) == pytest.approx(math.log(5), rel=1e-4)


def test_the_centre_loss_is_the_mean_over_synthetic_anchors_of_the_softmax_with_their_centre():
    torch.manual_seed(4)
    anchors, centres = torch.randn(6, 8), torch.randn(4, 8) * 3
    classes = torch.tensor([0, 3, 3, 1, 4, 90])  # the last two are ordinary photos
    unit = torch.nn.functional.normalize(anchors.double(), dim=1)
    cosines = (unit @ torch.nn.functional.normalize(centres.double(), dim=1).T).tolist()
    total = 0.0
    for row, own in zip(cosines[:4], classes.tolist()[:4], strict=True):
        total += math.log(sum(math.exp(value / 0.1) for value in row)) - row[own] / 0.1
    actual = centre_loss(anchors, classes, centres, temperature=0.1)
    assert float(actual) == pytest.approx(total / 4, rel=1e-5)


def test_the_centre_loss_of_ordinary_photos_alone_is_nothing():
    torch.manual_seed(5)
    actual = centre_loss(torch.randn(3, 8), torch.tensor([4, 5, 6]), torch.randn(4, 8))
    assert float(actual) == 0.0


def test_the_anchor_loss_is_the_share_of_variance_that_moved():
    torch.manual_seed(6)
    kept = torch.randn(200, 3) * torch.tensor([1.0, 10.0, 100.0])
    moved = kept + 0.5 * kept.std(dim=0, correction=0)
    assert float(anchor_loss(kept, kept)) == 0.0
    assert float(anchor_loss(moved[:, 2:], kept[:, 2:])) == pytest.approx(0.25 / 1.01, rel=1e-4)
    assert float(anchor_loss(moved[:1], kept[:1])) == 0.0
