"""Training beside its limit and its peers: a step of the whole run, of bare tensors, of loops of the field."""

import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import timm
import torch
import torchaudio
from rich.console import Console
from transformers import Trainer, TrainerCallback, TrainingArguments

from tympan.runs import trainer
from tympan.runs.configuration import load
from tympan.runs.optimization import optimizer
from tympan.runs.train import train

RATE, SECONDS, BATCH = 16000, 10.0, 16
FILES = 64
EPOCHS = 3
NETWORKS = ("resnet18", "efficientnet_b0")


@contextmanager
def corpus() -> Iterator[Path]:
    """A table of `FILES` recordings of noise, each with a label, and a configuration that trains on them."""
    with tempfile.TemporaryDirectory() as name:
        folder, rng = Path(name), np.random.default_rng(0)
        lines = ["path,label"]
        for i in range(FILES):
            soundfile.write(folder / f"{i}.wav", rng.normal(0, 0.1, round(RATE * SECONDS)), RATE, "PCM_16")
            lines.append(f"{i}.wav,{i % 2}")
        (folder / "table.csv").write_text("\n".join(lines) + "\n")
        yield folder


def configured(folder: Path, network: str, **hardware: Any) -> Path:
    """The configuration of a run without validation, so that its steps are all there is."""
    run = {
        "data": {"type": "manifest", "path": str(folder / "table.csv"), "sample_rate": RATE, "duration": SECONDS},
        "split": {"validation": "none", "ratios": [1.0, 0.0, 0.0]},
        "features": {"type": "mel", "n_mels": 80},
        "model": {"type": "timm", "name": network},
        "target": {"type": "binary", "labels": ["label"]},
        "training": {"max_epochs": EPOCHS, "batch_size": BATCH},
        "hardware": hardware,
        "logging": {"log_every_n_steps": 5, "worst_examples": 0},
        "checkpoint": {"checkpoint_dir": str(folder / "runs")},
        "test": False,
    }
    path = folder / f"{network}.json"
    path.write_text(json.dumps(run))
    return path


class Beside(trainer.Watch):
    """After every step of the run, one bare step of a model of its own, on features that are there already."""

    whole: list[float]
    bare: list[float]

    def on_train_begin(self, *args: Any, **kwargs: Any) -> None:
        super().on_train_begin(*args, **kwargs)
        type(self).whole, type(self).bare = [], []
        self.model: Any = None
        self.since = time.perf_counter()

    def on_step_end(self, *args: Any, **kwargs: Any) -> None:
        super().on_step_end(*args, **kwargs)
        self.whole.append(time.perf_counter() - self.since)
        if self.model is None:
            self.model = self.copy(kwargs["model"])
        began = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16):
            embedding = self.model.backbone(self.x, self.real)
            prediction = self.model.heads["target"](embedding, torch.ones(BATCH, embedding.shape[2], dtype=torch.bool))
        self.model.criteria["target"](prediction, self.y).backward()
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.bare.append(time.perf_counter() - began)
        self.since = self.clock = time.perf_counter()

    def copy(self, pipeline: Any) -> Any:
        """A second pipeline, with its optimizer and a batch in memory."""
        model = self.prepared.pipeline().train()
        model.backbone.to(memory_format=torch.channels_last)
        self.optimizer = optimizer(self.prepared.run.optimizer, model)
        clips = self.prepared.clips("train")
        batch = self.prepared.collate([clips[i] for i in range(BATCH)])
        with torch.no_grad():
            self.x, self.real = model.represent(batch["waveform"], batch["key"], batch["samples"])
        self.y = batch["target"]["target"]
        return model


def overhead(folder: Path, network: str) -> dict[str, float]:
    """Seconds of a step of the whole run and of a bare one, interleaved, after the first epoch; share of waiting."""
    run = load(configured(folder, network, precision="bf16", channels_last=True))
    fit = trainer.fit

    def fitted(prepared: Any, *arguments: Any) -> Any:
        Beside.prepared = prepared
        return fit(prepared, *arguments)

    from tympan.runs import train as training

    before, training.fit, watch, trainer.Watch = training.fit, fitted, trainer.Watch, Beside
    try:
        result = train(run, console=Console(quiet=True))
    finally:
        training.fit, trainer.Watch = before, watch
    first = FILES // BATCH
    summary = json.loads((result.folder / "summary.json").read_text())
    whole, bare = Beside.whole[first:], Beside.bare[first:]
    ratio = float(np.median(np.array(whole) / np.array(bare)))
    return {"ours_s": float(np.median(whole)), "peer_s": float(np.median(bare)), "overhead": ratio,
            "waiting": summary["wait_share"]}  # fmt: skip


