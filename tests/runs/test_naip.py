"""The words of mayo-timm: every one of them changes the run, and its command lines are read."""

import json

import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from tympan.cli import app
from tympan.component import AssumptionWarning
from tympan.runs.configuration import ConfigurationError, load
from tympan.runs.naip import NaipAudio
from tympan.runs.naip_arguments import imported

CONFIG = "configs/naip.yaml"


def test_its_defaults_are_a_run():
    run = load(CONFIG)
    assert run.audio is None and run.augmentations == ()
    features = run.features.model_dump()
    assert (features["type"], features["n_mels"], features["target_length"]) == ("fbank", 128, 1024)
    assert features["standardize"] == "dataset" and features["mean"] is None
    assert (run.data.sample_rate, run.data.duration, run.data.channels) == (16000, 10, "sum")


@pytest.mark.parametrize(
    ("word", "value", "type", "fields"),
    [
        ("tshift", 0.5, "time_shift", {"p": 0.5, "max_shift": 5.0, "fill": 0.001}),
        ("speed", 0.4, "speed", {"p": 0.4, "low": 0.6, "high": 1.3}),
        ("gauss_noise", 0.3, "gaussian_noise", {"p": 0.3, "deviation": 0.005}),
        ("pshift", 0.2, "pitch_shift", {"p": 0.2, "low": 0.0, "high": 0.0}),
        ("gain", 1.0, "gain", {"low": -12.0, "high": 12.0}),
        ("stretch", 0.1, "time_stretch", {"p": 0.1, "low": 0.5, "high": 1.5}),
        ("mixup", 0.5, "mixup", {"p": 0.5, "alpha": 10}),
        ("freqm", 48, "frequency_mask", {"max_width": 48}),
        ("timem", 192, "time_mask", {"max_width": 1.92}),
        ("noise", True, "spectrogram_noise", {}),
        ("cdo", True, "coarse_dropout", {"fewest": 8, "most": 16}),
        ("shift", True, "affine_shift", {"max_shift": 100}),
    ],
)
def test_every_short_name_is_a_change_of_the_sound(word, value, type, fields):
    (change,) = load(CONFIG, [f"audio.{word}={json.dumps(value)}"]).augmentations
    told = change.model_dump()
    assert told["type"] == type and {k: told[k] for k in fields} == pytest.approx(fields)


def test_given_statistics_are_its_own_twice_the_deviation():
    features = load(CONFIG, ["audio.mean=-4.27", "audio.std=4.57"]).features
    assert (features.mean, features.std) == (-4.27, 9.14)


def test_what_is_said_twice_or_too_wide_is_told():
    with pytest.raises(ConfigurationError, match="audio: stands for `features`"):
        load(CONFIG, ["features.type=mel"])
    with pytest.raises(ConfigurationError, match=r"audio: says data\.duration as well"):
        load(CONFIG, ["data.duration=2"])
    with pytest.warns(AssumptionWarning, match="80 is more than half of 128 bands; 64 was taken"):
        load(CONFIG, ["audio.freqm=80"])


LINE = (
    "python run.py -b clinic -i speech/all -d gs://clinic/splits -l labels.txt --mode finetune --gauss 0.4 --mixup 0.5 "
    "--dataset_mean -4.2 --dataset_std 4.5 --epochs 10 --scheduler onecycle --loss BCE --sd_bottleneck 64 --layernorm "
    "--cloud False --optim adam"
)


def test_a_command_line_is_imported_and_loads(tmp_path):
    result = CliRunner().invoke(app, ["import-naip", LINE])
    assert result.exit_code == 0, result.output
    (tmp_path / "run.yaml").write_text(result.output)
    run = load(tmp_path / "run.yaml")
    data = run.data.model_dump()
    assert data["root"] == "gs://clinic/speech/all" and data["splits"] == "gs://clinic/splits" and data["folder"] == ""
    assert [a.type for a in run.augmentations] == ["gaussian_noise", "mixup"]
    assert run.features.mean == -4.2 and run.training.max_epochs == 10 and run.head and run.head.shared_dense == 64
    assert (run.optimizer.name, run.optimizer.scheduler, run.optimizer.max_lr) == ("adam", "onecycle", 0.01)
    assert "# mode: is the command: train, evaluate, embed" in result.output and "# cloud:" in result.output


def test_a_file_of_arguments_is_imported(tmp_path):
    (tmp_path / "args.json").write_text(json.dumps({"prefix": "speech", "tshift": 0.3, "bucket_name": None}))
    result = CliRunner().invoke(app, ["import-naip", str(tmp_path / "args.json")])
    told = YAML(typ="safe").load(result.output)
    assert told["data"]["root"] == "speech" and told["audio"] == {"tshift": 0.3}
    assert told["training"]["batch_size"] == 8 and told["optimizer"]["learning_rate"] == 3e-4


def test_numbers_to_predict_are_asked_for_where_nothing_names_them(tmp_path):
    told = imported("run.py -i speech --loss MSE")
    assert "# target.quantities: write the columns here" in told
    (tmp_path / "run.yaml").write_text(told)
    with pytest.raises(ConfigurationError, match=r"target\.quantities"):
        load(tmp_path / "run.yaml")


def test_what_is_no_argument_is_refused():
    with pytest.raises(ValueError, match=r"no argument 'tshft' \(did you mean 'tshift'\?\)|no argument 'tshft'"):
        imported('{"tshft": 1}')
    with pytest.raises(ValueError, match="'wav' is no argument"):
        imported("run.py wav")
    assert set(NaipAudio().sections()) == {"data", "features", "augmentations"}
