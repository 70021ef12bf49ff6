"""What docs/coming_from.md says of every name of the three projects is there, and has the default that it says."""

import importlib
import re
from pathlib import Path
from typing import Any, NamedTuple, get_args

import pytest
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python
from ruamel.yaml import YAML
from typer.main import get_command

from tympan.cli import app
from tympan.component import Component, Section
from tympan.runs.configuration import load, load_source
from tympan.runs.naip import NaipAudio
from tympan.runs.naip_arguments import KNOWN
from tympan.runs.run import Run
from tympan.runs.sections import Judging

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "coming_from.md").read_text(encoding="utf-8")
HEADER = ["theirs", "theirs means / default", "ours", "our default", "note"]
NOTHING = "–"


class Row(NamedTuple):
    """One line of a table."""

    number: int
    theirs: str
    means: str
    ours: str
    default: str
    note: str


def rows(chapter: str) -> list[Row]:
    """The rows of all tables of a chapter."""
    found, inside = [], False
    for number, line in enumerate(TEXT.splitlines(), 1):
        if line.startswith("## "):
            inside = line == f"## {chapter}"
        if inside and line.startswith("|"):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            assert len(cells) == len(HEADER), f"line {number} has {len(cells)} cells"
            if cells != HEADER and set(line) != set("|-"):
                found.append(Row(number, *cells))
    return found


def words(cell: str) -> list[str]:
    """What a cell has in backticks."""
    return re.findall(r"`([^`]+)`", cell)


