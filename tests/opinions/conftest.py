"""What tests of several files about opinions need."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.opinion_tables import make_collection


@pytest.fixture(scope="package")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_collection(tmp_path_factory.mktemp("collection"))
