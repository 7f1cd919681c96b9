"""Official regressors: a pickled ridge becomes plain numbers."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from contrique_cli.errors import BadModelFile
from contrique_cli.models.official import recognising, ridgefile
from tests import official_files as synthetic
from tests.official_files import text, write

# ------------------------------------------------------------------------------ checkpoint


# ------------------------------------------------------------------------------ regressors


@pytest.mark.parametrize("columns", [False, True], ids=["flat", "one row"])
@pytest.mark.parametrize("are_names_old", [True, False], ids=["numpy 1 names", "own names"])
def test_a_ridge_predicts_as_scikit_learn_does(tmp_path, columns, are_names_old):
    model = synthetic.ridge(4096, columns=columns)
    assert model.coef_.dtype == np.float32
    data = synthetic.ridge_pickle(model) if are_names_old else pickle.dumps(model, protocol=3)
    path = write(tmp_path / "CLIVE.save", data)
    assert recognising.recognise(path) == recognising.RIDGE
    found = ridgefile.read(path)
    x = np.random.default_rng(1).random((20, 4096), dtype=np.float32) / 37
    expected = model.predict(x).ravel()
    np.testing.assert_allclose(x @ found.weights + found.bias, expected, atol=1e-3)
    np.testing.assert_array_equal(found.weights, np.ravel(model.coef_))
    assert found.bias == np.ravel(model.intercept_)[0]
    assert found.alpha == 0.1


def test_the_old_names_stand_in_the_synthetic_file_as_in_the_official_ones():
    data = synthetic.ridge_pickle(synthetic.ridge(8))
    assert b"cnumpy.core.multiarray\n_reconstruct\n" in data
    assert b"cnumpy.core.multiarray\nscalar\n" in data
    assert b"numpy._core" not in data
    assert text("1.0.1") in data
    assert data.startswith(b"\x80\x03csklearn.linear_model._ridge\nRidge\n")


@pytest.mark.parametrize(
    "attributes",
    [
        {"intercept_": 3.5},
        {"intercept_": np.float64(3.5)},
        {"intercept_": np.array([3.5])},
        {"intercept_": np.array(3.5, np.float32)},
        {"coef_": np.ones((1, 8), order="F")},
        {"coef_": np.ones(8, ">f4")},
        {"alpha": np.float64(0.5)},
        {"alpha": np.ones(3)},
    ],
)
@pytest.mark.parametrize("protocol", [2, 3])
def test_a_ridge_may_hold_its_numbers_in_several_ways(tmp_path, attributes, protocol):
    model = synthetic.ridge(8)
    vars(model).update(attributes)
    found = ridgefile.read(write(tmp_path / "x.save", pickle.dumps(model, protocol=protocol)))
    np.testing.assert_array_equal(found.weights, np.ravel(model.coef_))
    assert found.bias == np.ravel(model.intercept_)[0]


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"coef_": np.ones((2, 8), np.float32)}, "no fitted ridge"),
        ({"coef_": np.ones(8, np.int64)}, "no fitted ridge"),
        ({"coef_": None}, "no fitted ridge"),
        ({"coef_": np.full(8, np.nan)}, "not finite"),
        ({"coef_": np.full(8, 1e300)}, "not finite"),
        ({"intercept_": np.inf}, "not finite"),
        ({"intercept_": np.ones(2)}, "no fitted ridge"),
        ({"intercept_": 10**400}, "no fitted ridge"),
        ({"intercept_": True}, "no fitted ridge"),
        ({"coef_": np.array([1.0, None], object)}, r"numpy.dtype with odd arguments \(O8\)"),
        ({"feature_names_in_": np.array(["a"])}, r"numpy.dtype with odd arguments \(U1\)"),
        ({"coef_": np.ones((1, 1, 8))}, "odd state"),
        ({"coef_": np.zeros(3, [("a", "f4")])}, r"odd arguments \(V4\)"),
    ],
)
def test_a_ridge_without_sound_numbers_is_refused(tmp_path, attributes, words):
    model = synthetic.ridge(8)
    vars(model).update(attributes)
    with pytest.raises(BadModelFile, match=words):
        ridgefile.read(write(tmp_path / "x.save", pickle.dumps(model, protocol=3)))


def test_an_unfitted_ridge_is_refused(tmp_path):
    with pytest.raises(BadModelFile, match="no fitted ridge"):
        ridgefile.read(write(tmp_path / "x.save", pickle.dumps(Ridge(), protocol=3)))


@pytest.mark.parametrize("share", [0.01, 0.3, 0.9, 0.999])
def test_a_truncated_ridge_is_damaged(tmp_path, share):
    data = synthetic.ridge_pickle(synthetic.ridge(64))
    path = write(tmp_path / "x.save", data[: int(share * len(data))])
    with pytest.raises(BadModelFile, match="damaged"):
        ridgefile.read(path)


def test_truncated_or_changed_bytes_end_in_a_clear_error_or_a_ridge(tmp_path):
    data = synthetic.ridge_pickle(synthetic.ridge(8))
    rng = np.random.default_rng(0)
    path = tmp_path / "x.save"
    for length in range(0, len(data), 3):
        with pytest.raises(BadModelFile):
            ridgefile.read(write(path, data[:length]))
    for _ in range(500):
        changed_data = bytearray(data)
        for index in rng.integers(0, len(data), rng.integers(1, 4)):
            changed_data[index] = rng.integers(256)
        try:
            found = ridgefile.read(write(path, bytes(changed_data)))
        except BadModelFile:
            continue
        assert np.isfinite(found.weights).all()


def test_what_follows_a_ridge_is_refused(tmp_path):
    path = write(tmp_path / "x.save", synthetic.ridge_pickle(synthetic.ridge(8)) + b"more")
    with pytest.raises(BadModelFile, match="something else"):
        ridgefile.read(path)


def test_plain_data_is_no_ridge(tmp_path):
    with pytest.raises(BadModelFile, match="something else"):
        ridgefile.read(write(tmp_path / "x.save", pickle.dumps({"coef_": 1}, protocol=3)))