# Every name of the documents, written down from them: `Class.field`, `function(argument)`, `--argument`.
AUDIO2BIOSIGNAL: dict[str, str] = {
    "DatasetConfig": (
        "dataset_name dataset_path modalities file_format data_directories metadata_paths split_ratios seed"
    ),
    "HKU956Config": "dataset_root_path",
    "PMEmo2019Config": "dataset_root_path",
    "AudioFeatureConfig": (
        "audio_sample_rate audio_normalize audio_n_mfcc audio_n_mels audio_window_size audio_hop_length"
    ),
    "EDAFeatureConfig": "eda_window_size eda_hop_length eda_normalize filter_lowpass filter_highpass",
    "HKU956Dataset": "split eda_files audio_files load_audio_file load_eda_file __len__ __getitem__",
    "PMEmo2019Dataset": "split eda_files audio_files load_audio_file load_eda_file __len__ __getitem__",
    "DatasetType": "HKU956 PMEmo2019",
    "DataConfig": "train_datasets val_datasets test_datasets batch_size num_workers prefetch_size",
    "DataLoaderBuilder": "build",
    "OptimizerConfig": ("name learning_rate weight_decay beta1 beta2 momentum warmup_steps warmup_ratio scheduler"),
    "OptimizerBuilder": "build",
    "LossConfig": "name",
    "LossBuilder": "build",
    "ModelConfig": "",
    "BaseEncoder": "forward",
    "BaseDecoder": "forward",
    "BaseAudio2EDA": "forward",
    "WavenetEncoder": "",
    "TransformerEncoder": "",
    "CNNDecoder": "",
    "LSTMDecoder": "",
    "TransformerDecoder": "",
    "TransformerAudio2EDA": "",
    "Wavenet2EDA": "",
    "ModelRegistry": "get_encoder get_decoder get_model",
    "LoggingConfig": (
        "wandb_project wandb_entity wandb_run_name wandb_tags log_every_n_steps log_config compute_metrics "
        "train_metrics val_metrics"
    ),
    "CheckpointConfig": ("save_top_k checkpoint_dir monitor mode save_last save_every_n_steps load_from_checkpoint"),
    "HardwareConfig": "device precision distributed num_gpus",
    "TrainConfig": (
        "experiment_name seed model optimizer data loss hardware logging checkpoint max_epochs gradient_clip_val "
        "accumulate_grad_batches val_check_interval early_stopping early_stopping_patience early_stopping_min_delta"
    ),
    "Wavenet": "",
    "WavenetStack": "",
    "Gate": "",
    "Downsampler": "",
    "Upsampler": "",
    "WavenetConfig": "context_size_in_seconds in_channels hidden_channels out_channels",
    "MetaDataLoader": "__init__ __iter__",
    "RNGState": "seed torch_rng_state numpy_rng_state python_rng_state",
    "ModelState": ("model_loaded model_ram_size_bytes model_dtype model_device best_model_path last_model_path"),
    "DataLoaderState": "last_batch_idx dataset split",
    "MetaDataLoaderState": "split sampling_weights dataloader_states",
    "MetricState": "metrics",
    "OptimizerState": "last_step moments_ram_size_bytes moments_dtype moments_device moments_path",
    "CheckpointState": "steps_since_last_checkpoint checkpoint_dir",
    "TrainState": (
        "status rng_state optimizer_state checkpoint_state metric_state meta_dataloader_state model_state from_config "
        "from_checkpoint to_checkpoint"
    ),
    "RunConfig": "",
    "TrainOutput": "metrics paths_to_artifacts best_checkpoint",
}
AUDIO2BIOSIGNAL_OTHERS = """
    src/configs.py, src/data/datasets/hku956.py, src/data/datasets/pmemo2019.py, src/data/dataloader.py,
    src/data/datasets/types.py, src/data/audio_preprocessing.py, src/data/eda_preprocessing.py,
    src/optimizer.py, src/loss.py, src/models/base.py, src/models/encoders/wavenet.py,
    src/models/encoders/transformer.py, src/models/decoders/cnn.py, src/models/decoders/lstm.py,
    src/models/decoders/transformer.py, src/models/audio2eda/transformer.py,
    src/models/audio2eda/wavenet2eda.py, src/models/registry.py, src/logging.py, src/checkpoint.py,
    src/trainer.py, scripts/train_audio2eda.py, configs/example1.yml, configs/example2.yml,
    configs/example3.yml, src/models/wavenet.py, tests/unit/models/test_wavenet.py, tests/unit/test_configs.py,
    adw/create_tests.py, adw/create_config.py, src/data/meta_dataloader.py, src/state.py, src/train.py,
    preprocess_audio, preprocess_audio(audio_file_path), preprocess_audio(audio_feature_config), preprocess_eda,
    preprocess_eda(eda_file_path), preprocess_eda(eda_feature_config), preprocess_eda(audio_feature_config),
    BaseEncoder(config), BaseDecoder(config), BaseAudio2EDA(encoder), BaseAudio2EDA(decoder), collate_fn,
    main(), model_validate_json, custom, dtw, frechet, MetaDataLoader(dataloaders), MetaDataLoader(split),
    MetaDataLoader(sampling_weights), train(cfg), fit(), cfg.num_epochs, Upsampler(upsampling_factor),
    context_size_in_eda_steps, num_mfccs, audio_sample_rate, eda_sample_rate, mfcc_window_size, mfcc_hop_size,
    spectral_frames_per_eda_step, audio_time_steps_per_spectral_frame, layers_per_stack, num_stacks,
    upsampling_factor, downsampling_factor, 1-to-1 Conv, Dilated Convolution, HKU956Dataset(dataset_config),
    HKU956Dataset(audio_feature_config), HKU956Dataset(eda_feature_config), HKU956Dataset(split),
    PMEmo2019Dataset(dataset_config), PMEmo2019Dataset(audio_feature_config), PMEmo2019Dataset(eda_feature_config),
    PMEmo2019Dataset(split), load_audio_file(song_id), load_eda_file(subject_id), load_eda_file(song_id),
    DataLoaderBuilder.build(data_config), DataLoaderBuilder.build(audio_feature_config),
    DataLoaderBuilder.build(eda_feature_config), OptimizerBuilder.build(optimizer_config),
    LossBuilder.build(loss_config)
"""
KAC: dict[str, str] = {
    "Routine": "device D M P R using_wandb __init__ importDataset setModel setParameters train",
    "ExportedModel": (
        "dataset hyperparameters evaluation_loss model_state_dict optimizer_state_dict run_info testing_loss "
        "training_loss"
    ),
    "Model": ("criterion optimiser testing_loss training_loss ModelHyperParameters __init__ forward innerTrainingLoop"),
    "ModelInfo": "name version",
    "Parameters": "batch_size dataset_split num_of_epochs testing with_early_stopping",
    "RunInfo": "epoch exports_dir id model",
    "AudioSampler": (
        "duration length sample_rate waveform __init__ export generateWaveform getLabels updateProperties Settings"
    ),
    "InputRepresentation": "settings __init__ transform normalise transformShape",
    "RepresentationSettings": "f_min hop_length n_bins n_mels normalise_input output_type window_length",
    "SamplerInfo": "name version",
    "SamplerSettings": "duration sample_rate",
    "TorchDataset": "dataset_dir representation_settings sampler sampler_settings X Y __getitem__ __len__",
    "CRePE": (
        "ModelHyperParameters.depth ModelHyperParameters.dropout ModelHyperParameters.learning_rate "
        "ModelHyperParameters.optimiser"
    ),
    "Datasets": "",
    "TestSweep": "",
    "TestTone": "Settings.f_0 Settings.waveshape",
}
KAC_OTHERS = """
    kac_prediction.pipeline, kac_prediction.dataset, kac_prediction.architecture, kac_prediction.samplers,
    Routine.__init__(exports_dir), Routine.__init__(wandb_config), Routine.importDataset(dataset_dir),
    Routine.importDataset(dataset_name), Routine.importDataset(LocalSampler),
    Routine.importDataset(sampler_settings), Routine.importDataset(representation_settings),
    Routine.setModel(M), Routine.setParameters(default), Routine.setParameters(config_path),
    Routine.train(innerTestingLoop), generateDataset, generateDataset(Sampler),
    generateDataset(sampler_settings), generateDataset(dataset_dir), generateDataset(dataset_size),
    generateDataset(representation_settings), loadDataset, loadDataset(dataset_dir), regenerateDataPoints,
    regenerateDataPoints(dataset), regenerateDataPoints(Sampler), regenerateDataPoints(entries),
    transformDataset, transformDataset(dataset), transformDataset(representation_settings), classLocalsToKwargs,
    AudioSampler.export(absolutePath), AudioSampler.export(bit_depth), InputRepresentation(sample_rate),
    InputRepresentation(settings), end2end, fft, mel, CRePE(depth), CRePE(dropout), CRePE(learning_rate),
    CRePE(optimiser), CRePE(outputs), 2000-convex-polygonal-drums-of-varying-size,
    5000-circular-drums-of-varying-size, 5000-rectangular-drums-of-varying-dimension, cmake, curl, pipenv,
    bin/install-dataset.sh, scripts/train.py, scripts/deploy.py, scripts/train.py --help, scripts/train.py
    --config, scripts/train.py --wandb, wandb sweep, wandb agent, pipenv install -d, pipenv run pip install,
    pipenv run test
"""
MAYO = """
    -i, --prefix, -s, --study, -d, --data_split_root, -l, --label_txt, --lib, --trained_mdl_path, --model_type,
    -b, --bucket_name, -p, --project_name, --cloud, --dataset, -o, --exp_dir, --cloud_dir, -m, --mode,
    --embedding_type, --dataset_mean, mean, --dataset_std, std, --resample_rate, resample_rate, --reduce,
    reduce, --clip_length, clip_length, --tshift, tshift, --speed, speed, --gauss, gauss_noise, --pshift,
    pshift, --pshiftn, pshiftn, --gain, gain, --stretch, stretch, --num_mel_bins, num_mel_bins, --target_length,
    target_length, --freqm, freqm, --timem, timem, --noise, noise, --mixup, mixup, cdo, shift, bucket, librosa,
    --batch_size, --num_workers, --learning_rate, --epochs, --optim, --weight_decay, --loss, --scheduler,
    --max_lr, --activation, --final_dropout, --layernorm, timmForSpeechClassification, ClassificationHead,
    AudioDataset, extract_embedding, extract_embedding(x), extract_embedding(embedding_type), train(...),
    args.pkl, batch['fbank'], batch['targets'], run.py, run.ipynb, dataloader.py, speech_utils.py,
    timm_models.py, loops.py, requirements.txt, UID, waveform.EXT, metadata.json, encoding, sample_rate_hz,
    train.csv, test.csv, labels.txt, albumentations, torch, torchvision, torchaudio, tqdm, pyarrow, timm,
    google-cloud-storage, SPEECH DATA DIR, DATA SPLIT DIR, --mode finetune, --mode train, --mode eval-only,
    --mode eval, --mode extraction, --embedding_type pt, --embedding_type ft, --loss BCE, --loss MSE, run.py -h,
    gcloud auth application-default login, gcloud auth application-default set-quota-project
"""


