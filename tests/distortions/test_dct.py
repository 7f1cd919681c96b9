"""The 8x8 cosine transform against SciPy's."""

from __future__ import annotations

import numpy as np
import scipy.fft
import torch
from torch.testing import assert_close

from contrique_cli.distortions.dct import dct_basis


def test_basis_equals_scipys_transform() -> None:
    block = np.random.default_rng(0).random((8, 8)).astype(np.float32)
    expected = torch.from_numpy(scipy.fft.dctn(block, norm="ortho"))
    basis = dct_basis()
    assert_close(basis @ torch.from_numpy(block) @ basis.T, expected, atol=1e-5, rtol=0)


def test_basis_is_orthonormal() -> None:
    assert_close(dct_basis() @ dct_basis().T, torch.eye(8), atol=1e-6, rtol=0)
