"""The floor plan: which room may use which, and what starting the program may load."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGE = ROOT / "contrique_cli"

ROOMS = {
    "errors": "",
    "version": "",
    "config": "",
    "words": "",
    "files": "reading writing delimited tables ahead",
    "photos": (
        "kinds content memory bounds exif stars jpeg png tiff damage raw rgb pixels finding "
        "decoders decoding opening"
    ),
    "distortions": "randomness colour dct filters blur noise tone geometry jpeg jpeg2000 palette bank",
    "encoder": (
        "architectures seen efficientnet model merged backend tensorfile checkpoint cache.identity "
        "cache.sqlitefile cache.featurecache work capacity workers features cache.recall export "
        "pairs"
    ),
    "models": (
        "regressor flaws installed locating catalogue official.pickles official.recognising "
        "official.checkpointfile official.ridgefile importing"
    ),
    "reports": "rows reading frames journal thumbnails gallery",
    "collection": (
        "likeness sequences bursts xmp ratings picks rewrites transfer placement undo select"
    ),
    "scoring": "pipeline score compare watch contributions heatmap explain api",
    "shards": "picture places tars parquets listing facts results score tasks actors cluster",
    "opinions": "labels dataset metrics ridge ladders ranking fit taste evaluate",
    "pretraining": (
        "trainconfig runevents runfiles imagenet views batchplan photostore batches loss pace ranks "
        "learner runstate probe trainphotos lossplot runparts train"
    ),
    "cli": (
        "streams display console completion options given source deliver undo gallery rate bursts cache shards score watch "
        "compare features select explain opinions fit evaluate models train app"
    ),
}
"""The rooms in order, each with its files in order: a file imports only names to its left."""

PLAN = [
    f"{room}.{file}" if file else room
    for room, files in ROOMS.items()
    for file in (files.split() or [""])
]
ROOF = [name for name in PLAN if name.startswith("cli.")]

LIGHT = {
    *("errors", "version", "config", "words", "files.reading", "files.writing"),
    *("files.delimited", "files.tables"),
    *("photos.kinds", "photos.stars"),
    "models.installed",
    *(
        "reports.rows",
        "reports.reading",
        "collection.xmp",
        "collection.ratings",
        "collection.picks",
        "collection.rewrites",
    ),
    *("collection.select", "collection.transfer", "collection.placement", "collection.undo"),
    *(f"pretraining.{name}" for name in ("trainconfig", "runevents", "runfiles")),
}
"""Files of the standard library alone, which commands may import at their top."""

OWNERS = {
    "sklearn": {"opinions.fit"},
    "scipy": {"opinions.metrics", "opinions.ridge", "opinions.ranking"},
    "torchvision": {"encoder.model"},
    "pandas": {
        *(
            "files.delimited",
            "files.tables",
            "reports.reading",
            "reports.frames",
            "opinions.labels",
            "scoring.api",
        ),
    },
    "pyarrow": {"files.tables"},
    "sqlite3": {"encoder.cache.sqlitefile", "encoder.cache.featurecache"},
    "PIL": {
        *(f"photos.{name}" for name in "memory exif tiff rgb pixels".split()),
        *(f"photos.{name}" for name in "decoders decoding opening".split()),
        "scoring.heatmap",
        *("scoring.api", "pretraining.lossplot"),
    },
    "typer": set(ROOF),
    "rich": set(ROOF),
}
"""Packages that only these files may import."""


def name_of(path: Path) -> str:
    """A file's name in the plan; the front doors of rooms and of the package are not in it."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


FILES = {
    name_of(path): path
    for path in sorted(PACKAGE.rglob("*.py"))
    if path.stem not in ("__init__", "__main__")
}


def imports(path: Path) -> list[tuple[str, bool]]:
    """Modules that a file imports, ours as in the plan, and whether at its top."""
    tree = ast.parse(path.read_text())
    top = set(map(id, tree.body))
    for node in tree.body:
        if isinstance(node, ast.Try):  # `if TYPE_CHECKING:` never runs, so it does not count
            top |= set(map(id, ast.walk(node)))
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, id(node) in top) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None, f"{path}: import by the whole name"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                is_file = inner.removeprefix("contrique_cli.") in FILES
                found.append((inner if is_file else node.module, id(node) in top))
    return found


