"""Official pickles: data is read, and nothing that one asks for is run."""

from __future__ import annotations

import os
import pickle
import time
import tracemalloc

import pytest
import torch
from sklearn.linear_model import Ridge

from contrique_cli.errors import BadModelFile, RefusedPickle
from contrique_cli.models.official import checkpointfile, recognising, ridgefile
from tests import official_files as synthetic
from tests.official_files import number, text, torch_zip, write

# ------------------------------------------------------------------------------ checkpoint


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
    start = time.process_time()
    tracemalloc.start()
    try:
        with pytest.raises(BadModelFile):
            ridgefile.read(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 64e6
    assert time.process_time() - start < 10  # seconds of the processor
