"""What every dataset promises, for every file in the directory, on the tiny corpus of its name in tests/corpora."""

import importlib
import json
import re
import shutil
import uuid

import numpy as np
import pytest
import torch

from servers.gcs import gcs, gcs_server  # noqa: F401
from servers.s3 import s3, s3_server  # noqa: F401
from tympan.data import storage
from tympan.data.audio import info
from tympan.data.crop import onset
from tympan.data.datasets import Dataset
from tympan.data.recordings import Recordings

# What a corpus tells of itself is no fault of it.
pytestmark = pytest.mark.filterwarnings("ignore::tympan.component.AssumptionWarning")


@pytest.fixture(params=Dataset.names())
def name(request):
    return request.param


def fabricate(name, folder, uri=None):
    """A source on a corpus made in a folder, which is then copied to a URI if one is given."""
    config = importlib.import_module(f"corpora.{name}").fabricate(str(folder))
    if uri is not None:
        for file in folder.rglob("*"):
            if file.is_file():
                storage.write_bytes(storage.join(uri, file.relative_to(folder).as_posix()), file.read_bytes())
        config = json.loads(json.dumps(config).replace(str(folder), uri))
        assert uri in str(config)
        shutil.rmtree(folder)
    return Dataset.model_validate({"type": name, **config})


def changed(source, **fields):
    """The same source with other fields; of a mixture its corpora too, which have them from it."""
    sources = {name: own.model_copy(update=fields) for name, (own, _) in source.corpora.items()}
    return source.model_copy(update={**fields, **({"sources": sources} if sources else {})})


@pytest.fixture
def source(name, tmp_path):
    return fabricate(name, tmp_path)


def same(a, b):
    assert a.id == b.id and a.groups == b.groups and a.waveform.dtype == b.waveform.dtype == np.float32
    np.testing.assert_array_equal(a.waveform, b.waveform)
    assert a.values.keys() == b.values.keys()
    for key, value in a.values.items():
        np.testing.assert_array_equal(value, b.values[key])


@pytest.mark.parametrize("place", ["file", "memory", "s3", "gs"])
def test_is_the_same_wherever_it_lies(name, place, source, tmp_path, request):
    uri = {
        "file": lambda: f"file://{tmp_path / 'other'}",
        "memory": lambda: f"memory://{uuid.uuid4()}",
        "s3": lambda: f"{request.getfixturevalue('s3')}/{name}",
        "gs": lambda: f"{request.getfixturevalue('gcs')}/{name}",
    }[place]()
    other = fabricate(name, tmp_path / "again", uri)
    assert len(other) == len(source) > 1
    for i in range(len(source)):
        here, there = source.describe(i), other.describe(i)
        assert (there.groups, there.part, there.duration) == (here.groups, here.part, here.duration)
        same(other[i], source[i])
        same(other.clip(i, 0, 0), source.clip(i, 0, 0))


def test_examples_do_not_depend_on_calls_or_order(name, source):
    forward = [source[i] for i in range(len(source))]
    for i in reversed(range(len(source))):
        same(source[i], forward[i])
        assert np.isfinite(forward[i].waveform).all() and np.abs(forward[i].waveform).max() > 0.01
        forward[i].waveform[:] = 0  # a caller may change what it was given
        assert source[i].waveform.any()


class _Clips(torch.utils.data.Dataset):
    def __init__(self, source):
        self.source = source

    def __len__(self):
        return len(self.source)

    def __getitem__(self, i):
        return self.source.clip(i, 1, 3)


def test_examples_do_not_depend_on_forked_workers(name, source):
    clips = _Clips(changed(source, crop="random"))
    for i, example in enumerate(torch.utils.data.DataLoader(clips, None, num_workers=2)):
        same(example, clips[i])


def test_examples_do_not_depend_on_spawned_workers(tmp_path):
    every = torch.utils.data.ConcatDataset([_Clips(fabricate(name, tmp_path / name)) for name in Dataset.names()])
    assert every[0].id  # what a source remembers goes along
    loader = torch.utils.data.DataLoader(every, None, num_workers=1, multiprocessing_context="spawn")
    for i, example in enumerate(loader):
        same(example, every[i])


