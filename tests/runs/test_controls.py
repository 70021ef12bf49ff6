"""Controls: a label that the recording alone tells is suspect, in words everywhere; one that the sound tells is not."""

import json
from io import StringIO

import numpy as np
import pytest
import soundfile
import torch
from rich.console import Console

from corpora import put_sound, voice
from runs_helpers import run_of, trained
from tympan.data import storage
from tympan.data.split import Parts
from tympan.objectives.targets.binary import Binary
from tympan.reports import facts, suspects, terminal
from tympan.reports.clinical import NO_DEVICE
from tympan.reports.suspects import CONTROLS
from tympan.runs.controls import RECORDING, Controls
from tympan.runs.prepare import prepare

SPEAKERS = 24


def clinic(root: str, confounded: bool) -> dict:
    """Speakers whose label is in their sound, and where confounded in how loud and by what it was recorded."""
    rng = np.random.default_rng(0)
    rows = {"train": ["uid,subject,age,sex,ill"], "test": ["uid,subject,age,sex,ill"]}
    for n in range(SPEAKERS):
        ill = n % 2
        for take in range(2):
            uid = f"u-{n}-{take}"
            sound = voice(10 * n + take, 0.5, 8000) + 0.2 * np.sin(np.arange(4000) * (2.0 if ill else 1.2))
            sound[:800] = 1e-3 * rng.standard_normal(800)  # nobody speaks yet
            sound = sound / np.abs(sound).max() * (0.1 if confounded and not ill else 0.5)
            kind = "flac" if confounded and not ill else "wav"
            put_sound(f"{root}/recordings/{uid}/waveform.{kind}", sound.astype(np.float32), 8000)
            metadata = {"encoding": kind.upper(), "sample_rate_hz": 8000}
            storage.write_text(f"{root}/recordings/{uid}/metadata.json", json.dumps(metadata))
            part = "test" if n >= SPEAKERS // 2 else "train"
            rows[part].append(f"{uid},s{n},{rng.integers(30, 80)},{'mf'[n % 3 % 2]},{ill}")
    for part, lines in rows.items():
        storage.write_text(f"{root}/{part}.csv", "\n".join(lines))
    return {
        "data": {"type": "speech_folder", "root": root, "sample_rate": 8000, "duration": 0.5},
        "split": {"validation": "none"},
        "target": {"type": "binary", "labels": ["ill"]},
        "features": {"type": "mel", "n_mels": 16, "window": 0.032, "hop": 0.016},
        "training": {"max_epochs": 8, "batch_size": 8, "early_stopping": False},
        "judging": {"subgroups": {"sex": []}},
    }


@pytest.fixture(scope="module", params=[True, False], ids=["confounded", "honest"])
def run(request, tmp_path_factory):
    root = tmp_path_factory.mktemp("clinic")
    return trained(root, **clinic(str(root / "data"), request.param)), request.param


def test_every_control_has_figures_and_a_difference(run):
    result, _ = run
    test = result.metrics["test"]
    assert {"control/recording", "control/silence", "control/speaker", "baseline/mfcc_svm"} <= set(test)
    for who in ("control/recording", "baseline/mfcc_svm"):
        figure = test[who]["ill"]["auroc"]
        assert figure["low"] is not None and "difference" in figure
    assert test["baseline/mfcc_svm"]["ill"]["auroc"]["value"] > 0.9


def test_columns_of_the_speaker_that_are_named_are_there(tmp_path):
    sections = clinic(str(tmp_path / "data"), False)
    with pytest.raises(ValueError, match=r"judging\.speaker: .* nothing called 'agee' .*did you mean 'age'"):
        run = run_of(tmp_path, **sections | {"judging": {"speaker": ["agee"]}})
        prepare(run, run.divide()[0], hear=False)
    for table in ("train", "test"):  # of the default, what is known is taken
        path = tmp_path / f"data/{table}.csv"
        path.write_text(path.read_text().replace("age", "site"))
    for speaker in (["age", "sex"], ["site"]):
        run = run_of(tmp_path, **sections | {"judging": {"speaker": speaker}})
        prepare(run, run.divide()[0], hear=False)


