"""A recording of strokes is measured, written down, and played again by the drums that were measured."""

import csv
import math
from pathlib import Path

import mido
import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from runs_helpers import DRUM, trained
from tympan.cli import app
from tympan.data import audio
from tympan.data.onsets import onsets
from tympan.data.synthesizers import Synthesizer
from tympan.data.synthesizers.circular_membrane import CircularMembrane
from tympan.serving.artifact import Artifact
from tympan.serving.instrument import Instrument, note
from tympan.serving.orchestrate import RATE, RINGS, _clips, orchestrate

torch.set_num_threads(1)

TIMES, LEVELS = [0.2, 0.75, 1.0, 1.6], [-12.0, 0.0, -20.0, -6.0]
PLAYED = {"decay_time": 0.3, "high_decay_time": 0.1, "diameter": (0.3, 0.6)}


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    folder = tmp_path_factory.mktemp("run")
    return Artifact.load(trained(folder, data={**DRUM["data"], **PLAYED, "crop": "onset"}).folder)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> str:
    source = CircularMembrane.model_validate({"sample_rate": RATE, "size": 20, **PLAYED})
    sound = np.zeros(round(2.5 * RATE), np.float32)
    for i, (time, level) in enumerate(zip(TIMES, LEVELS, strict=True)):
        stroke = source[5 * i].waveform[0] * np.float32(0.5 * 10 ** (level / 20))
        sound[round(time * RATE) :][: len(stroke)] += stroke[: len(sound) - round(time * RATE)]
    path = tmp_path_factory.mktemp("sound") / "piece.wav"
    audio.write(path, sound[None], RATE)
    return str(path)


def pitch(x: np.ndarray) -> float:
    level = np.abs(np.fft.rfft(x * np.hanning(len(x)), 1 << 18))
    return float(level.argmax() * RATE / (1 << 18))


