"""A WaveNet that hears the sound and its own past answers: gated, dilated convolutions in stacks."""

import math
from fnmatch import fnmatchcase

from pydantic import Field, model_validator
from torch import nn

from ..component import did_you_mean
from ..frames import Steps
from ..signals import Signal
from ._past import Hearing
from ._wavenet import Network
from ._wavenet_grid import Derived

_DEFAULT_CONTEXT = 5.0  # s: skin conductance begins to rise 1 to 3 s after its cause, and rises for 1 to 3 s.


class WaveNet(Hearing):
    """Dilated convolutions of kernel 2 with gates (van den Oord et al. 2016, doi 10.48550/arXiv.1609.03499).

    The sound runs through the stacks at the rate of the features. Its past answers, at the target's rate, are
    upsampled by dense layers and reach every gate through 1×1 convolutions. The skip paths are added up, and after two
    ReLUs with 1×1 layers attention over the frames of one step makes that step's embedding. Without its past it is an
    ordinary causal network, also for targets that are given once per clip.
    """

    context_size_in_seconds: float | None = Field(default=None, gt=0)
    """How much sound a frame depends on (s); by default 5 s, or the clip where that is shorter."""
    context_size_in_steps: int | None = Field(default=None, ge=1)
    """The same in steps of the target, instead of seconds."""
    max_layers_per_stack: int = Field(default=9, ge=1, le=20)
    """Layers of a stack at the most, with dilations 1, 2, 4, …; with 9, a stack sees 512 frames."""
    hidden_channels: int = Field(default=64, ge=1)
    """Channels of the residual path, of each gate, and of the upsampled past."""
    skip_channels: int = Field(default=64, ge=1)
    """Channels of the skip paths, and of the embedding."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout after each gate."""
    hears_past: bool = True
    """Whether it hears its own past answers, one step of the target after the other."""
    conditioning: tuple[str, ...] = ()
    """Names of feature channels, or patterns such as `mfcc_*`, that also reach every gate directly."""

    @model_validator(mode="after")
    def _one_context(self) -> "WaveNet":
        if self.context_size_in_seconds is not None and self.context_size_in_steps is not None:
            raise ValueError("context_size_in_seconds and context_size_in_steps say the same thing; keep one of them")
        return self

    @property
    def hears_future(self) -> bool:
        return False

    def derive(self, features: Signal, target: Signal) -> Derived:
        """Stacks and layers, as few of both as see the context.

        Raises:
            ValueError: the context is longer than a clip, so that weights for it would never be trained; or it is given
                in steps of a target that has none.
        """
        rate = features.frames / features.duration if features.rate is None else features.rate
        clip = features.frames / rate
        seconds = self.context_size_in_seconds or min(_DEFAULT_CONTEXT, clip)
        if self.context_size_in_steps is not None:
            if target.rate is None:
                raise ValueError(
                    "context_size_in_steps counts steps of the target, and the target has one per clip; set "
                    "context_size_in_seconds"
                )
            seconds = self.context_size_in_steps / target.rate
        if seconds > clip + 1 / rate:
            raise ValueError(
                f"a context of {seconds:g} s is longer than a clip of {clip:.3g} s, and what is beyond would never be "
                "trained; raise the data's `duration`, or lower the context"
            )
        context = math.ceil(seconds * rate - 1e-6)
        per_stack = 2**self.max_layers_per_stack - 1
        stacks = max(math.ceil((context - 1) / per_stack), 1)
        layers = max(math.ceil(math.log2((context - 1) / stacks + 1) - 1e-12), 1)
        return Derived(stacks, layers, context, rate, target.rate and rate / target.rate)

    def build(self, features: Signal, target: Signal) -> tuple[nn.Module, Signal]:
        """The module, and the Signal of its embedding: at the target's rate, or at that of the features if it has none.

        Raises:
            ValueError: as `derive`; the features have fewer frames than the target; or a name in `conditioning` is no
                feature channel.
        """
        derived = self.derive(features, target)
        per_step = derived.frames_per_step
        if per_step is not None and per_step < 1 - 1e-6:
            raise ValueError(
                f"the features have {derived.rate:.6g} frames per second and the target {target.rate:g}, so that some "
                "steps would hear none; lower the features' `hop` or the target's `rate`"
            )
        dilations = [2**i for i in range(derived.layers)] * derived.stacks
        module = Network(
            channels=len(features.channels),
            dilations=dilations,
            hidden=self.hidden_channels,
            skip=self.skip_channels,
            dropout=self.dropout,
            past=len(target.channels) if self.hears_past else 0,
            named=self._named(features),
            per_step=per_step,
            steps=Steps.of(features, target) if target.rate else None,
        )
        names = tuple(f"embedding_{i}" for i in range(self.skip_channels))
        rate = target.rate or features.frames / features.duration
        return module, Signal(names, rate, target.duration if target.rate else features.duration)

    def explain(self, features: Signal, target: Signal) -> str:
        return str(self.derive(features, target))

    def _named(self, features: Signal) -> list[int]:
        found: list[int] = []
        for name in self.conditioning:
            fit = [i for i, channel in enumerate(features.channels) if fnmatchcase(channel, name)]
            if not fit:
                near = did_you_mean(name, list(features.channels)) or f"; there are {', '.join(features.channels)}"
                raise ValueError(f"conditioning names {name!r}, which is no channel of the features{near}")
            found += fit
        return sorted(set(found))