def test_what_is_told_of_people_elsewhere_is_no_device_either(tmp_path):
    console = Console(record=True, width=200, file=StringIO())
    terminal.render_judged(tmp_path, console)
    assert console.export_text(clear=True) == ""
    terminal.render_judged(tmp_path, console, of_people=True)
    assert NO_DEVICE in console.export_text()


def test_only_what_the_recording_tells_is_suspect_and_said_everywhere(run):
    result, confounded = run
    ruled = {ruling.output for ruling in suspects.rulings(result.metrics["test"]) if ruling.suspect}
    assert ruled == ({"ill"} if confounded else set())
    page, card = (result.folder / p for p in ("report/index.html", "model/README.md"))
    console = Console(record=True, width=200, file=StringIO())
    terminal.render(result.metrics, console)
    terminal.render_judged(result.folder, console)
    for text in (page.read_text(), card.read_text(), console.export_text()):
        text = " ".join(text.split())
        assert NO_DEVICE in text
        assert ("ill is suspect: " in text) is confounded
        assert (CONTROLS["control/recording"] in text) is confounded
    judged = facts.json_of(result.folder / "clinical.json")
    assert judged["parts"]["test"]["subgroups"]["sex"].keys() == {"m", "f"}


@pytest.mark.parametrize("width", [60, 80, 200])
def test_every_cell_can_be_read_in_a_narrow_terminal(width, tmp_path):
    one = {"n": 240, "groups": 60, "positives": 104, "positive_groups": 26, "prevalence": 0.4}
    one["figures"] = {name: figures(0.93215, 0.91234, 0.95678) for name in ("auroc", "brier_calibrated")}
    fixed = {"threshold": 0.4, "temperature": 1.0, "bias": 0.0, "source": "threshold on validation, by Youden's J"}
    labels = ("rough", "breathy", "tremulous", "slow")
    part = {"recordings": dict.fromkeys(labels, one), "groups": dict.fromkeys(labels, one)}
    part["subgroups"] = {"age": {"from 40 to 60": dict.fromkeys(labels, one), "from 60": dict.fromkeys(labels, one)}}
    judged = {"decisions": {label: {"": fixed} for label in labels}, "parts": {"test": part}}
    (tmp_path / "clinical.json").write_text(json.dumps(judged))
    console = Console(record=True, width=width, file=StringIO())
    terminal.render_judged(tmp_path, console)
    lines = console.export_text().splitlines()
    assert "…" not in "".join(lines) and max(map(len, lines)) <= width
    assert "".join(lines).count("0.9322 [0.9123, 0.9568]") == 2 * 4 * 4


def figures(value: float, low: float | None, high: float | None, paired: tuple[float, float] | None = None) -> dict:
    own = {"value": value, "low": low, "high": high, "n": 90, "groups": 30, "note": "", "unit": ""}
    own |= {"note": "no interval: 5 groups"} if low is None else {}
    return own | ({"difference": dict(zip(("low", "high"), paired, strict=True))} if paired else {})


@pytest.mark.parametrize(
    ("control", "suspect"),
    [
        (figures(0.80, 0.70, 0.90, (-0.05, 0.15)), True),  # may be as good as the model
        (figures(0.95, 0.90, 0.99, (-0.15, -0.01)), True),  # surely better
        (figures(0.70, 0.60, 0.80, (0.02, 0.20)), None),  # the model is surely better
        (figures(0.60, 0.45, 0.75, (-0.01, 0.40)), None),  # no better than chance, for all that is known
        (figures(0.86, 0.45, 0.95, (-0.10, 0.12)), False),  # as well as the model, and perhaps by chance
        (figures(0.80, None, None), False),
    ],
)
def test_the_rule_asks_for_a_control_above_chance_that_the_model_does_not_surely_beat(control, suspect):
    scores = {"model": {"ill": {"auroc": figures(0.85, 0.8, 0.9)}}, "control/silence": {"ill": {"auroc": control}}}
    found = suspects.rulings(scores)
    assert [ruling.suspect for ruling in found] == ([] if suspect is None else [suspect])
    if suspect is False:
        why = "no interval: 5 groups." if control["low"] is None else "it is told as well as by the model, auroc"
        assert found[0].sentence.startswith(f"Whether ill is suspect cannot be told: {why}")


