"""Official files are read as data, and hostile ones refused without running anything."""

from __future__ import annotations

import io
import os
import pickle
import tarfile
import time
import tracemalloc
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter
from sklearn.linear_model import Ridge
from torch.nn import functional

from contrique_cli.encoder import backend, features
from contrique_cli.errors import BadModelFile, RefusedPickle
from contrique_cli.models.official import checkpointfile, recognising, ridgefile
from contrique_cli.photos import pixels as photo_pixels
from tests import official_files as synthetic
from tests.official_files import text, write

# ------------------------------------------------------------------------------ checkpoint


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Such small networks gain nothing by threads, and on a busy machine they wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def network():
    return synthetic.resnet("resnet50")


@pytest.fixture(scope="module")
def checkpoint_path(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("official") / "CONTRIQUE_checkpoint25.tar"
    torch.save(synthetic.official_state(network), path)
    return path


@pytest.fixture(scope="module")
def small_state():
    """A resnet18 of which each tensor repeats one number of its own: small files."""
    state = synthetic.official_state(synthetic.resnet("resnet18"))
    for place, (name, value) in enumerate(state.items()):
        state[name] = torch.tensor(place + 1).to(value.dtype).expand(value.shape)
    return state


def published_features(network, image):
    """The published pipeline, written naively: Pillow halves, torchvision pools."""
    width, height = image.size
    half = image.resize((width // 2, height // 2), Image.Resampling.BICUBIC)
    parts = []
    with torch.inference_mode():
        for scale in (image, half):
            pixels = torch.from_numpy(np.asarray(scale) / np.float32(255)).permute(2, 0, 1)[None]
            parts.append(functional.normalize(network(pixels), dim=1))
    return torch.cat(parts, dim=1).numpy()


def photo(width, height, seed):
    """Smooth shapes under a little noise, as photos are; values at both ends of the range."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8))
    smooth = coarse.resize((width, height), Image.Resampling.NEAREST)
    smooth = np.asarray(smooth.filter(ImageFilter.GaussianBlur(seed % 3)), np.float32)
    noisy = smooth + rng.normal(0, 4 * (seed % 4), smooth.shape)
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


def test_imported_weights_give_the_features_of_the_published_code(network, checkpoint_path):
    model = checkpointfile.read(checkpoint_path)
    assert model.arch == "resnet50"
    differences, published = [], []
    for seed, size in enumerate([(128, 96), (97, 131), (255, 64), (65, 65), (123, 201)]):
        image = photo(*size, seed)
        pixels = photo_pixels.to_tensor(image)[None]
        ours = features.embed_scales(backend.Embed(model, "fp32"), pixels).numpy()
        published.append(published_features(network, image))
        differences.append(np.abs(ours - published[-1]).max())
    assert max(differences) < 1e-4  # point 10 of issue 2; 3e-6 was seen
    assert np.ptp(np.concatenate(published), axis=0).max() > 1e-2  # photos do differ


def test_every_tensor_of_the_checkpoint_arrives_unchanged(checkpoint_path, network):
    model = checkpointfile.read(checkpoint_path)
    expected = torch.load(checkpoint_path, weights_only=True)
    state = model.state_dict()
    assert set(state) == set(expected)
    assert all(torch.equal(state[name], expected[name]) for name in expected)


@pytest.mark.parametrize("is_zip", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("wrap", ["bare", "module", "state_dict"])
def test_a_resnet18_is_recognised_by_its_shapes_in_any_wrapping(
    small_state, tmp_path, is_zip, wrap
):
    state = OrderedDict(
        (f"module.{name}" if wrap == "module" else name, value)
        for name, value in small_state.items()
    )
    optimizer = {"state": {0: {"step": 3}}, "param_groups": [{"lr": 0.6, "params": [0, 1]}]}
    content = {"epoch": 25, "optimizer": optimizer, "state_dict": state}
    path = tmp_path / "any.tar"
    torch.save(
        content if wrap == "state_dict" else state, path, _use_new_zipfile_serialization=is_zip
    )
    assert recognising.recognise(path) == recognising.CHECKPOINT
    model = checkpointfile.read(path)
    assert model.arch == "resnet18"
    assert torch.equal(model.encoder[0].weight, small_state["encoder.0.weight"])


def test_a_checkpoint_from_before_batch_counters_is_complete(small_state, tmp_path):
    path = tmp_path / "old.tar"
    torch.save({n: v for n, v in small_state.items() if "num_batches" not in n}, path)
    assert checkpointfile.read(path).encoder[1].num_batches_tracked == 0


def changed(state, name, value):
    return {**state, name: value}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: {n: v for n, v in s.items() if n != "encoder.0.weight"}, "0.weight is missing"),
        (lambda s: changed(s, "encoder.0.bias", torch.ones(64)), "encoder.0.bias is not known"),
        (lambda s: changed(s, "fc\x1b[2J", torch.ones(1)), r"fc\\x1b\[2J is not known"),
        (lambda s: changed(s, "encoder.1.weight", torch.ones(65)), r"shape \(65,\) instead of"),
        (lambda s: changed(s, "encoder.1.weight", torch.ones(64).long()), "is torch.int64"),
        (lambda s: changed(s, "encoder.1.weight", torch.full((64,), np.nan)), "impossible"),
        (lambda s: changed(s, "encoder.1.running_var", -torch.ones(64)), "impossible"),
        (lambda s: changed(s, "module.encoder.1.weight", torch.ones(64)), "same name"),
        (lambda s: {"epoch": 3}, "no state dict"),
        (lambda s: {"state_dict": [1, 2]}, "no state dict"),
        (lambda s: torch.ones(3), "no state dict"),
    ],
)
def test_weights_that_are_not_a_whole_model_are_named(small_state, tmp_path, change, words):
    path = tmp_path / "x.tar"
    torch.save(change(small_state), path)
    with pytest.raises(BadModelFile, match=words):
        checkpointfile.read(path)


def test_half_precision_is_refused_by_name(small_state, tmp_path):
    path = tmp_path / "x.tar"
    torch.save({n: v.half() for n, v in small_state.items()}, path)
    with pytest.raises(RefusedPickle, match=r"asks for torch\.HalfStorage"):
        checkpointfile.read(path)


@pytest.mark.parametrize("is_zip", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("share", [0.001, 0.5, 0.999])
def test_a_truncated_checkpoint_is_damaged(tmp_path, is_zip, share):
    buffer = io.BytesIO()
    torch.save({"a": torch.ones(100_000)}, buffer, _use_new_zipfile_serialization=is_zip)
    data = buffer.getvalue()
    path = write(tmp_path / "x.tar", data[: int(share * len(data))])
    with pytest.raises(BadModelFile, match="damaged"):
        checkpointfile.read(path)


def test_a_flipped_bit_in_the_checkpoint_is_found(tmp_path):
    buffer = io.BytesIO()
    torch.save({"a": torch.ones(100_000)}, buffer)
    data = bytearray(buffer.getvalue())
    data[len(data) // 2] ^= 1
    with pytest.raises(BadModelFile, match="damaged"):
        checkpointfile.read(write(tmp_path / "x.tar", bytes(data)))


# ------------------------------------------------------------------------------ hostile checkpoints

STORAGE = b"(" + text("storage") + b"ctorch\nFloatStorage\n"


def tensor(key, count, shape, stride):
    """A tensor in a checkpoint's pickle; shape and stride as pickled tuples."""
    reference = STORAGE + text(key) + text("cpu") + number(count) + b"tQ"
    hooks = b"ccollections\nOrderedDict\n)R"
    return (
        b"ctorch._utils\n_rebuild_tensor_v2\n(" + reference + b"K\x00" + shape + stride
        + b"\x89" + hooks + b"tR"
    )  # fmt: skip


def number(value):
    data = value.to_bytes(9, "little", signed=True)
    return b"\x8a" + bytes([len(data)]) + data


def torch_zip(path, pickled, storages=None, *, compress=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compress) as archive:
        archive.writestr("archive/data.pkl", pickled)
        archive.writestr("archive/version", "3\n")
        for key, data in (storages or {}).items():
            archive.writestr(f"archive/data/{key}", data)
    return path


BAD_TENSORS = {
    "more numbers than the file holds": tensor("0", 10**12, b"K\x04\x85", b"K\x01\x85"),
    "another storage": tensor("7", 4, b"K\x04\x85", b"K\x01\x85"),
    "negative size": tensor("0", -4, b"K\x04\x85", b"K\x01\x85"),
    "negative stride": tensor("0", 4, b"K\x04\x85", b"J\xff\xff\xff\xff\x85"),
    "five dimensions": tensor("0", 4, b"(" + b"K\x01" * 5 + b"t", b"(" + b"K\x01" * 5 + b"t"),
    "shape is text": tensor("0", 4, text("1234"), b"K\x01\x85"),
}


@pytest.mark.parametrize("case", BAD_TENSORS)
def test_a_tensor_that_its_file_cannot_hold_is_refused(tmp_path, case):
    pickled = b"\x80\x02}" + text("encoder.0.weight") + BAD_TENSORS[case] + b"s."
    path = torch_zip(tmp_path / "x.tar", pickled, {"0": bytes(16)})
    with pytest.raises(BadModelFile, match=r"lacks numbers|odd"):
        checkpointfile.read(path)


def test_one_number_repeated_a_million_million_times_is_a_wrong_shape(small_state, tmp_path):
    path = tmp_path / "x.tar"
    torch.save(changed(small_state, "encoder.1.weight", torch.ones(1).expand(10**12)), path)
    with pytest.raises(BadModelFile, match=r"shape \(1000000000000,\)"):
        checkpointfile.read(path)


def test_a_tensor_beyond_its_storage_is_damage(tmp_path):
    beyond = tensor("0", 4, number(64) + b"\x85", b"K\x01\x85")
    path = torch_zip(
        tmp_path / "x.tar", b"\x80\x02}" + text("a") + beyond + b"s.", {"0": bytes(16)}
    )
    with pytest.raises(BadModelFile):
        checkpointfile.read(path)


def test_a_zip_bomb_laid_out_like_a_checkpoint_is_not_unpacked(tmp_path):
    path = torch_zip(
        tmp_path / "x.tar", b"\x80\x02}.", {"0": bytes(1 << 28)}, compress=zipfile.ZIP_DEFLATED
    )
    assert path.stat().st_size < 1 << 20
    with pytest.raises(BadModelFile, match="compressed"):
        checkpointfile.read(path)


def test_a_zip_archive_of_something_else_is_no_checkpoint(tmp_path):
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(BadModelFile, match="not a torch checkpoint"):
        checkpointfile.read(path)


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
        for place in rng.integers(0, len(data), rng.integers(1, 4)):
            changed_data[place] = rng.integers(256)
        try:
            found = ridgefile.read(write(path, bytes(changed_data)))
        except BadModelFile:
            continue
        assert np.isfinite(found.weights).all()


# ------------------------------------------------------------------------------ hostile pickles


class Calls:
    """Pickles as a call of a function."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def in_ridge(value):
    """A pickled ridge with a value among its attributes."""
    model = Ridge()
    model.extra = value
    return pickle.dumps(model, protocol=3)


RIDGE = b"csklearn.linear_model._ridge\nRidge\n)\x81"
DTYPE = b"cnumpy\ndtype\n" + text("f4") + b"\x89\x88\x87R"
EMPTY = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R"


def hostile(marker):
    touch = f"touch {marker}"
    run = f"open({str(marker)!r}, 'w')"
    system = b"cposix\nsystem\n" + text(touch) + b"\x85R"
    return {
        "os.system": b"\x80\x03" + system + b".",
        "os.system under another module's name": b"\x80\x03" + system.replace(b"posix", b"os")
        + b".",
        "eval": pickle.dumps(Calls(eval, run), protocol=3),
        "exec in a ridge": in_ridge(Calls(exec, run)),
        "eval in a list in a ridge": in_ridge([1, (2, Calls(eval, run))]),
        "getattr chain": pickle.dumps(
            Calls(eval, Calls(getattr, Calls(getattr, "", "__class__"), "__name__")), protocol=3
        ),
        "numpy load": b"\x80\x03cnumpy\nload\n" + text(str(marker)) + b"\x85R.",
        "numpy runstring": b"\x80\x03cnumpy.testing._private.utils\nrunstring\n" + text(run)
        + b"}\x86R.",
        "name with a dot": b"\x80\x03cnumpy\nndarray.tofile\n" + text(str(marker)) + b"\x85R.",
        "name split elsewhere": b"\x80\x03cnumpy dtype\n\n.",
        "copyreg extension": b"\x80\x03\x82\x01.",
        "protocol 0": pickle.dumps(Calls(os.system, touch), protocol=0),
        "protocol 0 INST": b"(S'" + touch.encode() + b"'\nios\nsystem\n.",
        "protocol 1": pickle.dumps(Calls(os.system, touch), protocol=1),
        "protocol 4": pickle.dumps(Calls(os.system, touch), protocol=4),
        "protocol 5": pickle.dumps(synthetic.ridge(8), protocol=5),
        "persistent id": b"\x80\x03" + text("x") + b"Q.",
        "ridge called with arguments": b"\x80\x03" + RIDGE.replace(b")", b"K\x01\x85") + b".",
        "ridge state is a tuple": b"\x80\x03" + RIDGE + b"N}\x86b.",
        "ridge state is a ridge": b"\x80\x03" + RIDGE + RIDGE + b"b.",
        "items of a ridge": b"\x80\x03" + RIDGE + text("__class__") + b"Ns.",
        "state of text": b"\x80\x03" + text("x") + b"}b.",
        "state of a name": b"\x80\x03cnumpy\ndtype\n}" + text("__call__") + b"Nsb.",
        "call of a ridge": b"\x80\x03" + RIDGE + b")R.",
        "call of numpy.ndarray": b"\x80\x03cnumpy\nndarray\n" + number(10**12) + b"\x85R.",
        "arguments that are no tuple": b"\x80\x03cnumpy\ndtype\n" + text("f4") + b"R.",
        "dtype of objects": b"\x80\x03" + DTYPE.replace(text("f4"), text("O8")) + b".",
        "dtype of no text": b"\x80\x03" + DTYPE.replace(text("f4"), b"}") + b".",
        "dtype with fields": b"\x80\x03" + DTYPE + b"(K\x03" + text("<") + b"N)}J\xff\xff\xff\xff"
        + b"J\xff\xff\xff\xffK\x00tb.",
        "array of another type": b"\x80\x03" + EMPTY.replace(b"ndarray", b"dtype") + b".",
        "array state is a dict": b"\x80\x03" + EMPTY + b"}b.",
        "array larger than its bytes": b"\x80\x03" + EMPTY + b"(K\x01K\x09\x85" + DTYPE
        + b"\x89C\x04abcdtb.",
        "array of negative length": b"\x80\x03" + EMPTY + b"(K\x01J\xff\xff\xff\xff\x85" + DTYPE
        + b"\x89C\x00tb.",
        "array of an immense shape": b"\x80\x03" + EMPTY + b"(K\x01" + number(1 << 60) + b"K\x00\x86"
        + DTYPE + b"\x89C\x00tb.",
        "scalar without bytes": b"\x80\x03cnumpy.core.multiarray\nscalar\n" + DTYPE + b"C\x00\x86R.",
        "scalar of a list": b"\x80\x03cnumpy.core.multiarray\nscalar\n" + DTYPE + b"]\x86R.",
        "another encoding": b"\x80\x03c_codecs\nencode\n" + text("x") + text("rot13") + b"\x86R.",
        "dictionary key that is a tuple": b"\x80\x03})Ns.",
        "append to a tuple": b"\x80\x03)Na.",
        "terminal codes": b"\x80\x03cos\n\x1b[2Jrm\n.",
    }  # fmt: skip


@pytest.mark.parametrize("case", hostile("x"))
def test_a_pickle_that_asks_for_more_than_data_is_refused_and_not_run(tmp_path, case):
    marker = tmp_path / "executed"
    path = write(tmp_path / "CLIVE.save", hostile(marker)[case])
    assert recognising.recognise(path) == recognising.RIDGE
    with pytest.raises(RefusedPickle) as caught:
        ridgefile.read(path)
    assert not marker.exists()
    assert str(caught.value).isprintable()


def test_the_payloads_above_would_have_run(tmp_path):
    marker = tmp_path / "executed"
    pickle.loads(hostile(marker)["os.system"])  # noqa: S301 - ours: it makes one empty file
    assert marker.exists()


@pytest.mark.parametrize("case", ["os.system", "exec in a ridge"])
@pytest.mark.parametrize("is_zip", [True, False], ids=["zip", "legacy"])
def test_a_checkpoint_that_asks_for_more_than_tensors_is_refused(tmp_path, case, is_zip):
    marker = tmp_path / "executed"
    pickled = hostile(marker)[case]
    path = tmp_path / "x.tar"
    if is_zip:
        torch_zip(path, pickled)
    else:
        torch.save({}, path, _use_new_zipfile_serialization=False)
        head = b"".join(pickle.dumps(x, protocol=2) for x in (0x1950A86A20F9469CFC6C, 1001, {}))
        assert path.read_bytes().startswith(head[:15])
        path.write_bytes(head + pickled)
    assert recognising.recognise(path) == recognising.CHECKPOINT
    with pytest.raises(RefusedPickle, match=r"asks for (posix\.system|sklearn)"):
        checkpointfile.read(path)
    assert not marker.exists()


def test_the_refusal_says_what_was_asked_for_and_that_nothing_ran(tmp_path):
    path = write(tmp_path / "CLIVE.save", hostile(tmp_path / "x")["eval in a list in a ridge"])
    with pytest.raises(RefusedPickle, match=r"asks for builtins\.eval, .* nothing of it was exec"):
        ridgefile.read(path)


def doubled(value):
    """A tuple of two of itself, 200 times over: cheap to hold, endless to walk or to hash."""
    steps = [value + b"r" + (0).to_bytes(4, "little")]
    for step in range(200):
        get, put = b"j" + step.to_bytes(4, "little"), b"r" + (step + 1).to_bytes(4, "little")
        steps.append(b"0".replace(b"0", get + get + b"\x86" + put))
    return b"".join(steps)


LAUGHS = doubled(text("ha"))

BOMBS = {
    "laughs as a value": b"\x80\x03" + LAUGHS + b".",
    "laughs as a key": b"\x80\x03}" + LAUGHS + b"Ns.",
    "laughs as a ridge's weights": b"\x80\x03" + RIDGE + b"}" + text("coef_") + LAUGHS + b"sb.",
    "laughs as a ridge's state": b"\x80\x03" + RIDGE + LAUGHS + b"b.",
    "laughs as arguments": b"\x80\x03cnumpy\ndtype\n" + LAUGHS + b"N\x89\x87R.",
    "laughs as an array's state": b"\x80\x03" + EMPTY + b"(K\x01" + LAUGHS + DTYPE + b"\x89NNtb.",
    "a million dictionaries": b"\x80\x03" + b"}" * 1_000_000 + b".",
    "a million marks": b"\x80\x03" + b"(" * 1_000_000 + b".",
    "deep lists": b"\x80\x03" + b"]" * 190_000 + b"a" * 9_000 + b".",
    "text of 4 GB": b"\x80\x03X\xff\xff\xff\xffabc.",
    "bytes of 4 GB": b"\x80\x03B\xff\xff\xff\xffabc.",
    "bytes of 8 EB": b"\x80\x03\x8e\xff\xff\xff\xff\xff\xff\xff\x7fabc.",
    "a frame of 8 EB": b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7fabc.",
    "an integer of 2 GB": b"\x80\x03\x8b\xff\xff\xff\x7fabc.",
    "20 MB": b"\x80\x03B" + (20_000_000).to_bytes(4, "little") + bytes(20_000_000) + b".",
}


@pytest.mark.parametrize("case", BOMBS)
def test_a_bomb_goes_off_in_little_time_and_memory(tmp_path, case):
    path = write(tmp_path / "CLIVE.save", BOMBS[case])
    start = time.monotonic()
    tracemalloc.start()
    try:
        with pytest.raises(BadModelFile):
            ridgefile.read(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 64e6
    assert time.monotonic() - start < 10  # seconds, on a busy machine


def test_what_follows_a_ridge_is_refused(tmp_path):
    path = write(tmp_path / "x.save", synthetic.ridge_pickle(synthetic.ridge(8)) + b"more")
    with pytest.raises(BadModelFile, match="something else"):
        ridgefile.read(path)


def test_plain_data_is_no_ridge(tmp_path):
    with pytest.raises(BadModelFile, match="something else"):
        ridgefile.read(write(tmp_path / "x.save", pickle.dumps({"coef_": 1}, protocol=3)))


# ------------------------------------------------------------------------------ recognising


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"hello\n", "no official CONTRIQUE file"),
        (b"404: Not Found", "no official CONTRIQUE file"),
        (b"<!DOCTYPE html><title>Sign in</title>", "no official CONTRIQUE file"),
        (b".", "no official CONTRIQUE file"),
        (b"\x1f\x8b\x08 joblib, compressed", "no official CONTRIQUE file"),
    ],
)
def test_a_file_of_another_kind_is_named(tmp_path, data, words):
    with pytest.raises(BadModelFile, match=words):
        recognising.recognise(write(tmp_path / "CONTRIQUE_checkpoint25.tar", data))


def test_a_real_tar_archive_is_explained(tmp_path):
    path = tmp_path / "CONTRIQUE_checkpoint25.tar"
    with tarfile.open(path, "w") as archive:
        archive.addfile(tarfile.TarInfo("sys_info"), io.BytesIO())
    with pytest.raises(BadModelFile, match="real tar archive"):
        recognising.recognise(path)


def test_what_is_no_regular_file_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name, words in [(".", "a folder"), ("pipe", "not a regular"), ("none", "no such file")]:
        with pytest.raises(BadModelFile, match=words):
            recognising.recognise(tmp_path / name)


def test_a_name_does_not_decide_what_a_file_is(tmp_path, small_state):
    ridge = write(tmp_path / "x.tar", synthetic.ridge_pickle(synthetic.ridge(8)))
    torch.save(OrderedDict(a=torch.ones(1)), tmp_path / "CLIVE.save")
    assert recognising.recognise(ridge) == recognising.RIDGE
    assert recognising.recognise(tmp_path / "CLIVE.save") == recognising.CHECKPOINT
