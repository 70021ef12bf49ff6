"""The words of mayo-timm: every one of them changes the run, and its command lines are read."""

import json
from pathlib import Path

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
        ("pshift", 0.2, "pitch_shift", {"p": 0.2, "low": 4.0, "high": 4.0}),
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
    (change,) = load(CONFIG, [f"audio.{word}={json.dumps(value)}", "audio.pshiftn=4"]).augmentations
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
    for half in ("audio.std=4", "audio.mean=-4.2"):
        with pytest.raises(ConfigurationError, match="audio: mean and std go together: give both, or neither"):
            load(CONFIG, [half])
    with pytest.raises(ConfigurationError, match="audio: pshift shifts by pshiftn, which is 0 semitones; set pshiftn"):
        load(CONFIG, ["audio.pshift=0.5"])
    with pytest.raises(ConfigurationError, match=r"audio\.tshif: unknown field; .*mixup.*did you mean 'tshift'"):
        load(CONFIG, ["audio.tshif=0.5"])
    with pytest.warns(AssumptionWarning, match="80 is more than half of 128 bands; 64 was taken"):
        load(CONFIG, ["audio.freqm=80"])


LINE = (
    "python run.py -b clinic -i speech/all -d gs://clinic/splits -l labels.txt --mode finetune --gauss 0.4 --mixup 0.5 "
    "--dataset_mean -4.2 --dataset_std 4.5 --epochs 10 --scheduler onecycle --loss BCE "
    "--shared_dense True --sd_bottleneck 64 --layernorm --cloud False --optim adam"
)


@pytest.mark.parametrize("line", [[LINE], LINE.split()], ids=["in_quotes", "bare"])
def test_a_command_line_is_imported_and_loads(tmp_path, line):
    result = CliRunner().invoke(app, ["import-naip", *line])
    assert result.exit_code == 0, result.output
    (tmp_path / "run.yaml").write_text(result.output)
    run = load(tmp_path / "run.yaml")
    data = run.data.model_dump()
    assert data["root"] == "gs://clinic/speech/all" and data["splits"] == "gs://clinic/splits" and data["folder"] == ""
    assert [a.type for a in run.augmentations] == ["gaussian_noise", "mixup"]
    assert run.features.mean == -4.2 and run.training.max_epochs == 10 and run.name == "splits"
    assert run.head and (run.head.shared_dense, run.head.bottleneck, run.head.layer_norm) == (64, 768, True)
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


EVERYTHING = {
    **{"prefix": "speech", "study": None, "data_split_root": "splits/v2/", "label_txt": "labels.txt", "lib": False},
    **{"trained_mdl_path": None, "model_type": "efficientnet_b0", "bucket_name": None, "project_name": None},
    **{"cloud": False, "dataset": None, "exp_dir": "./experiments", "cloud_dir": "", "mode": "train", "debug": False},
    **{"shared_dense": False, "sd_bottleneck": 768, "embedding_type": None, "pooling_mode": "mean"},
    **{"resample_rate": 16000, "reduce": True, "clip_length": 10.0, "tshift": 0, "speed": 0, "gauss": 0, "pshift": 0},
    **{"pshiftn": 0, "gain": 0, "stretch": 0, "mixup": 0, "dataset_mean": 0, "dataset_std": 0, "target_length": 1024},
    **{"num_mel_bins": 128, "freqm": 0, "timem": 0, "noise": False, "batch_size": 8, "num_workers": 0, "epochs": 1},
    **{"learning_rate": 0.0003, "optim": "adamw", "weight_decay": 0.0001, "loss": "BCE", "scheduler": None},
    **{"max_lr": 0.01, "activation": "relu", "final_dropout": 0.3, "layernorm": False, "clf_bottleneck": 768},
    **{"label_groups": [["a"]], "target_labels": ["a"], "n_class": [1]},
}


def _read(arguments):
    return YAML(typ="safe").load(imported(json.dumps(arguments)))


def test_all_its_arguments_at_their_defaults_are_naip_yaml():
    told, ours = _read(EVERYTHING), YAML(typ="safe").load(Path(CONFIG))
    for section in ("model", "optimizer", "training", "loader", "target"):
        assert told[section] == ours[section]
    assert {k: v for k, v in told["head"].items() if k in ours["head"]} == ours["head"]
    assert "# head.bottleneck: 768, as by default there" in imported("-i speech")
    assert told["head"]["bottleneck"] == 768 and "shared_dense" not in told["head"]
    assert told["audio"].items() <= ours["audio"].items()
    assert told["name"] == "v2" and told["data"].keys() == {"type", "folder", "root", "splits", "label_file"}


def test_what_0_meant_there_is_written_as_it_is_said_here():
    text = imported(json.dumps({"prefix": "speech", "dataset_mean": 0, "dataset_std": 0, "clip_length": 0}))
    assert "# dataset_mean, dataset_std: " in text and "# clip_length: " in text
    told = YAML(typ="safe").load(text)
    assert told["audio"] == {"clip_length": 10.24} and told["training"]["batch_size"] == 1
    assert _read({"prefix": "speech", "dataset_std": 4.5})["audio"] == {"std": 4.5, "mean": 0.0}
    for half in ({"dataset_mean": -4.2}, {"dataset_mean": -4.2, "dataset_std": 0}):
        with pytest.raises(ValueError, match=r"dataset_std: is 0 or missing, and dataset_mean is -4\.2; give it"):
            imported(json.dumps(half))


@pytest.mark.parametrize(
    ("given", "width"),
    [
        ({"shared_dense": True}, 768),
        ({"shared_dense": True, "sd_bottleneck": 64}, 64),
        ({"shared_dense": False, "sd_bottleneck": 64}, None),
        ({"sd_bottleneck": 64}, None),
    ],
)
def test_the_shared_layer_is_there_where_it_was_there(given, width):
    assert _read({"prefix": "speech", **given})["head"].get("shared_dense") == width


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"dataset": "als", "data_split_root": "gs://clinic/splits/v2"}, "als"),
        ({"data_split_root": "gs://clinic/splits/v2"}, "v2"),
        ({"data_split_root": "splits/v 2/test.csv"}, "v-2_test"),
        ({"dataset": None, "data_split_root": ""}, "run"),
    ],
)
def test_a_run_is_named_by_its_dataset_or_by_the_folder_of_its_split(given, name):
    assert _read({"prefix": "speech", **given})["name"] == name


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("--learning_rate abc", r"argument learning_rate: optimizer\.learning_rate: .* \(it says 'abc'\)"),
        ("--epochs x", r"argument epochs: training\.max_epochs: .*integer"),
        ("--dataset 'my data'", r"argument dataset: name: .*\(it says 'my data'\)"),
        ("--gauss 3", r"argument gauss: audio\.gauss_noise: Input should be less than or equal to 1"),
        ("--clip_length -1", r"argument clip_length: audio\.clip_length: Input should be greater than 0"),
        ("--optim lion", r"argument optim: optimizer\.name: .*adamw"),
        ("--pshift 0.5", "arguments: audio: pshift shifts by pshiftn"),
        ("--cloud maybe", "cloud: is true or false, not 'maybe'"),
    ],
)
def test_what_no_run_could_be_made_of_is_refused_by_the_name_of_the_argument(line, error):
    with pytest.raises(ValueError, match=error):
        imported(f"run.py -i speech {line}")
