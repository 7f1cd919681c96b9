"""The floor plan: who may import whom, and what starting the program may load."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest

from tests.conftest import ROOT

PACKAGE = ROOT / "contrique_cli"

NOUNS = (
    "errors config files modelfiles report journal xmp ratings reportfile picks transfer placement "
    "undofile bounds exif rawfile rgb images likeness resnet efficientnet imagenet model merged backend tensorfile checkpoint regressor flaws "
    "weights capacity features identity sqlitefile featurecache recall thumbnails gallery featurefile pairs "
    "labels samples metrics ridge gridding contributions heatmap "
    "official.pickles official official.checkpointfile official.ridgefile "
    "distortions.randomness distortions.colour distortions.dct distortions.blur "
    "distortions.noise distortions.tone distortions.geometry distortions.jpeg "
    "distortions.jpeg2000 distortions.palette distortions ladders prior "
    "pretraining pretraining.trainconfig pretraining.runevents pretraining.runfiles "
    "pretraining.views pretraining.batchplan pretraining.photostore pretraining.batches "
    "pretraining.loss pretraining.schedule pretraining.pace pretraining.ranks "
    "pretraining.learner pretraining.runstate pretraining.probe pretraining.trainphotos "
    "pretraining.lossplot pretraining.runparts"
).split()
"""Each imports only names to its left."""

VERBS = (
    "score explain bursts watch compare fit evaluate catalogue train selecting undoing"
).split()
"""Each imports nouns, never a verb."""

DOORS = ["api"]
"""What other programs come in by: imports nouns and verbs; `__init__` loads it when it is used."""

ROOF = [
    "completion",
    "console",
    "cli_report",
    "cli_gallery",
    "cli_xmp",
    "cli_bursts",
    "cli_watch",
    "cli_cache",
    "cli_score",
    "cli_select",
    "cli_explain",
    "cli_fit",
    "cli_models",
    "cli_train",
    "cli",
    "__main__",
]
"""Each imports names to its left, and light nouns; verbs only inside a command."""

LIGHT = (
    ["errors", "config", "files", "modelfiles", "report", "xmp", "ratings"]
    + [*("reportfile", "picks", "transfer", "placement", "undofile")]
    + [f"pretraining.{name}" for name in ("trainconfig", "runevents", "runfiles")]
)
"""Nouns of the standard library alone, which the roof may import at the top."""

OWNERS = {
    "sklearn": ["fit"],
    "scipy": ["metrics", "ridge", "prior"],
    "torchvision": [],
    "sqlite3": ["sqlitefile", "featurecache"],
    "PIL": ["exif", "rgb", "images", "heatmap", "api", "pretraining.lossplot"],
    "typer": ROOF,
    "rich": ROOF,
}
"""Packages that only these modules may import."""


def parse(name: str) -> ast.Module:
    """A room's syntax; a package is the room of its `__init__`."""
    path = PACKAGE / name.replace(".", "/")
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(file.read_text())


def imports(name: str) -> list[tuple[str, bool]]:
    """Modules that a file imports, ours without the package's name, and whether at its top."""
    tree = parse(name)
    top = set(map(id, tree.body))
    for node in tree.body:
        if isinstance(node, ast.Try):  # `if TYPE_CHECKING:` never runs, so it does not count
            top |= set(map(id, ast.walk(node)))
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, id(node) in top) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                is_room = inner.removeprefix("contrique_cli.") in (*NOUNS, *VERBS, *DOORS, *ROOF)
                found.append((inner if is_room else node.module, id(node) in top))
    return [(name, at_top) for name, at_top in found if name != "contrique_cli"]


def ours(name: str) -> list[tuple[str, bool]]:
    return [
        (module.removeprefix("contrique_cli."), at_top)
        for module, at_top in imports(name)
        if module.startswith("contrique_cli.")
    ]


def test_every_file_has_its_place_in_the_plan():
    files = {
        ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")
        for path in PACKAGE.rglob("*.py")
    }
    assert files - {"__init__"} == {*NOUNS, *VERBS, *DOORS, *ROOF}


@pytest.mark.parametrize("name", NOUNS)
def test_a_noun_imports_only_nouns_to_its_left(name):
    assert {module for module, _ in ours(name)} <= set(NOUNS[: NOUNS.index(name)])


@pytest.mark.parametrize("name", VERBS)
def test_a_verb_imports_only_nouns(name):
    assert {module for module, _ in ours(name)} <= set(NOUNS)


@pytest.mark.parametrize("name", DOORS)
def test_a_door_imports_only_nouns_and_verbs(name):
    assert {module for module, _ in ours(name)} <= {*NOUNS, *VERBS}


@pytest.mark.parametrize("name", ROOF)
def test_the_roof_imports_verbs_and_heavy_nouns_only_when_a_command_runs(name):
    at_top = {module for module, top in ours(name) if top}
    assert at_top <= {*LIGHT, *ROOF[: ROOF.index(name)]}


@pytest.mark.parametrize("name", [*NOUNS, *VERBS, *DOORS])
def test_only_the_roof_prints_or_exits(name):
    tree = parse(name)
    called = {
        node.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert not called & {"print", "exit", "input"}


@pytest.mark.parametrize("package", OWNERS)
def test_a_package_is_imported_by_its_owners_only(package):
    users = {
        name
        for name in (*NOUNS, *VERBS, *DOORS, *ROOF)
        if any(module.split(".")[0] == package for module, _ in imports(name))
    }
    assert users <= set(OWNERS[package])


def test_nothing_in_the_package_opens_a_connection_or_a_pickle():
    banned = {"socket", "urllib", "http", "requests", "ftplib", "shelve", "joblib"}
    for name in (*NOUNS, *VERBS, *DOORS, *ROOF):
        assert not {module.split(".")[0] for module, _ in imports(name)} & banned, name


def test_help_loads_nothing_heavy_and_is_quick():
    code = (
        "import sys, contrique_cli, contrique_cli.cli\n"
        "heavy = 'torch torchvision sklearn scipy pandas numpy PIL safetensors'.split()\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True)
    assert done.stdout.strip() == b"[]"
