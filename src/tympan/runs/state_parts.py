"""The parts of a training's state, by the mission's schema."""

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, field_validator


def _dtype(value: Any) -> Any:
    return getattr(torch, value, value) if isinstance(value, str) else value


Dtype = Annotated[
    torch.dtype, BeforeValidator(_dtype), PlainSerializer(lambda dtype: str(dtype).removeprefix("torch."), str)
]
Device = Annotated[
    torch.device,
    BeforeValidator(lambda value: torch.device(value) if isinstance(value, str) else value),
    PlainSerializer(str, str),
]


class Part(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        arbitrary_types_allowed=True,
        ser_json_bytes="base64",
        val_json_bytes="base64",
        protected_namespaces=(),
    )


class RNGState(Part):
    """The generators of random numbers; what is drawn from (seed, epoch, index) needs none of them."""

    seed: int
    torch_rng_state: dict[str, list[bytes]]
    """Of each kind of device the states of its generators."""
    numpy_rng_state: bytes
    """The 624 words of the Mersenne twister, little-endian, the place in them, and a normal deviate that is kept."""
    python_rng_state: tuple[Any, ...]

    @classmethod
    def now(cls, seed: int) -> "RNGState":
        """The generators as they are."""
        states = {"cpu": [_bytes(torch.get_rng_state())]}
        if torch.cuda.is_available():
            states["cuda"] = [_bytes(state) for state in torch.cuda.get_rng_state_all()]
        _, words, place, has, kept = np.random.get_state(legacy=True)  # noqa: NPY002 - the global one, which other code may draw from
        told = np.asarray(words, "<u4").tobytes() + np.array([place, has], "<i4").tobytes() + np.float64(kept).tobytes()
        return cls(seed=seed, torch_rng_state=states, numpy_rng_state=told, python_rng_state=random.getstate())

    def restore(self) -> None:
        """Put the generators back."""
        torch.set_rng_state(_tensor(self.torch_rng_state["cpu"][0]))
        for place, state in enumerate(self.torch_rng_state.get("cuda", ())):
            if place < torch.cuda.device_count():
                torch.cuda.set_rng_state(_tensor(state), place)
        words, rest = self.numpy_rng_state[:2496], self.numpy_rng_state[2496:]
        place, has = np.frombuffer(rest[:8], "<i4").tolist()
        kept = float(np.frombuffer(rest[8:], "<f8")[0])
        np.random.set_state(  # noqa: NPY002
            ("MT19937", np.frombuffer(words, "<u4"), place, has, kept)
        )
        version, inner, gauss = self.python_rng_state
        random.setstate((version, tuple(inner), gauss))


class ModelState(Part):
    """The weights."""

    model_loaded: bool
    model_ram_size_bytes: int = Field(ge=0)
    model_dtype: Dtype
    model_device: Device
    best_model_path: Path | None
    """The best checkpoint's weights by the monitored figure, where one is monitored."""
    last_model_path: Path | None


class DataLoaderState(Part):
    """The position in one source of data: all that order, windows and augmentation need."""

    last_batch_idx: int = Field(ge=0)
    """Batches that were taken from it."""
    dataset: str
    split: Literal["train", "val", "test"]


class MetaDataLoaderState(Part):
    """The position in every source of a mixture, or in the one."""

    split: Literal["train", "val", "test"]
    sampling_weights: list[float]
    dataloader_states: list[DataLoaderState]

    @field_validator("dataloader_states")
    @classmethod
    def _one_each(cls, states: list[DataLoaderState], info: Any) -> list[DataLoaderState]:
        weights = info.data.get("sampling_weights", [])
        if len(states) != len(weights):
            raise ValueError(f"{len(weights)} sampling weights for {len(states)} sources")
        return states


class MetricState(Part):
    """The figures last logged."""

    metrics: dict[str, float | int | None]
    """By name, `train/…` or `val/…`; `None` is not a number."""

    @field_validator("metrics")
    @classmethod
    def _of_a_part(cls, metrics: dict[str, float | int | None]) -> dict[str, float | int | None]:
        wrong = [
            name for name in metrics if name.partition("/")[0] not in ("train", "val") or not name.partition("/")[2]
        ]
        if wrong:
            raise ValueError(f"{', '.join(wrong)}: a metric's name begins with train/ or val/")
        return metrics


class OptimizerState(Part):
    """The optimizer."""

    last_step: int = Field(ge=0)
    moments_ram_size_bytes: int = Field(ge=0)
    moments_dtype: Dtype | None
    """`None` where there are no moments yet."""
    moments_device: Device | None
    moments_path: Path | None


class CheckpointState(Part):
    """Where checkpoints are, and how old the last one is."""

    steps_since_last_checkpoint: int = Field(ge=0)
    checkpoint_dir: Path


class LogState(Part):
    """What was summed up since the last line of the log, so that the next one does not change."""

    loss: float = 0.0
    steps: int = Field(default=0, ge=0)
    validation_due: bool = False
    """Whether somebody asked for the end while this step was validated, which comes first then."""


def moments(state: Mapping[Any, Any]) -> tuple[int, torch.dtype | None, torch.device | None]:
    """Bytes, type and device of an optimizer's moments."""
    tensors = [t for own in state.values() for t in own.values() if isinstance(t, torch.Tensor) and t.dim()]
    size = sum(t.numel() * t.element_size() for t in tensors)
    return size, tensors[0].dtype if tensors else None, tensors[0].device if tensors else None


def _bytes(state: torch.Tensor) -> bytes:
    return state.cpu().numpy().tobytes()


def _tensor(state: bytes) -> torch.Tensor:
    return torch.frombuffer(bytearray(state), dtype=torch.uint8)