def test_every_stroke_is_measured_and_played_again(artifact: Artifact, recording: str, tmp_path: Path) -> None:
    strokes = orchestrate(artifact, recording, tmp_path, Instrument.of(artifact, RATE, RINGS))
    np.testing.assert_allclose([s.time for s in strokes], TIMES, atol=0.01)
    level = np.array([s.level for s in strokes])
    np.testing.assert_allclose(level - level[1], LEVELS, atol=2)  # they ring into each other
    assert [s.velocity for s in strokes] == [round(127 * 10 ** ((x - level[1]) / 40)) for x in level]
    with (tmp_path / "score.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    assert list(rows[0]) == ["time (s)", "level (dB)", "velocity", "diameter (m)", "note"]
    sound = audio.read(tmp_path / "piece.wav")
    assert audio.info(tmp_path / "piece.wav").sample_rate == RATE
    np.testing.assert_allclose(onsets(audio.read(tmp_path / "piece.wav", 22050), 22050), TIMES, atol=0.01)
    for row, stroke in zip(rows, strokes, strict=True):
        diameter = float(np.clip(float(row["diameter (m)"]), 0.3, 0.6))
        f0 = 2.404825557695773 * 100 / (math.pi * diameter)
        assert stroke.played["diameter"] == pytest.approx(diameter)
        assert stroke.played["f0"] == pytest.approx(f0)
        assert int(row["note"]) == note(f0)
        begin = round(stroke.time * RATE)
        assert pitch(sound[0, begin + 2000 : begin + 11000]) == pytest.approx(f0, rel=0.06)
        assert 20 * np.log10(np.abs(sound[0, begin : begin + 2400]).max()) == pytest.approx(stroke.level, abs=2)


def test_the_score_is_midi_too(artifact: Artifact, recording: str, tmp_path: Path) -> None:
    strokes = orchestrate(artifact, recording, tmp_path, Instrument.of(artifact, RATE, RINGS))
    now, notes = 0.0, []
    for message in mido.MidiFile(tmp_path / "score.mid"):
        now += message.time
        if message.type == "note_on":
            notes.append((now, message.note, message.velocity, message.channel))
    assert [n[1:] for n in notes] == [(s.note, s.velocity, 0) for s in strokes]
    np.testing.assert_allclose([n[0] for n in notes], [s.time for s in strokes], atol=0.001)


def test_a_stroke_is_heard_without_the_next(artifact: Artifact, recording: str) -> None:
    rolled, alone, last = _clips(artifact, recording, [0.2, 0.25, 2.45])
    assert rolled.shape == alone.shape == last.shape == (1, 1600)  # 0.1 s at 16 kHz
    assert rolled[0, :800].any() and not rolled[0, 800:].any()
    assert alone[0, 800:].any()
    assert not last[0, 800:].any()  # the recording is over


def test_the_command_writes_a_folder(artifact: Artifact, recording: str, tmp_path: Path) -> None:
    artifact.save(tmp_path / "model")
    out = tmp_path / "out"
    arguments = ["orchestrate", str(tmp_path / "model"), recording, "--out", str(out)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-1] == str(out)
    assert sorted(p.name for p in out.iterdir()) == ["piece.wav", "score.csv", "score.mid"]
    configuration = tmp_path / "tom.yaml"
    configuration.write_text("data: {type: tom, decay_time: 0.5}\n")
    other = CliRunner().invoke(app, [*arguments[:-1], str(tmp_path / "tom"), "--instrument", str(configuration)])
    assert other.exit_code == 0, other.output
    assert (out / "score.csv").read_text().splitlines()[0] == (tmp_path / "tom/score.csv").read_text().splitlines()[0]
    assert (out / "piece.wav").read_bytes() != (tmp_path / "tom/piece.wav").read_bytes()


@pytest.mark.parametrize(
    ("source", "measured"),
    [
        ({"type": "circular_membrane"}, {"diameter": 0.4, "f0": 150.0}),
        ({"type": "circular_membrane", "strike_r": [0.0, 0.9]}, {"strike_r": 0.7, "diameter": 0.4}),
        ({"type": "rectangular_membrane"}, {"mean_side": 0.4, "aspect_ratio": 1.5, "f0": 150.0}),
        ({"type": "tom"}, {"f0": 90.0}),
        ({"type": "tom"}, {"f0": 110.0, "diameter": 0.33, "decay_time": 1.0}),
        ({"type": "tone"}, {"f0": 150.0}),
        ({"type": "string"}, {"f0": 150.0}),
        ({"type": "circular_membrane"}, {"f0": 1500.0}),  # the smallest of its drums could not be tuned so high
        ({"type": "rectangular_membrane"}, {"width": 0.6, "height": 0.4}),
        ({"type": "finite_difference_membrane", "resolution": 32}, {"diameter": 0.4}),
    ],
)
def test_an_instrument_has_what_was_measured(source: dict, measured: dict[str, float]) -> None:
    fields = {"decay_time": (0.2, 2.0)} if source["type"] == "tom" else {}
    made = Synthesizer.model_validate({**source, **fields})
    instrument = Instrument(made, list(measured), RATE, 1.0)
    waveform, played = instrument.play({name: np.array([value]) for name, value in measured.items()})
    assert {name: played[name] for name in measured} == pytest.approx(measured, rel=1e-3)
    assert np.abs(waveform).max() == pytest.approx(1) and len(waveform) == RATE
    unknown, drawn = instrument.play({name: np.array([np.nan]) for name in measured})
    assert np.isfinite(unknown).all() and all(np.isfinite(value).all() for value in drawn.values())


@pytest.mark.parametrize("family", ["rectangular_membrane", "finite_difference_membrane"])
def test_the_pitch_is_that_of_the_sides_that_were_measured(family: str) -> None:
    shape = {"family": "rectangle", "resolution": 40} if family.startswith("finite") else {}
    made = Synthesizer.model_validate({"type": family, "aspect_ratio": [1.0, 2.0], **shape})
    _, played = Instrument(made, ["width", "height"], RATE, 0.1).play({"width": np.array([0.6]), "height": [0.4]})
    assert played["f0"] == pytest.approx(50 * math.hypot(1 / 0.6, 1 / 0.4))
    assert played["mean_side"] == pytest.approx(0.24**0.5) and played["aspect_ratio"] == pytest.approx(1.5)


def test_radii_of_a_shape_are_played_as_its_corners() -> None:
    from tympan.acoustics import radial

    square = radial.pose(radial.normalised(np.array([[0, 0], [1, 0], [1, 1], [0, 1]], float)))
    said = radial.radii(radial.shares(square, 128))
    made = Synthesizer.model_validate({"type": "polygon_membrane", "mean_side": 0.5, "modes": 5, "corners": 8})
    waveform, played = Instrument(made, ["vertices"], RATE, 0.1).play({"vertices": said})
    assert played["vertices"].shape == (8, 2)
    assert played["f0"] == pytest.approx(50 * math.hypot(2, 2), rel=0.01)
    assert np.abs(waveform).max() == pytest.approx(1)


@pytest.mark.parametrize(
    ("source", "measured"),
    [
        ({"type": "circular_membrane"}, {"strike_r": 1.7}),
        ({"type": "circular_membrane"}, {"f0": 0.0}),
        ({"type": "circular_membrane"}, {"f0": 30000.0}),
        ({"type": "circular_membrane", "diameter": 0.4}, {"diameter": -1.0}),
        ({"type": "circular_membrane"}, {"tension": -5.0}),
        ({"type": "rectangular_membrane"}, {"strike_x": -0.2}),
        ({"type": "polygon_membrane", "modes": 5}, {"strike_x": 3.0}),
        ({"type": "finite_difference_membrane", "resolution": 32}, {"strike_x": 3.0}),
    ],
)
def test_a_stroke_measured_impossibly_does_not_end_the_piece(source: dict, measured: dict[str, float]) -> None:
    instrument = Instrument(Synthesizer.model_validate(source), list(measured), RATE, 0.1)
    waveform, played = instrument.play({name: np.array([value]) for name, value in measured.items()})
    assert np.abs(waveform).max() == pytest.approx(1)
    assert 0 < played["f0"] < RATE / 2


def test_what_is_measured_is_kept_within_what_was_trained() -> None:
    instrument = Instrument(CircularMembrane(diameter=(0.2, 0.5)), ["diameter"], RATE, 0.1)
    assert instrument.play({"diameter": np.array([0.9])})[1]["diameter"] == 0.5
    assert instrument.play({"diameter": np.array([-0.9])})[1]["diameter"] == 0.2


def test_silence_and_what_cannot_be_played_are_told(artifact: Artifact, recording: str, tmp_path: Path) -> None:
    plays = Instrument.of(artifact, RATE, RINGS)
    audio.write(tmp_path / "silence.wav", np.zeros((1, RATE), np.float32), RATE)
    with pytest.raises(ValueError, match="silent"):
        orchestrate(artifact, str(tmp_path / "silence.wav"), tmp_path / "out", plays)
    with pytest.raises(ValueError, match="lower --threshold"):
        orchestrate(artifact, recording, tmp_path / "out", plays, threshold=200.0)
    with pytest.raises(ValueError, match="local folder"):
        orchestrate(artifact, recording, "s3://bucket/out", plays)
    assert not (tmp_path / "out").exists()
    with pytest.raises(ValueError, match=r"takes nothing that the model measures .*age.*it takes f0"):
        Instrument(Synthesizer.model_validate("tone"), ["age"], RATE, 1.0)
    with pytest.raises(ValueError, match="manifest synthesises nothing"):
        recorded = {"type": "manifest", "path": "x.csv", "sample_rate": 8000, "duration": 1.0}
        Instrument.of(artifact.told(data=recorded), RATE, RINGS)
    with pytest.raises(ValueError, match="may not name"):
        Instrument.of(artifact.told(data={"type": "somebody.drum"}), RATE, RINGS)
