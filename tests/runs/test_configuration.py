"""A configuration is read whole, and every mistake in it is told at once, with its place and what to do."""

from pathlib import Path
from typing import Any

import pytest

from runs_helpers import write
from tympan.models import Model
from tympan.runs.configuration import ConfigurationError, load
from tympan.runs.resolved import dump
from tympan.runs.run import Run

MODELS = ", ".join(Model.names())

GOOD = """\
name: tiny
data: {type: circular_membrane, size: 60, sample_rate: 16000, duration: 0.1}
features: {type: mel, n_mels: 16}
model: {type: cnn, width: 8}
target: {type: continuous, quantities: {diameter: m}}
"""


def told(tmp_path: Path, text: str, *overrides: str) -> list[str]:
    path = tmp_path / "run.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load(path, overrides)
    return str(caught.value).replace(str(path), "run.yaml").splitlines()


def read(tmp_path: Path, text: str, *overrides: str) -> Run:
    path = tmp_path / "run.yaml"
    path.write_text(text, encoding="utf-8")
    return load(path, overrides)


def test_every_mistake_is_told_at_once_with_line_and_column(tmp_path: Path) -> None:
    text = GOOD.replace("width: 8", "widht: 8").replace("n_mels: 16", "n_mels: none") + "optimizer:\n  name: addam\n"
    lines = told(tmp_path, text)
    assert len(lines) == 3
    assert lines[0].startswith("run.yaml:3:")
    assert "features.n_mels" in lines[0]
    assert lines[1].startswith("run.yaml:4:")
    assert "model.widht: unknown field" in lines[1]
    assert "did you mean 'width'" in lines[1]
    assert lines[2].startswith("run.yaml:7:3: optimizer.name")
    assert "'adam', 'adamw' or 'sgd'" in lines[2]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("type: cnn", "type: cnnn"), f"unknown model 'cnnn'; one of: {MODELS}; did you mean 'cnn'?"),
        (("{type: cnn, width: 8}", "{width: 8}"), f"a model needs a `type`; one of: {MODELS}"),
        (("name: tiny", "naem: tiny"), "naem: unknown field"),
        (("name: tiny", "upload: gs://a/b"), "upload: unknown field; write checkpoint.upload"),
        (("name: tiny", "output: gs://a/b"), "output: unknown field; write checkpoint.checkpoint_dir"),
        (("name: tiny", "dataset: als"), "dataset: unknown field; write name, "),
        (("name: tiny", "name: tiny\nhead: {layer_norm: true}"), "head.layer_norm: comes behind the bottleneck"),
        (("name: tiny", "name: tiny\nhead: {shared_dense: 4, layer_norm: true}"), "and there is none; set bottleneck"),
        (("name: tiny", "name: tiny\nhead: {activation: gelu}"), "head.activation: gelu comes behind bottleneck or"),
        (("target: {type: continuous, quantities: {diameter: m}}", ""), "nothing to predict; one of: binary"),
        (("name: tiny", "name: tiny\nloss: bce"), "loss 'bce' is for binary targets, and target 'continuous' is real"),
        (("name: tiny", "name: tiny\nmetrics: [accuracy]"), "metric 'accuracy' is for binary or class targets"),
        (("name: tiny", "name: tiny\noptimizer: {warmup_steps: 3, warmup_ratio: 0.1}"), "say the same thing"),
        (("name: tiny", "name: tiny\nhardware: {precision: fp16, device: cpu}"), "fp16 does not train on cpu"),
        (("name: tiny", "name: tiny\ncheckpoint: {monitor: val_acc}"), "is never computed; one of: val_loss, val_mse"),
        (("name: tiny", "name: tiny\noptimizer: {max_lr: 0.1}"), "max_lr is the peak of scheduler onecycle"),
        (("name: tiny", "name: tiny\noptimizer: {scheduler: onecycle, beta1: 0.5}"), "onecycle leads beta1 from 0.95"),
        (("name: tiny", "name: tiny\ntraining: {val_check_interval: 1.5}"), "neither whole steps"),
        (("name: tiny", "name: tiny\nsplit: {validation: none}\ntraining: {early_stopping: true}"), "needs a valid"),
        (("duration: 0.1", "duration: 0.10003"), "not a whole number; take '1600 samples'"),
        (("name: tiny", "name: tiny\nseeds: [1, 1]"), "seeds are different whole numbers"),
        (("quantities: {diameter: m}", "quantities: {diameter: m}, rate: 15.0"), "not a whole number; take 0.06"),
        (("name: tiny", "name: tiny\nname: twice"), 'duplicate key "name"'),
        (("name: tiny", "name: [tiny"), "is not valid YAML"),
        (("name: tiny", "name: !!python/object:os.system tiny"), "tags (!) are not read"),
        (("name: tiny", "name: ../../etc"), "name: String should match"),
    ],
)  # fmt: skip
def test_a_mistake_says_what_is_wrong(tmp_path: Path, change: tuple[str, str], says: str) -> None:
    lines = told(tmp_path, GOOD.replace(*change))
    assert len(lines) == 1
    assert says in lines[0]
    assert lines[0].startswith("run.yaml:")