def _listed(text: str) -> list[str]:
    return [" ".join(name.split()) for name in text.split(",")]


def _fields(classes: dict[str, str]) -> list[str]:
    return [*classes, *(f"{name}.{field}" for name, fields in classes.items() for field in fields.split())]


NAMES = {
    "audio2biosignal": [*_fields(AUDIO2BIOSIGNAL), *_listed(AUDIO2BIOSIGNAL_OTHERS)],
    "kac_prediction": [*_fields(KAC), *_listed(KAC_OTHERS)],
    "mayo-timm": _listed(MAYO),
}
ROWS = [row for chapter in NAMES for row in rows(chapter)]


def sections_in(annotation: Any) -> list[type[Section]]:
    """The sections that a field may hold."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return [annotation]
    return [found for argument in get_args(annotation) for found in sections_in(argument)]


def field(section: type[Section], path: list[str]) -> FieldInfo:
    """The field at a path below a section."""
    info = section.model_fields[path[0]]
    return field(sections_in(info.annotation)[0], path[1:]) if path[1:] else info


def default_of(info: FieldInfo) -> Any:
    """The default as YAML would say it; `required` without one, `section` where the field holds others."""
    if info.is_required():
        return "required"
    default = info.get_default(call_default_factory=True)
    return "section" if isinstance(default, Section) else to_jsonable_python(default)


def resolve(ours: str) -> Any:
    """The default of a field; `None` for what has none: a component, a command, a name in Python.

    Raises:
        LookupError, AttributeError, ImportError, ValueError: there is no such thing.
    """
    if ours == "tympan" or ours.startswith("tympan "):
        return command(ours.split()[1:])
    if ours.startswith("tympan."):
        return python(ours.split("."))
    chosen = re.fullmatch(r"(\w+)\((\w+)\)(?:\.([\w.]+))?", ours)
    if chosen is None:
        return default_of(field(Run, ours.split(".")))
    kind, name, attribute = chosen.groups()
    component = next(c for c in sections_in(Run.model_fields[kind].annotation) if issubclass(c, Component)).find(name)
    return default_of(field(component, attribute.split("."))) if attribute else None


def command(said: list[str]) -> None:
    """Look a command and its options up."""
    at: Any = get_command(app)
    for word in said:
        if word == "--help":
            continue
        if word.startswith("-"):
            assert word in {name for option in at.params for name in option.opts}, f"no option {word}"
        else:
            at = at.commands[word]


def python(path: list[str]) -> None:
    """Import the longest module of a dotted name, and find the rest in it; a field of a class counts."""
    for n in range(len(path), 0, -1):
        try:
            at: Any = importlib.import_module(".".join(path[:n]))
        except ModuleNotFoundError as error:
            if not ".".join(path[:n]).startswith(str(error.name)):
                raise
            continue
        for name in path[n:]:
            if not hasattr(at, name):
                own = {key for c in getattr(at, "__mro__", ()) for key in vars(c).get("__annotations__", {})}
                assert name in own, f"{at} has no {name}"
                return
            at = getattr(at, name)
        return
    raise ImportError(".".join(path))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"line-{row.number}")
def test_what_is_ours_exists_and_has_the_default_said(row: Row) -> None:
    assert words(row.theirs), "theirs is named in backticks"
    assert row.means
    (ours,) = words(row.ours)
    assert row.ours == f"`{ours}`"
    if ours in ("not yet", "not needed"):
        assert row.default == NOTHING
        assert row.note or ours == "not yet", "say why it is not needed"
        return
    found = resolve(ours)
    if found is None and (ours.startswith("tympan") or re.fullmatch(r"\w+\(\w+\)", ours)):
        assert row.default == NOTHING
    else:
        (said,) = words(row.default)
        assert YAML(typ="safe", pure=True).load(said) == found


@pytest.mark.parametrize("chapter", NAMES)
def test_every_name_of_theirs_is_there(chapter: str) -> None:
    said = {word for row in rows(chapter) for word in words(row.theirs)}
    assert not set(NAMES[chapter]) - said


def test_every_argument_that_is_imported_is_there():
    said = {word for row in rows("mayo-timm") for word in words(row.theirs)}
    assert not {name for name in KNOWN if not {name, f"--{name}"} & said}


def test_every_field_of_a_run_but_ours_alone_is_somewhere_in_the_tables() -> None:
    ours = {word for row in ROWS for word in words(row.ours)}
    told = {
        f"{name}.{inner}"
        for name, info in Run.model_fields.items()
        for section in sections_in(info.annotation)
        if not issubclass(section, Component) and name != "targets"
        for inner in section.model_fields
    }
    beyond = {
        *(
            "split.group",
            "head.upsampling",
            "split.stratify",
            "split.folds",
            "head.pooling",
        ),
        *(
            "optimizer.plateau_patience",
            "training.max_steps",
            "hardware.channels_last",
            "hardware.fsdp",
            "metrics.test",
        ),
        *("logging.tensorboard", "logging.worst_examples", "logging.show_ids", "checkpoint.run_dir"),
        *("loader.bad_samples", "loader.bad_sample_budget", "training.nonfinite"),
        "checkpoint.weights_only",
        *("head.groups", "optimizer.freeze", "optimizer.layer_decay", "training.balance"),
        *(f"judging.{field}" for field in Judging.model_fields),
        *(f"audio.{field}" for field in NaipAudio.model_fields),  # which are their own names
    }
    assert told - beyond <= ours
    assert beyond.isdisjoint(ours)


def test_every_command_of_the_text_is_one() -> None:
    commands = [line for block in re.findall(r"```sh\n(.*?)```", TEXT, re.S) for line in block.splitlines()]
    assert len(commands) == 9
    for line in commands:
        _, name, *said = line.partition("#")[0].split()
        command([name, *(word for word in said if word.startswith("-"))])
        config = ROOT / said[0]
        if name == "train" and config.is_file():
            load(config, [word for word in said if "=" in word])
        else:
            assert said[0] == "RUN" or config.name == "mine.yaml" or load_source(config)


def test_a_name_that_does_not_exist_is_noticed() -> None:
    for wrong in (
        "optimizer.learning_rat",
        "features(mfcc).n_mfc",
        "model(wavnet)",
        "tympan trian",
        "tympan train --wnb",
        "tympan.runs.train.trian",
        "tympan.runs.train.Result.metric",
        "tympan.serving.artifact.Artifact.pipelines",
        "tympan.rnus",
    ):
        with pytest.raises((LookupError, AttributeError, ImportError, ValueError, AssertionError)):
            resolve(wrong)


def test_the_values_that_the_text_recommends_are_valid() -> None:
    for text in re.findall(r"`((?:training|optimizer|loader): \{[^`]+\})`", TEXT):
        ((name, values),) = YAML(typ="safe", pure=True).load(text).items()
        sections_in(Run.model_fields[name].annotation)[0].model_validate(values)
