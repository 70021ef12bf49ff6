"""The three examples write out every field, name every choice between them, differ, and run."""

import csv
import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args, get_origin

import numpy as np
import pytest
import torch
from jsonschema.validators import validator_for
from rich.console import Console
from ruamel.yaml import YAML

from corpora import put_sound, speech_folder, tone
from tympan.component import Component, Section
from tympan.data import Source
from tympan.data.augmentations import Augmentation
from tympan.features import Feature
from tympan.models import Model
from tympan.objectives import Loss, Metric, Target
from tympan.runs.configuration import load
from tympan.runs.hardware import Hardware
from tympan.runs.naip import NaipAudio
from tympan.runs.resolved import dump
from tympan.runs.run import Run
from tympan.runs.train import train

torch.set_num_threads(1)

CONFIGS = Path(__file__).parents[2] / "configs"
EXAMPLES = [CONFIGS / name for name in ("example1.yaml", "example2.yaml", "example3.json")]
EACH = pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
RAW = {path: YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8")) for path in EXAMPLES}
RUNS = {path: load(path) for path in EXAMPLES}
KINDS: tuple[type[Component], ...] = (Source, Augmentation, Feature, Model, Target, Loss, Metric)


class Place(NamedTuple):
    """One section of an example: where it is, what was loaded, what was written."""

    example: Path
    path: tuple[str, ...]
    section: Section
    raw: Any


def places(path: Path) -> list[Place]:
    return list(_walk(path, (), RUNS[path], RAW[path]))


def _walk(example: Path, path: tuple[str, ...], value: Any, raw: Any) -> Iterator[Place]:
    if isinstance(value, Section):
        yield Place(example, path, value, raw)
        if isinstance(raw, dict):
            for name in type(value).model_fields:
                yield from _walk(example, (*path, name), getattr(value, name), raw.get(name))
    elif isinstance(value, dict):
        for name, inside in value.items():
            yield from _walk(example, (*path, name), inside, raw[name])
    elif isinstance(value, tuple):
        for number, inside in enumerate(value):
            yield from _walk(example, (*path, str(number)), inside, raw[number])


PLACES = [place for example in EXAMPLES for place in places(example)]


def choices(annotation: Any) -> set[Any]:
    """The words of a Literal, by itself or beside other types; not those inside of a list."""
    if get_origin(annotation) is Literal:
        return set(get_args(annotation))
    return set() if get_origin(annotation) is tuple else {c for a in get_args(annotation) for c in choices(a)}


def literals(section: type[Section]) -> dict[str, set[Any]]:
    """The fields that have choices."""
    return {n: found for n, field in section.model_fields.items() if (found := choices(field.annotation))}


def sections() -> set[type[Section]]:
    """Every section that is no component."""
    return {type(place.section) for place in PLACES if not isinstance(place.section, Component)}


def comments() -> dict[tuple[str, ...], set[str]]:
    """The words of the comments beside each field of the YAML examples, by its last two names: `("loss", "type")`.

    A comment is beside the field on its line, or on the lines above it.
    """
    found: dict[tuple[str, ...], set[str]] = {}
    for example in EXAMPLES[:2]:
        above: list[tuple[int, str]] = []
        at: tuple[str, ...] = ()
        for line in example.read_text(encoding="utf-8").splitlines():
            key = re.match(r"([ -]*)(\w+):", line)
            if key:
                above = [(indent, name) for indent, name in above if indent < len(key[1])] + [(len(key[1]), key[2])]
                at = tuple(name for _, name in above[-2:])
            elif not line.lstrip().startswith("#"):
                raise AssertionError(f"{example.name}: a line with neither field nor comment: {line}")
            _, _, comment = line.partition("#")
            found.setdefault(at, set()).update(re.findall(r"\w+", comment))
    return found


COMMENTS = comments()


def beside(kind: type[Component] | None, field: str) -> set[str]:
    """The words beside a field, of a component of this kind or of a section; or beside the component's own name."""
    paths = {p.path for p in PLACES if (p.section.kind() if isinstance(p.section, Component) else None) is kind}
    parents = {next((name for name in reversed(path) if not name.isdigit()), "") for path in paths}
    wanted = [(field,), *((parent, name) for parent in parents for name in ([field, "type"] if kind else [field]))]
    return set().union(*(COMMENTS.get(key, set()) for key in wanted))


def used(kind: type[Component] | None, field: str) -> set[Any]:
    """The values that a field has in the examples, of any component of a kind, or of any section."""
    return {
        getattr(p.section, field)
        for p in PLACES
        if (p.section.kind() if isinstance(p.section, Component) else None) is kind
        and field in type(p.section).model_fields
        and not isinstance(getattr(p.section, field), list | dict)
    }


def names(kind: type[Component]) -> set[str]:
    """The components of a kind that the examples use."""
    return {p.section.type for p in PLACES if isinstance(p.section, kind)}


def accepted(override: str, *others: str) -> list[str]:
    """The examples that take an override, with others that it needs."""
    taken = []
    for path in EXAMPLES:
        try:
            run = load(path, [override, *others])
        except ValueError:
            continue
        assert run != RUNS[path], f"{override} changes nothing in {path.name}"
        taken.append(path.name)
    return taken


NEEDED: dict[str, dict[str, Any]] = {
    "mixture": {"sources": {"a": {"type": "tone"}}},
    "obtained": {"otherwise": "tone"},
    "encoder_decoder": {"encoder": "cnn", "decoder": "lstm"},
    "wavenet": {"hears_past": False},
    "background": {"folder": "rooms"},
    "impulse_response": {"folder": "rooms"},
}
"""What no example has, and a component cannot be without where a target is given once per clip."""
_UNWEIGHTED = ["targets.condition.loss.positive_weights=null", "targets.severity.loss.class_weights=null"]
_SHAPE = ["target={type: shape}", "loss=overlap", "metrics=[overlap]", "checkpoint.monitor=val_loss"]
WITH = {
    "quantised": ["loss=cross_entropy"],
    "pitch": ["loss=bce", "target.rate=10", "data.crop=start"],  # without a rate there is nothing for viterbi
    **dict.fromkeys(("overlap", "radial_error"), _SHAPE),
    "shape": _SHAPE[1:],
    **{
        name: ["target.rate=10", "data.crop=start"]
        for kind in (Metric, Loss)
        for name in kind.names()
        if kind.find(name).timed
    },
}
"""What else must be chosen with a component."""


def overrides(kind: type[Component], name: str, **fields: Any) -> Iterator[str]:
    """What would choose a component wherever the examples have one of its kind, with what it must be told."""
    found = [p for p in PLACES if isinstance(p.section, kind)]
    must = [n for n, field in kind.find(name).model_fields.items() if field.is_required()]
    said = {n: p.raw[n] for n in must for p in found if isinstance(p.raw, dict) and n in p.raw}
    for place in found:
        yield f"{'.'.join(place.path)}={json.dumps({'type': name, **said, **NEEDED.get(name, {}), **fields})}"


@EACH
def test_every_field_is_written_out(path: Path) -> None:
    for place in places(path):
        fields = set(type(place.section).model_fields) | ({"type"} if isinstance(place.section, Component) else set())
        written = set(place.raw) if isinstance(place.raw, dict) else {"type"}  # metrics: [mae]
        assert written == fields, f"{path.name}: {'.'.join(place.path)}"


def test_every_kind_of_section_is_there() -> None:
    def inside(annotation: Any) -> Iterator[type[Section]]:
        if isinstance(annotation, type) and issubclass(annotation, Section):
            yield annotation
            if not issubclass(annotation, Component):
                for field in annotation.model_fields.values():
                    yield from inside(field.annotation)
        for argument in get_args(annotation):
            yield from inside(argument)

    everything = set(inside(Run))
    assert {s for s in everything if not issubclass(s, Component)} == sections() | {NaipAudio}  # instead of others
    assert set(YAML(typ="safe", pure=True).load(CONFIGS / "naip.yaml")["audio"]) == set(NaipAudio.model_fields)
    assert {s for s in everything if issubclass(s, Component)} == set(KINDS)


def test_every_component_is_used_or_named_beside_its_kind_and_can_be_chosen() -> None:
    for kind in KINDS:
        words = beside(kind, "type") | (beside(None, "validation") | beside(None, "test") if kind is Metric else set())
        assert set(kind.names()) - names(kind) <= words, kind
        for name in set(kind.names()) - names(kind):
            assert any(accepted(one, *WITH.get(name, [])) for one in overrides(kind, name)), f"no example takes {name}"


def test_every_choice_of_a_section_is_used_or_named_beside_its_field_and_can_be_chosen() -> None:
    tried = 0
    for section in sections():
        found = [p for p in PLACES if type(p.section) is section]
        for field, words in literals(section).items():
            values = {getattr(p.section, field) for p in found}
            missing = words - values
            assert missing <= beside(None, field), f"{section.__name__}.{field}"
            for word in missing:
                tries = ["=".join((".".join((*p.path, field)), str(word))) for p in found]
                others = _UNWEIGHTED if field == "balance" else []
                assert any(accepted(one, *others) for one in tries), f"no example takes {field}: {word}"
                tried += 1
    assert tried > 5
    assert {"cuda", "mps"} <= literals(Hardware)["device"]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_choice_of_a_component_is_used_or_named_beside_its_field_and_can_be_chosen(kind: type[Component]) -> None:
    for name in kind.names():
        for field, words in literals(kind.find(name)).items():
            assert {str(w) for w in words - used(kind, field)} <= beside(kind, field), f"{name}.{field}"
            for word in words - used(kind, field):
                own = [p for p in PLACES if isinstance(p.section, kind) and p.section.type == name]
                tries = [f"{'.'.join((*p.path, field))}={word}" for p in own]
                tries += overrides(kind, name, **{field: word})
                others = [] if own else WITH.get(name, [])
                assert any(accepted(one, *others) for one in tries), f"no example takes {name}.{field}: {word}"


def test_any_two_examples_differ_in_most_of_what_they_share() -> None:
    for one, other in itertools.combinations(EXAMPLES, 2):
        there = {p.path: p.section for p in places(other)}
        fields = [
            (".".join((*p.path, field)), getattr(p.section, field) != getattr(there[p.path], field))
            for p in places(one)
            if not isinstance(p.section, Component) and type(there.get(p.path)) is type(p.section)
            for field in type(p.section).model_fields
        ]
        same = [field for field, differs in fields if not differs]
        assert len(fields) > 50
        assert len(same) <= 0.4 * len(fields), f"{one.name} and {other.name} agree in {', '.join(same)}"


@EACH
def test_every_example_follows_the_schema(path: Path) -> None:
    schema = Run.model_json_schema()
    validator_for(schema)(schema).validate(RAW[path])
    if path.suffix == ".yaml":
        assert path.read_text(encoding="utf-8").startswith("# yaml-language-server: $schema=run.schema.json\n")
    else:
        assert json.loads(path.read_text(encoding="utf-8")) == RAW[path], "JSON, not YAML that looks like it"


@pytest.mark.parametrize(
    "path", sorted(p for p in CONFIGS.iterdir() if p.is_file() and p.stem != "run.schema"), ids=lambda p: p.name
)
def test_a_resolved_configuration_can_be_read_again(path: Path, tmp_path: Path) -> None:
    run = load(path)
    (tmp_path / "run.yaml").write_text(dump(run), encoding="utf-8")
    again = load(tmp_path / "run.yaml")
    assert dump(again) == dump(run)
    assert not re.search(r"^( *)\w+: *\n(?!\1[ -])", dump(run), re.MULTILINE), "null is written out"


def clinic(root: Path) -> None:
    """What example2 names: the sounds of the corpus of tests, and labels of its own in a folder of their own."""
    speech_folder.fabricate(str(root))
    (root / "splits").mkdir()
    labels = ["dysarthria", "dysphonia", "severity", "intelligibility", "speaking_rate"]
    (root / "labels.txt").write_text("\n".join(labels) + "\n")
    for part in speech_folder.SPEAKERS:
        with (root / f"{part}.csv").open() as old, (root / "splits" / f"{part}.csv").open("w", newline="") as new:
            rows = csv.writer(new)
            rows.writerow(["uid", "subject", *labels])
            for n, row in enumerate(csv.DictReader(old)):
                severity = ("none", "mild", "severe")[n % 3]
                rows.writerow(
                    [row["uid"], row["subject"], row["dysarthria"], (n // 3) % 2, severity, 90 - n, 3 + n / 7]
                )


def rooms(root: Path) -> None:
    """What example3 names: stereo takes in nine rooms, each louder on the side where it comes from."""
    root.mkdir()
    with (root / "takes.csv").open("w", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(["file", "take", "room", "part", "azimuth_deg", "distance_m"])
        for n in range(36):
            azimuth = -80 + 160 * n / 35
            right = np.array([[1 - (azimuth + 90) / 180], [(azimuth + 90) / 180]])
            put_sound(str(root / f"{n}.wav"), (right * tone(300, 0.4, 16000)).astype(np.float32), 16000)
            rows.writerow([f"{n}.wav", f"take {n}", f"room {n % 9}", "", f"{azimuth:.1f}", 1 + n % 4])


@EACH
@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning")  # of the trackers' own dependencies
def test_every_example_runs_dry(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    clinic(tmp_path / "clinic")
    rooms(tmp_path / "rooms")
    result = train(load(path, ["loader.num_workers=0"]), console=Console(quiet=True), dry_run=True)
    assert result.status == "complete"
    assert result.folder.parent == Path(RAW[path]["checkpoint"]["checkpoint_dir"])
    part = result.metrics["test" if RUNS[path].test else "validation"]
    assert set(part["model"]) >= {name for o in RUNS[path].outputs.values() for name in o.target.outputs}
    assert result.paths["report"].is_file()
