"""Any image network of timm, with the features as its image: frequency up, time along."""

from typing import Any

import timm
import torch
from jaxtyping import Bool, Float
from pydantic import Field, field_validator
from torch import Tensor, nn
from torch.nn import functional

from ..component import assume, did_you_mean
from ..signals import Signal
from . import Model
from ._timm_weights import load

_STEP = 32  # Cells: networks that are built for one size of image take multiples of this.


class Timm(Model):
    """An image network by its name in timm (Wightman 2019, doi 10.5281/zenodo.4414861), which sees an image for each
    channel of the sound: one, or two for stereo.

    A network that ends in maps keeps time: its own pooling is done for every column of the map by itself. One that
    ends in tokens (a ViT) gives one frame per clip, so it is for targets that are given once per clip.
    """

    name: str = "efficientnet_b0"
    """The network's name in timm."""
    weights: str | None = None
    """A file of weights to start from, `.safetensors` or `.pth`, a path or URI; or `package:NAME`, the one such file of
    an installed package. By default the network starts from random ones."""
    until: str | None = None
    """The part of the network whose maps are taken, by its name there, such as `blocks.3`; by default all of it is
    heard. What lies behind it is left out."""
    drop_rate: float = Field(default=0.0, ge=0, lt=1)
    """Dropout before the network's last layer."""
    drop_path_rate: float = Field(default=0.0, ge=0, lt=1)
    """The probability that a residual branch is left out (stochastic depth), for networks that know it."""

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        if not timm.is_model(name):
            raise ValueError(f"timm {timm.__version__} has no network {name!r}{did_you_mean(name, timm.list_models())}")
        return name

    @property
    def hears_padding(self) -> bool:
        return True

    def build(self, features: Signal, target: Signal) -> tuple[nn.Module, Signal]:
        """The module, and the Signal of its embedding, whose rate is found by hearing one silent clip.

        Raises:
            ValueError: the network cannot take images of this size, gives no sequence where the target has a rate, or
                is not the one that the weights are for (every name that does not fit is listed).
            FileNotFoundError: there is no file of weights.
        """
        planes, width = features.planes, features.frames
        try:
            module, embedding = self._fitted(planes, len(features.channels) // planes, width)
        except AttributeError as error:
            parts = [name for name, _ in self._create(planes, None).named_modules() if name.count(".") < 2 and name]
            raise ValueError(
                f"model.until: {self.name} has no part {self.until!r}{did_you_mean(str(self.until), parts)}"
            ) from error
        if self.until is not None and not module.keeps_time:
            raise ValueError(f"model.until: {self.until} of {self.name} gives no maps of time and frequency")
        if not module.keeps_time and target.rate is not None:
            raise ValueError(
                f"timm network {self.name!r} gives one frame per clip, and the target has {target.rate:g} per second; "
                f"take a network that ends in maps, such as 'efficientnet_b0'"
            )
        if self.weights is not None:
            load(module.network, self.weights, planes)
        names = tuple(f"embedding_{i}" for i in range(embedding.shape[1]))
        return module.train(), Signal(names, embedding.shape[2] / features.duration, features.duration)

    def bare(self) -> "Timm":
        return self.model_copy(update={"weights": None})

    def _fitted(self, planes: int, height: int, width: int) -> tuple["_Columns", Float[Tensor, "1 embedded frames"]]:
        """The network for images of this size, or of the nearest one that it takes; and what it hears in silence."""
        multiple = (-(-height // _STEP) * _STEP, -(-width // _STEP) * _STEP)
        own = timm.get_pretrained_cfg(self.name).input_size[1:]  # pyright: ignore
        larger = (max(own[0], multiple[0]), max(own[1], multiple[1]))
        silence, real = torch.zeros(1, planes * height, width), torch.ones(1, width, dtype=torch.bool)
        why: list[str] = []
        # Built for this image; or built for any, which is then as it is, or stretched as little as is needed.
        for built, size in ((multiple, multiple), (None, None), (None, multiple), (None, larger), (None, own)):
            try:
                module = _Columns(self._create(planes, built), planes, size, self.until).eval()
                with torch.no_grad():
                    module.keeps_time = getattr(module.maps(silence), "ndim", 0) == 4
                    embedding = module(silence, real)
            except (AssertionError, IndexError, RuntimeError, TypeError, ValueError) as error:
                if "img_size" not in str(error):
                    why.append(str(error) or type(error).__name__)
                continue
            if size in (larger, own) and size != multiple:
                assume(
                    f"timm network {self.name!r} takes no image of {height} channels by {width} frames ({why[0]}): "
                    f"they are stretched to {size[0]} by {size[1]}"
                )
            return module, embedding
        raise ValueError(
            f"timm network {self.name!r} cannot take an image of {height} channels by {width} frames, nor one of its "
            f"own size ({'; '.join(dict.fromkeys(why))}); take another network"
        )

    def _create(self, planes: int, size: tuple[int, int] | None) -> nn.Module:
        options: dict[str, Any] = {"in_chans": planes, "num_classes": 0, "drop_rate": self.drop_rate}
        if self.drop_path_rate:
            options["drop_path_rate"] = self.drop_path_rate
        if size is not None:
            options["img_size"] = size
        return timm.create_model(self.name, **options)


class _Columns(nn.Module):
    """The network, and its own head on every column of its last map."""

    def __init__(self, network: nn.Module, planes: int, size: tuple[int, int] | None, until: str | None) -> None:
        super().__init__()
        self.network: Any = network
        self.until = until
        if until is not None:
            network.get_submodule(until).register_forward_hook(_leave)
        network.register_state_dict_post_hook(_apart)
        self.planes, self.size = planes, size
        self.channels_last = getattr(network, "output_fmt", "NCHW") == "NHWC"
        self.keeps_time = True

    def forward(
        self, x: Float[Tensor, "batch channels frames"], real: Bool[Tensor, "batch frames"]
    ) -> Float[Tensor, "batch width embedded"]:
        try:
            return self._heard(x)
        except ValueError:
            if not self.training or len(x) > 1:
                raise
            # Networks that normalise what is pooled over a whole clip need two, and a last batch may be one.
            return self._heard(x.repeat(2, 1, 1))[:1]

    def _heard(self, x: Float[Tensor, "batch channels frames"]) -> Float[Tensor, "batch width embedded"]:
        maps = self.maps(x)
        if self.until is not None:
            return maps.mean(1).transpose(1, 2) if self.channels_last else maps.mean(2)
        if not self.keeps_time:
            return self.network.forward_head(maps, pre_logits=True)[:, :, None]
        maps = maps.transpose(1, 2) if self.channels_last else maps.permute(0, 3, 1, 2)
        columns = maps.flatten(0, 1).unsqueeze(2 if self.channels_last else 3)
        pooled = self.network.forward_head(columns, pre_logits=True)
        return pooled.unflatten(0, maps.shape[:2]).transpose(1, 2)

    def maps(self, x: Float[Tensor, "batch channels frames"]) -> Any:
        """The network's last maps, `(batch, width, height, columns)` or channels last; or whatever else it ends in."""
        image = x.unflatten(1, (self.planes, -1))
        if self.size and self.size != image.shape[2:]:
            # Stretched rather than padded, so that the columns still cover the clip evenly.
            image = functional.interpolate(image, self.size, mode="bilinear")
        try:
            return self.network.forward_features(image)
        except _Left as left:
            return left.maps


class _Left(Exception):
    """Thrown where a network is left before its end, with what it has until then."""

    def __init__(self, maps: Tensor) -> None:
        super().__init__()
        self.maps = maps


def _apart(module: nn.Module, state: dict[str, Any], prefix: str, _: Any) -> None:
    """Weights that parts of a network share are given once for each, as files of weights ask for."""
    seen: set[int] = set()
    for name, tensor in state.items():
        if name.startswith(prefix):
            state[name] = tensor.clone() if tensor.data_ptr() in seen else tensor
            seen.add(tensor.data_ptr())


def _leave(module: nn.Module, given: Any, made: Tensor) -> None:
    raise _Left(made)
