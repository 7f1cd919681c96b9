"""Two encoders joined as branches, and weights that are the same numbers in both precisions."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from contrique_cli.encoder import checkpoint, merged
from contrique_cli.encoder.model import Contrique
from tests.encoder.test_merged import encoder
from training import join, rounding

CPU = torch.device("cpu")


def test_joined_maps_are_those_of_both_encoders(tmp_path, monkeypatch):
    first, second = encoder("lite0"), encoder("lite0")
    for tensor in second[5:].parameters():
        tensor.data.mul_(1.01)
    for name, row in (("first", first), ("second", second)):
        model = Contrique("lite0", "stages").eval()
        model.encoder.load_state_dict(row.state_dict())
        checkpoint.save(tmp_path / name, model, provenance={}, projector=False)
    out = tmp_path / "joined.safetensors"
    files = [str(tmp_path / name) for name in ("first", "second")]
    monkeypatch.setattr("sys.argv", ["join.py", *files, "--output", str(out)])
    join.main()
    model, info = checkpoint.load(out)
    assert info.provenance["made_of"] == ["first", "second"]
    images = torch.rand(1, 3, 64, 64)
    plain = Contrique("lite0", "stages")
    with torch.inference_mode():
        found = list(model.maps(images))
        expected = [*plain.maps(images, first), *list(plain.maps(images, second))[3:]]
    for ours, theirs in zip(found, expected, strict=True):
        assert torch.equal(ours, theirs)


def test_encoders_of_other_first_stages_are_not_joined():
    first, second = encoder("lite0"), encoder("lite0")
    for layer in (1, 8):
        next(second[layer].parameters()).data.add_(1.0)
    grafted = join.graft(first, second).encoder.state_dict()
    assert torch.equal(grafted["1.1.weight"], first.state_dict()["1.1.weight"])
    name = "8.0.row.0.0.weight"
    assert torch.equal(grafted[name], second.state_dict()[name])
    with pytest.raises(ValueError, match=r"differ in 1\.1\.weight"):
        join.join(first, second)


def test_settled_weights_are_the_same_numbers_in_bfloat16_and_stay_near():
    network = encoder("lite0")
    before = {name: value.clone() for name, value in network.state_dict().items()}
    apart = []
    for _ in range(2):
        rows = [
            [
                layer.weight.float()
                for layer in merged.merge(network, device=CPU, dtype=dtype).modules()
                if isinstance(layer, merged.MergedConvolution)
            ]
            for dtype in (torch.float32, torch.bfloat16)
        ]
        difference = [(one - other).abs().mean() for one, other in zip(*rows, strict=True)]
        apart.append(torch.stack(difference))
        rounding.settle(network)
    assert bool((apart[1][1:] < 0.3 * apart[0][1:]).all())
    assert apart[0][0] == 0  # the first is float32 in any precision
    for name, value in network.state_dict().items():
        assert torch.equal(value, value.half().to(value.dtype))
        torch.testing.assert_close(value, before[name], rtol=0.05, atol=0.02)
    assert isinstance(network, nn.Sequential)
