"""Image networks hear features: families, sizes, weights and what is refused."""

import warnings

import pytest
import timm
import torch
from pydantic import ValidationError
from safetensors.torch import save_file

from tympan.component import AssumptionWarning
from tympan.models.timm import Timm
from tympan.signals import Signal

torch.set_num_threads(1)

ONCE = Signal(("a",), None, 1.5)
CURVE = Signal(("a",), 4.0, 1.5)
IMAGE = Signal(tuple(f"mel_{i}" for i in range(40)), 100.0, 1.5)  # neither side is a multiple of 32


def hear(model: Timm, target: Signal = ONCE):
    module, embedding = model.build(IMAGE, target)
    y = module.eval()(torch.randn(2, 40, 150), torch.ones(2, 150, dtype=torch.bool))
    assert y.shape == (2, len(embedding.channels), embedding.frames)
    assert y.isfinite().all()
    return embedding


@pytest.mark.parametrize("name", ["resnet10t", "efficientnet_lite0", "mobilenetv3_small_050", "convnext_atto"])
def test_a_convolutional_network_keeps_time(name: str) -> None:
    assert hear(Timm(name=name), CURVE).frames in (4, 5)


@pytest.mark.parametrize("option", ["drop_rate", "drop_path_rate"])
def test_dropout_and_stochastic_depth_act_in_training_alone(option: str) -> None:
    module, _ = Timm.model_validate({"name": "test_resnet", option: 0.5}).build(IMAGE, ONCE)
    x, real = torch.randn(16, 40, 150), torch.ones(16, 150, dtype=torch.bool)
    module.eval()
    assert torch.equal(module(x, real), module(x, real))
    for norm in (m for m in module.train().modules() if isinstance(m, torch.nn.BatchNorm2d)):
        norm.eval()  # whose statistics would move
        torch.nn.init.ones_(norm.weight)  # else a residual branch begins as nothing
    assert not torch.equal(module(x, real), module(x, real))


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["efficientnet_b0", "maxvit_pico_rw_256", "swin_tiny_patch4_window7_224", "mambaout_femto", "densenet121"]
)
def test_a_larger_network_keeps_time(name: str) -> None:
    assert hear(Timm(name=name, drop_rate=0.1), CURVE).frames in (4, 5)


def test_a_network_of_tokens_gives_one_frame_and_is_refused_for_a_curve() -> None:
    model = Timm(name="vit_tiny_patch16_224")
    assert hear(model).frames == 1
    with pytest.raises(ValueError, match="one frame per clip, and the target has 4 per second"):
        model.build(IMAGE, CURVE)


@pytest.mark.parametrize("name", ["resnet10t", "convnext_atto"])
def test_the_mean_over_frames_is_near_what_timm_itself_gives(name: str) -> None:
    torch.manual_seed(0)
    module, _ = Timm(name=name).build(IMAGE, ONCE)
    x = torch.randn(2, 40, 150)
    with torch.no_grad():
        ours = module.eval()(x, torch.ones(2, 150, dtype=torch.bool)).mean(2)
        theirs = module.network(x[:, None])
    if name == "resnet10t":  # it pools and nothing else; the others normalise before or after
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)
    assert torch.nn.functional.cosine_similarity(ours, theirs).min() > 0.9


def test_sound_late_in_the_clip_is_heard_in_late_frames() -> None:
    torch.manual_seed(0)
    module, _ = Timm(name="resnet10t").build(Signal(IMAGE.channels, 100.0, 10.24), ONCE)
    real = torch.ones(1, 1024, dtype=torch.bool)
    x = torch.zeros(1, 40, 1024)
    late = x.clone()
    late[:, :, 900:] = 1.0
    with torch.no_grad():
        change = (module.eval()(late, real) - module(x, real)).abs().sum(1)[0]
    assert change[:22].max() < 0.01 * change[29:].max()


def test_an_unknown_network_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ValidationError, match="no network 'resnet10'; did you mean 'resnet1"):
        Timm(name="resnet10")


def test_an_image_that_is_too_small_is_stretched_to_what_the_network_takes() -> None:
    with pytest.warns(AssumptionWarning, match=r"'inception_v4' takes no image of 40 channels by 150 frames .* 299 by"):
        assert hear(Timm(name="inception_v4"), CURVE).frames == 8


