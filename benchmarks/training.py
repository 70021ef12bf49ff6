"""Training beside its limit and its peers: a step of the whole run, of bare tensors, of loops of the field."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import soundfile
import timm
import torch
import torchaudio
from rich.console import Console
from transformers import Trainer, TrainerCallback, TrainingArguments

from tympan.device import has_bf16
from tympan.runs import member, trainer
from tympan.runs.configuration import load
from tympan.runs.optimization import optimizer
from tympan.runs.train import train
from tympan.serving.artifact import Artifact

RATE, SECONDS, BATCH = 16000, 10.0, 16
FILES = 64
EPOCHS = 6
NETWORKS = ("resnet18", "efficientnet_b0")
HALF = has_bf16("cpu")
QUICKEST: dict[str, Any] = {"precision": "bf16", "channels_last": True} if HALF else {"precision": "fp32"}
LAYOUT = torch.channels_last if HALF else torch.contiguous_format
CHANGES = ("time_shift", "speed", "pitch_shift", "time_stretch", "gaussian_noise", "gain", "band_stop", "clipping",
           "cut_out", "mixup", "frequency_mask", "time_mask", "spectrogram_noise", "coarse_dropout")  # fmt: skip


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


def configured(folder: Path, network: str, changes: Sequence[str] = (), **hardware: Any) -> Path:
    """The configuration of a run without validation, so that its steps are all there is; with these augmentations."""
    run = {
        "data": {"type": "manifest", "path": str(folder / "table.csv"), "sample_rate": RATE, "duration": SECONDS},
        "split": {"validation": "none", "ratios": [1.0, 0.0, 0.0]},
        "features": {"type": "mel", "n_mels": 80},
        "augmentations": [{"type": name} for name in changes],
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

    whole: ClassVar[list[float]]
    bare: ClassVar[list[float]]
    waits: ClassVar[list[float]]
    prepared: ClassVar[Any]

    def on_train_begin(self, *args: Any, **kwargs: Any) -> None:
        super().on_train_begin(*args, **kwargs)
        type(self).whole, type(self).bare, type(self).waits = [], [], []
        self.model: Any = None
        self.since = time.perf_counter()

    def on_step_begin(self, *args: Any, **kwargs: Any) -> None:
        before = self.waiting
        super().on_step_begin(*args, **kwargs)
        self.waits.append(self.waiting - before)

    def on_step_end(self, *args: Any, **kwargs: Any) -> None:
        super().on_step_end(*args, **kwargs)
        self.whole.append(time.perf_counter() - self.since)
        if self.model is None:
            self.model = self.copy(kwargs["model"])
        began = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=HALF):
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
        model.backbone.to(memory_format=LAYOUT)
        self.optimizer = optimizer(self.prepared.run.optimizer, model)
        clips = self.prepared.clips("train")
        batch = self.prepared.collate([clips[i] for i in range(BATCH)])
        with torch.no_grad():
            self.x, self.real = model.represent(batch["waveform"], batch["key"], batch["samples"])
        self.y = batch["target"]["target"]
        return model


def overhead(folder: Path, network: str, changes: Sequence[str] = ()) -> tuple[dict[str, float], Path]:
    """Seconds of a step of the whole run and of a bare one, interleaved, after the first epoch; the share of waiting
    in these steps; and the run's folder."""
    run = load(configured(folder, network, changes, **QUICKEST))
    fit = member.fit

    def fitted(prepared: Any, *arguments: Any) -> Any:
        Beside.prepared = prepared
        return fit(prepared, *arguments)

    member.fit, watch, trainer.Watch = fitted, trainer.Watch, Beside
    try:
        result = train(run, console=Console(quiet=True))
    finally:
        member.fit, trainer.Watch = fit, watch
    first = FILES // BATCH
    whole, bare, waits = (np.array(seen[first:]) for seen in (Beside.whole, Beside.bare, Beside.waits))
    row = {"ours_s": float(np.median(whole)), "peer_s": float(np.median(bare)),
           "overhead": float(np.median(whole / bare)), "waiting": float(waits.sum() / whole.sum())}  # fmt: skip
    return row, result.folder


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