class PerItem(torch.utils.data.Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """Decode, resample, augment and compute the filter bank of one item in the dataset, anew in every epoch."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __len__(self) -> int:
        return FILES

    def __getitem__(self, i: int) -> tuple[torch.Tensor, torch.Tensor]:
        data, rate = soundfile.read(self.folder / f"{i}.wav", dtype="float32")
        x = torch.from_numpy(data)[None]
        if rate != RATE:
            x = torchaudio.transforms.Resample(rate, RATE)(x)
        x = torch.roll(x - x.mean(), int(torch.randint(0, RATE, (1,))), 1)
        fbank = torchaudio.compliance.kaldi.fbank(
            x, htk_compat=True, sample_frequency=RATE, use_energy=False, window_type="hanning", num_mel_bins=80
        )
        fbank = torchaudio.transforms.TimeMasking(48)(torchaudio.transforms.FrequencyMasking(24)(fbank.T[None]))
        return fbank, torch.tensor([float(i % 2)])


def plain_loop(folder: Path, network: str, steps: int = 6) -> float:
    """Seconds of a step of the loop that the field writes by hand: everything per item, float32, Adam."""
    model = timm.create_model(network, in_chans=1, num_classes=1).train()
    optim = torch.optim.Adam(model.parameters(), lr=3e-4)
    times, loader = [], iter(torch.utils.data.DataLoader(PerItem(folder), BATCH, shuffle=True))
    for _ in range(min(steps, FILES // BATCH)):
        began = time.perf_counter()
        x, y = next(loader)
        torch.nn.functional.binary_cross_entropy_with_logits(model(x), y).backward()
        optim.step()
        optim.zero_grad()
        times.append(time.perf_counter() - began)
    return float(np.median(times[1:]))


class _InMemory(torch.nn.Module):
    def __init__(self, network: str) -> None:
        super().__init__()
        self.network = timm.create_model(network, in_chans=1, num_classes=1)

    def forward(self, x: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        logits = self.network(x)
        return {"loss": torch.nn.functional.binary_cross_entropy_with_logits(logits, labels), "logits": logits}


class _Clock(TrainerCallback):
    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_step_end(self, *args: Any, **kwargs: Any) -> None:
        self.ends.append(time.perf_counter())


def stock_trainer(folder: Path, network: str, steps: int = 8) -> float:
    """Seconds of a step of the stock Trainer with its defaults, on features in memory."""
    x = torch.randn(BATCH, 1, 80, 1001)
    rows = [{"x": clip, "labels": torch.tensor([float(i % 2)])} for i, clip in enumerate(x)] * steps
    clock = _Clock()
    arguments = TrainingArguments(
        output_dir=str(folder / "stock"), per_device_train_batch_size=BATCH, max_steps=steps, save_strategy="no",
        report_to=[], disable_tqdm=True, use_cpu=True,
    )  # fmt: skip
    Trainer(_InMemory(network), arguments, train_dataset=rows, callbacks=[clock]).train()
    return float(np.median(np.diff(clock.ends)[1:]))


def auto(folder: Path, network: str = "resnet18") -> dict[str, Any]:
    """A step of a run with `precision: auto` beside one of the stock Trainer's default, one after the other, twice."""
    ours, theirs, chosen = [], [], {}
    for _ in range(2):
        theirs.append(stock_trainer(folder, network))
        result = train(load(configured(folder, network, precision="auto")), console=Console(quiet=True))
        summary = json.loads((result.folder / "summary.json").read_text())
        ours.append(BATCH / summary["clips_per_second"])
        chosen = {key: summary[key] for key in ("precision", "channels_last")}
    return {"ours_s": min(ours), "peer_s": min(theirs), "ratio": min(theirs) / min(ours), **chosen}


def measured() -> dict[str, dict[str, Any]]:
    """All of it, by what is compared."""
    rows: dict[str, dict[str, Any]] = {}
    with corpus() as folder:
        for network in NETWORKS:
            row = overhead(folder, network)
            loop = plain_loop(folder, network)
            rows[f"{network}, a step of 16 × 10 s / the bare step"] = row
            rows[f"{network}, the same / a plain loop, everything per item"] = {
                "ours_s": row["ours_s"], "peer_s": loop, "ratio": loop / row["ours_s"],
            }  # fmt: skip
        rows["resnet18, precision: auto / the stock Trainer's default"] = auto(folder)
    return rows


if __name__ == "__main__":
    torch.set_num_threads(1)
    for name, row in measured().items():
        print(name, row)
