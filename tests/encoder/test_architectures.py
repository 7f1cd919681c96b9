"""Architectures: what their numbers promise is what the encoder gives."""

from __future__ import annotations

import pytest
import torch

from contrique_cli.encoder.architectures import ARCHITECTURES
from contrique_cli.encoder.model import Contrique


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_every_architecture_gives_unit_vectors_of_its_channels(arch):
    model = Contrique(arch).eval()
    with torch.inference_mode():
        features = model.embed(torch.rand(2, 3, 70, 64))
    assert features.shape == (2, ARCHITECTURES[arch].channels)
    torch.testing.assert_close(features.norm(dim=1), torch.ones(2))