def ours(path: Path) -> list[tuple[str, bool]]:
    return [
        (module.removeprefix("contrique_cli."), at_top)
        for module, at_top in imports(path)
        if module.startswith("contrique_cli.")
    ]


def test_every_file_has_its_place_in_the_plan():
    assert set(FILES) == set(PLAN)
    assert len(PLAN) == len(set(PLAN))


@pytest.mark.parametrize("name", PLAN)
def test_a_file_imports_only_files_to_its_left(name):
    assert {module for module, _ in ours(FILES[name])} <= set(PLAN[: PLAN.index(name)])


@pytest.mark.parametrize("name", ROOF)
def test_a_command_imports_what_is_heavy_only_when_it_runs(name):
    at_top = {module for module, top in ours(FILES[name]) if top}
    assert at_top <= {*LIGHT, *ROOF}


@pytest.mark.parametrize("room", sorted(PACKAGE.rglob("__init__.py")), ids=str)
def test_the_front_door_of_a_room_holds_its_one_sentence(room):
    if room.parent != PACKAGE:
        (sentence,) = ast.parse(room.read_text()).body
        assert isinstance(sentence, ast.Expr)
        assert isinstance(sentence.value, ast.Constant)


@pytest.mark.parametrize("name", sorted(set(PLAN) - set(ROOF)))
def test_only_commands_print_or_exit(name):
    called = {
        node.func.id
        for node in ast.walk(ast.parse(FILES[name].read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert not called & {"print", "exit", "input"}


@pytest.mark.parametrize("package", OWNERS)
def test_a_package_is_imported_by_its_owners_only(package):
    users = {
        name
        for name, path in FILES.items()
        if any(module.split(".")[0] == package for module, _ in imports(path))
    }
    assert users <= OWNERS[package]


def test_nothing_in_the_package_opens_a_connection_or_a_pickle():
    banned = {"socket", "http", "requests", "ftplib", "shelve", "joblib", "urllib.request"}
    for name, path in FILES.items():
        modules = {module for module, _ in imports(path)}
        assert not {*modules, *(module.split(".")[0] for module in modules)} & banned, name


@pytest.mark.parametrize("name", PLAN)
def test_a_docstring_stands_without_the_name_in_front_of_it(name):
    """A tooltip shows it alone, so that "Of every batch norm." says nothing."""
    tree = ast.parse(FILES[name].read_text())
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)]
    words = [text.value for text in texts if isinstance(text, ast.Constant)]
    assert [text for text in words if isinstance(text, str) and text.startswith("Of ")] == []


TESTS = {
    ".".join(path.relative_to(ROOT / "tests").with_suffix("").parts).replace("test_", "")
    for path in (ROOT / "tests").rglob("test_*.py")
}


def test_every_file_has_the_tests_of_its_name():
    assert set(PLAN) - TESTS <= DECLARATIONS


def test_tests_in_a_room_bear_the_name_of_what_they_test():
    """Whatever is about several rooms lies beside them, not in one."""
    rooms = {one for one in TESTS if one.split(".")[0] in ROOMS and "." in one}
    page = {f"reports.page.{path.stem}" for path in (PACKAGE / "reports" / "page").glob("*.js")}
    assert rooms <= {*PLAN, *page}


DECLARATIONS = set("errors version config encoder.seen pretraining.runevents cli.options".split())
"""Files that only give names to things; who uses them tests them."""


def test_help_loads_nothing_heavy():
    code = (
        "import sys, contrique_cli\n"
        "from contrique_cli.cli.app import app\n"
        "try:\n    app(['--help'])\nexcept SystemExit as end:\n    assert not end.code\n"
        "heavy = 'torch torchvision sklearn scipy pandas numpy PIL safetensors'.split()\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True)
    assert done.stdout.splitlines()[-1] == b"[]"