def test_ids_are_unique_and_descriptions_true(name, source):
    examples = [source[i] for i in range(len(source))]
    assert len({e.id for e in examples}) == len(examples)
    for i, example in enumerate(examples):
        told = source.describe(i)
        assert (told.id, told.groups) == (example.id, example.groups)
        assert told.part in (None, "train", "validation", "test")
        assert source.group is None or source.group in told.groups
        assert told.duration is None or abs(example.waveform.shape[1] / source.sample_rate - told.duration) < 1e-3
        values = source.values(i)
        assert values and values.keys() == example.values.keys()
    assert set(source.units) <= {key for e in examples for key in e.values}


def test_the_length_of_a_local_recording_is_known(name, source):
    for index in range(min(len(source), 3)):
        length = source.seconds(index)
        if length is not None:
            assert length == pytest.approx(source[index].waveform.shape[1] / source.sample_rate, abs=1e-3)


def test_declared_rate_is_true(name, source):
    def peak(waveform, rate):
        spectrum = np.abs(np.fft.rfft(waveform[0] * np.hanning(waveform.shape[1]), 1 << 16))
        return spectrum.argmax() * rate / (1 << 16)

    faster = changed(source, sample_rate=2 * source.sample_rate)
    for i in range(len(source)):
        slow, fast = source[i].waveform, faster[i].waveform
        assert abs(fast.shape[1] - 2 * slow.shape[1]) <= 2
        assert peak(fast, faster.sample_rate) == pytest.approx(peak(slow, source.sample_rate), abs=2)


@pytest.mark.parametrize("crop", ["start", "onset", "random", "all"])
def test_a_clip_is_part_of_the_whole_with_and_without_a_cache(name, crop, source):
    source = changed(source, crop=crop)
    lengths = []
    for i in range(len(source)):
        whole = source[i].waveform
        for epoch in range(2):
            clip = source.clip(i, epoch, 5)
            length = min(source.audio.frames, whole.shape[1])
            assert clip.waveform.shape == (1, length) or crop == "onset"
            windows = np.lib.stride_tricks.sliding_window_view(whole[0], clip.waveform.shape[1])
            places = np.flatnonzero((windows == clip.waveform[0]).all(1))
            assert places.size
            if crop == "onset":
                assert places[0] == onset(whole, float(source.sample_rate))
            lengths.append(clip.waveform.shape[1])
            if isinstance(source, Recordings):
                kept = changed(source, cache=not source.cache).clip(i, epoch, 5)
                assert (kept.id, kept.values, kept.waveform.shape) == (clip.id, clip.values, clip.waveform.shape)
                np.testing.assert_allclose(kept.waveform, clip.waveform, atol=1e-3)
    assert max(lengths) == source.audio.frames


def test_every_example_is_in_a_file_that_is_brought_once(name, source):
    files = source.files()
    assert sorted(i for indices in files.values() for i in indices) == list(range(len(source)))
    for indices in files.values():
        source.fetch(indices[0])
        assert not any(source.fetch(i) for i in indices)


def test_configuration_survives_json(name, source):
    again = Dataset.model_validate_json(source.model_dump_json())
    assert again == source and again.type == name


def test_outside_of_the_source_is_an_index_error(name, source):
    for index in (-1, len(source)):
        for ask in (source.__getitem__, source.describe, source.values, lambda i: source.clip(i, 0, 0)):
            with pytest.raises(IndexError):
                ask(index)


def test_unusable_sound_is_named(name, tmp_path):
    source = fabricate(name, tmp_path)
    sounds = [p for p in tmp_path.rglob("*") if re.fullmatch(r"\.(wav|flac|ogg|mp3)", p.suffix)]
    assert sounds and all(info(p).samples for p in sounds)
    for sound in sounds:
        sound.write_bytes(b"not a sound at all, " * 10)
    with pytest.raises(ValueError, match=r"\.(wav|flac|ogg|mp3)"):
        source[0]
    for sound in sounds:
        sound.unlink()
    with pytest.raises((ValueError, OSError), match=r"\.(wav|flac|ogg|mp3).*"):
        source[0]