def test_layers_that_are_there_may_be_described(tmp_path: Path) -> None:
    for head in ("{bottleneck: 4, layer_norm: true, activation: gelu}", "{shared_dense: 4, activation: tanh}"):
        read(tmp_path, GOOD + f"head: {head}\n")
    (line,) = told(tmp_path, GOOD.replace("target: ", "targets: {size: {head: {layer_norm: true}, target: ") + "}}")
    assert "targets.size.head.layer_norm: comes behind the bottleneck, and there is none" in line


def test_numbers_are_numbers(tmp_path: Path) -> None:
    """YAML 1.1 reads 1e-4 as a text and 010 as 8."""
    run = read(tmp_path, GOOD + "optimizer: {learning_rate: 1e-4, warmup_steps: 010}\n")
    assert run.optimizer.learning_rate == 1e-4
    assert run.optimizer.warmup_steps == 10


def test_overrides_are_fields_too(tmp_path: Path) -> None:
    run = read(tmp_path, GOOD, "model.width=16", "optimizer.learning_rate=1e-3", "metrics=[mae]", "model=lstm")
    assert run.model.type == "lstm"
    assert run.optimizer.learning_rate == 1e-3
    assert [m.type for m in run.outputs["target"].figures("validation")] == ["mae"]


def test_a_mistake_in_an_override_names_it(tmp_path: Path) -> None:
    (line,) = told(tmp_path, GOOD, "model.widht=16")
    assert line.startswith("override 'model.widht=16': model.widht: unknown field")
    (line,) = told(tmp_path, GOOD, "model.width")
    assert "write section.field=value" in line


def test_json_is_read_too(tmp_path: Path) -> None:
    run = read(tmp_path, GOOD)
    path = tmp_path / "run.json"
    path.write_text(run.model_dump_json(), encoding="utf-8")
    assert load(path) == run


def test_the_resolved_configuration_reads_as_itself(tmp_path: Path) -> None:
    run = read(tmp_path, GOOD)
    assert read(tmp_path, dump(run)) == run


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"\xff\xfe\x00", "is not UTF-8"),
        (b"", "a configuration is a mapping"),
        (b"- 1\n- 2\n", "a configuration is a mapping"),
        (b"a: " + b"x" * (2 << 20), "too many for a configuration"),
        (b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
            b"%c: &%c [*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c]\n" % ((98 + i,) * 2 + (97 + i,) * 9) for i in range(9)
        ), "aliases of aliases"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_configuration_is_refused(tmp_path: Path, raw: bytes, says: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_bytes(raw)
    with pytest.raises(ConfigurationError, match=says):
        load(path)


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert load(path).name == "tiny"


def test_several_targets_are_written_by_name(tmp_path: Path) -> None:
    one = "target: {type: continuous, quantities: {diameter: m}}\n"
    two = """\
targets:
  size: {target: {type: continuous, quantities: {diameter: m}}, weight: 2.0}
  pitch: {target: {type: continuous, quantities: {f0: Hz}, scale: log}, metrics: [mae]}
"""
    run = read(tmp_path, GOOD.replace(one, two) + "checkpoint: {monitor: val_pitch_mae}\n")
    assert list(run.outputs) == ["size", "pitch"]
    lines = told(tmp_path, GOOD + two)
    assert "`target` is for one target" in lines[0]
    lines = told(tmp_path, GOOD.replace(one, two.replace("f0: Hz", "diameter: m")))
    assert "both predict 'diameter'" in lines[0]


def test_what_a_signal_and_a_model_of_the_past_cannot_have_is_refused(tmp_path: Path) -> None:
    def refused(**sections: Any) -> str:
        target = {"type": "continuous", "quantities": ["diameter"], "rate": 10}
        with pytest.raises(ValueError) as error:
            load(write(tmp_path / "run.yaml", **{"target": target, **sections}))
        return str(error.value)

    data = {"type": "tone", "size": 9, "sample_rate": 8000, "duration": 0.2}
    assert "heard from where it begins" in refused(data={**data, "crop": "onset"})
    causal = {"type": "tcn", "layers": 2}
    assert "residual hears what comes" in refused(data=data, model=causal, head={"upsampling": "residual"})
    past = {"type": "wavenet", "context_size_in_seconds": 0.1}
    assert "hears the true past" in refused(data=data, model=past, metrics={"train": ["mae"]})
    mixed = {"augmentations": [{"type": "mixup"}], "target": {"type": "binary", "labels": ["rough"]}}
    assert "mixup mixes sounds and their labels" in refused(
        data={"type": "voice"}, metrics={"train": ["auroc"]}, **mixed
    )
    corpora = {"type": "mixture", "sample_rate": 8000, "duration": 0.2, "train": ["a"]}
    corpora["sources"] = {name: {"type": "tone"} for name in "ab"}
    assert "folds go over everything" in refused(data=corpora, split={"folds": 3})
