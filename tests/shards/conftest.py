"""What tests of several parts of a cluster need."""

from __future__ import annotations

import pytest


@pytest.fixture
def model(tiny_regressor, home) -> dict[str, str | None]:
    """By path, since the actors of a cluster know another home."""
    return {
        "model": str(home / "encoders" / "tiny.safetensors"),
        "regressor": str(home / "regressors" / "tiny.safetensors"),
        "device": "cpu",
    }