def auto(folder: Path, network: str) -> tuple[float, dict[str, Any]]:
    """Seconds of a step of a run with `precision: auto`, and what it chose."""
    result = train(load(configured(folder, network, precision="auto")), console=Console(quiet=True))
    summary = json.loads((result.folder / "summary.json").read_text())
    return BATCH / summary["clips_per_second"], {key: summary[key] for key in ("precision", "channels_last")}


def answered(network: str, artifact: Artifact | None = None) -> float:
    """Seconds in which the network of a run answers 16 clips from memory; or a bare one, in float32 as ours does."""
    x = torch.randn(BATCH, 1, round(RATE * SECONDS)).numpy()
    module = timm.create_model(network, in_chans=1, num_classes=1).eval()
    image, times = torch.randn(BATCH, 1, 80, 1001), []
    for _ in range(4):
        began = time.perf_counter()
        with torch.inference_mode():
            list(artifact.hear(x, BATCH)) if artifact else module(image)
        times.append(time.perf_counter() - began)
    return min(times[1:])


def bare_step(network: str, steps: int = 8) -> float:
    """Seconds of forward, backward and optimizer of a bare network, as the allocator then is."""
    model = timm.create_model(network, in_chans=1, num_classes=1).train().to(memory_format=LAYOUT)
    optim = torch.optim.AdamW(model.parameters(), fused=True)
    x, y, times = torch.randn(BATCH, 1, 80, 1001), torch.ones(BATCH, 1), []
    for _ in range(steps):
        began = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=HALF):
            loss = torch.nn.functional.binary_cross_entropy_with_logits(model(x), y)
        loss.backward()
        optim.step()
        optim.zero_grad()
        times.append(time.perf_counter() - began)
    return float(np.median(times[2:]))


def alone(measure: str, network: str, keep: bool) -> float:
    """What `measure` says in a process of its own, as the memory of one depends on what it has done before."""
    code = "import torch, training; from tympan import memory; torch.set_num_threads(1); "
    code += f"memory.keep() if {keep} else None; print(training.{measure}({network!r}))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parent
    )
    return float(done.stdout.split()[-1])


def measured() -> dict[str, dict[str, Any]]:
    """All of it, by what is compared; the peers go first, since tympan keeps freed memory for the whole process."""
    rows: dict[str, dict[str, Any]] = {}
    torch.set_num_threads(1)  # whatever was measured before has left
    with corpus() as folder:
        loops = {network: plain_loop(folder, network) for network in NETWORKS}
        bare = {network: answered(network) for network in NETWORKS}
        stock = min(stock_trainer(folder, "resnet18") for _ in range(2))
        for network in NETWORKS:
            row, run = overhead(folder, network)
            rows[f"{network}, a step of 16 × 10 s / the bare step"] = row
            rows[f"{network}, the same / a plain loop, everything per item"] = beside(row["ours_s"], loops[network])
            answer = answered(network, Artifact.load(run))
            rows[f"{network}, answers to 16 × 10 s / the bare network, features in memory"] = beside(
                answer, bare[network]
            )
            for what, measure in (("step", "bare_step"), ("network's answers", "answered")):
                rows[f"{network}, the bare {what}, freed memory kept / given back"] = beside(
                    *(alone(measure, network, keep) for keep in (True, False))
                )
        rows[f"resnet18, a step of 16 × 10 s with {len(CHANGES)} augmentations / the bare step"] = overhead(
            folder, "resnet18", CHANGES
        )[0]
        torch.set_num_threads(2)
        rows["resnet18, a step of 16 × 10 s on two threads / the bare step"] = overhead(folder, "resnet18")[0]
        torch.set_num_threads(1)
        ours, chosen = min((auto(folder, "resnet18") for _ in range(2)), key=lambda found: found[0])
        rows["resnet18, precision: auto / the stock Trainer's default"] = {**beside(ours, stock), **chosen}
    return rows


def beside(ours: float, peer: float) -> dict[str, Any]:
    """One row of the table."""
    return {"ours_s": ours, "peer_s": peer, "ratio": peer / ours}


if __name__ == "__main__":
    torch.set_num_threads(1)
    for name, row in measured().items():
        print(name, row)