def test_weights_of_three_colours_and_a_classifier_are_adapted(tmp_path) -> None:
    network = timm.create_model("resnet10t", num_classes=7)
    state = network.state_dict()
    save_file(state, tmp_path / "w.safetensors")
    torch.save({"state_dict": state}, tmp_path / "w.pth")
    for file in ("w.safetensors", "w.pth"):
        with pytest.warns(AssumptionWarning, match=r"conv1\.0\.weight of 3 image channels is summed"):
            module, _ = Timm(name="resnet10t", weights=str(tmp_path / file)).build(IMAGE, ONCE)
        grey = torch.randn(1, 1, 40, 150)
        with torch.no_grad():
            expected = network.eval().forward_features(grey.expand(-1, 3, -1, -1))
            torch.testing.assert_close(module.network.eval().forward_features(grey), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("colours", [1, 3])
def test_weights_are_shared_by_the_channels_of_stereo(tmp_path, colours: int) -> None:
    state = timm.create_model("resnet10t", in_chans=colours, num_classes=0).state_dict()
    save_file(state, tmp_path / "w.safetensors")
    model = Timm(name="resnet10t", weights=str(tmp_path / "w.safetensors"))
    both = tuple(f"{side} {name}" for side in ("left", "right") for name in IMAGE.channels)
    with pytest.warns(AssumptionWarning, match="hear 2 channels alike"):
        stereo, _ = model.build(Signal(both, 100.0, 1.5, planes=2), ONCE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AssumptionWarning)
        mono, _ = model.build(IMAGE, ONCE)
    x, real = torch.randn(1, 40, 150), torch.ones(1, 150, dtype=torch.bool)
    with torch.no_grad():
        alone, twice = mono.eval()(x, real), stereo.eval()(x.repeat(1, 2, 1), real)
    torch.testing.assert_close(twice, alone, atol=1e-4, rtol=1e-4)


def test_stereo_is_two_images_of_the_same_bands() -> None:
    torch.manual_seed(0)
    both = tuple(f"{side} {name}" for side in ("left", "right") for name in IMAGE.channels)
    module, _ = Timm(name="resnet10t").build(Signal(both, 100.0, 1.5, planes=2), ONCE)
    left, right = torch.randn(2, 40, 150), torch.randn(2, 40, 150)
    with torch.no_grad():
        maps = module.eval().maps(torch.cat([left, right], 1))
        expected = module.network.forward_features(torch.stack([left, right], 1))
    assert maps.equal(expected)


def test_positions_of_another_image_size_are_adapted(tmp_path) -> None:
    network = timm.create_model("vit_tiny_patch16_224", in_chans=1, depth=1)
    save_file(network.state_dict(), tmp_path / "w.safetensors")
    state = {k: v for k, v in network.state_dict().items() if not k.startswith("blocks.")}
    model = Timm(name="vit_tiny_patch16_224", weights=str(tmp_path / "w.safetensors"))
    with pytest.raises(ValueError, match=r"blocks\.1\.norm1\.weight is missing") as error:
        model.build(IMAGE, ONCE)
    assert "pos_embed" not in str(error.value)
    assert state["pos_embed"].shape[1] == 197


def test_weights_that_do_not_fit_are_listed(tmp_path) -> None:
    state = timm.create_model("resnet10t", in_chans=1, num_classes=0).state_dict()
    state["extra.weight"] = state.pop("bn1.weight")
    state["bn1.bias"] = torch.zeros(3)
    save_file(state, tmp_path / "w.safetensors")
    model = Timm(name="resnet10t", weights=str(tmp_path / "w.safetensors"))
    with pytest.raises(ValueError) as error:
        model.build(IMAGE, ONCE)
    message = str(error.value)
    assert "bn1.weight is missing" in message
    assert "extra.weight is not the network's" in message
    assert "bn1.bias is (3,)" in message


def test_files_that_are_missing_or_no_weights_are_refused(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match="there is no file"):
        Timm(name="resnet10t", weights=str(tmp_path / "none.pth")).build(IMAGE, ONCE)
    for name in ("bad.safetensors", "bad.pth"):
        (tmp_path / name).write_bytes(b"no weights at all")
        with pytest.raises(ValueError, match="cannot be read as weights"):
            Timm(name="resnet10t", weights=str(tmp_path / name)).build(IMAGE, ONCE)


def test_a_bare_copy_needs_no_file() -> None:
    model = Timm(name="resnet10t", weights="gone.pth").bare()
    assert model.weights is None
    model.build(IMAGE, ONCE)