def test_what_is_asked_of_a_speaker_is_no_control_of_it(tmp_path):
    run = run_of(
        tmp_path,
        data={"type": "voice", "size": 40, "recordings_per_speaker": 1},
        target={"type": "binary", "labels": ["rough"]},
    )
    prepared = prepare(run, run.divide()[0])
    made = Controls(prepared, prepared.artifact(prepared.pipeline()))
    made.targets = {"t": Binary(labels=("woman",))}
    told = [{"control/speaker": {"woman": float(i % 2), "age": 40.0 + i}} for i in range(40)]
    encoded = [{"t": torch.tensor([[float(i % 2)]])} for i in range(40)]
    groups = [str(i) for i in range(40)]
    made.fit(told, encoded, groups)
    answers = [made.answers("t", one)["control/speaker"]["woman"][0, 0] for one in told]
    assert max(answers) - min(answers) < 0.5  # of the age alone
    made.fit([{"control/speaker": {"woman": float(i % 2)}} for i in range(40)], encoded, groups)
    assert made.answers("t", told[0]) == {}


def test_chance_of_a_class_is_what_the_commonest_one_reaches():
    def scores(majority: float) -> dict:
        control = figures(0.5, 0.4, 0.6, (-0.1, 0.3))
        whos = {"model": figures(0.6, 0.5, 0.7), "baseline/majority": figures(majority, 0.2, 0.4)}
        return {who: {"word": {"accuracy": own}} for who, own in {**whos, "control/recording": control}.items()}

    assert [ruling.suspect for ruling in suspects.rulings(scores(0.3))] == [True]
    assert suspects.rulings(scores(0.45)) == []  # and the model is better than the control


def test_controls_know_the_file_and_the_whole_recording_and_fill_what_a_speaker_left_out(tmp_path):
    sounds = {"a.wav": ("PCM_16", 1), "b.wav": ("PCM_24", 2), "c.mp3": ("MPEG_LAYER_III", 1)}
    for name, (subtype, channels) in sounds.items():
        soundfile.write(tmp_path / name, np.full((16000, channels), 0.1), 8000, subtype)
    lines = ["path,ill,age"] + [f"{name},{i % 2},{'' if i else 40}" for i, name in enumerate(sounds)]
    (tmp_path / "table.csv").write_text("\n".join(lines))
    data = {"type": "manifest", "path": str(tmp_path / "table.csv"), "sample_rate": 8000, "duration": 0.5}
    run = run_of(tmp_path, data=data, target={"type": "categorical", "column": "ill"}, split={"validation": "none"})
    prepared = prepare(run, Parts([0, 1, 2], [], []))
    controls = Controls(prepared, prepared.artifact(prepared.pipeline()))
    heard = [controls.hear(prepared.source.clip(i, 0, 0)) for i in range(3)]
    facts = [one[RECORDING] for one in heard]
    assert [f["codec"] for f in facts] == ["WAV PCM_16", "WAV PCM_24", "MP3 MPEG_LAYER_III"]
    assert [f["channels"] for f in facts] == ["1", "2", "1"] and {f["sample rate"] for f in facts} == {"8000"}
    assert facts[0]["log duration"] == pytest.approx(np.log(2)), "not of the clip"
    encoded = [prepared.encode(prepared.source.clip(i, 0, 0)) for i in range(3)]
    controls.fit(heard, encoded, ["x", "y", "z"])
    said = [controls.answers("target", one) for one in heard]
    assert set(said[0]) == {"control/recording", "control/silence", "control/speaker"}
    for answer in (own for one in said for own in one.values()):
        assert answer["ill"].sum() == pytest.approx(1)
    age = [one["control/speaker"]["ill"].ravel() for one in said]
    assert np.allclose(age[0], age[1]), "an age that is not known is the usual one"
