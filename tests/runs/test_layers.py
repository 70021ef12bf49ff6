"""What is frozen stays as it is, and each layer learns at its share of the learning rate."""

import copy
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from runs_helpers import run_of, stopped
from tympan.data.split import Parts
from tympan.models.timm import Timm
from tympan.runs.optimization import freeze, optimizer, scheduler
from tympan.runs.prepare import prepare
from tympan.runs.sections import Optimizer
from tympan.signals import Signal


class Net(nn.Module):
    """A backbone of three layers with normalisation, and a head."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        layers = {"first": nn.Linear(4, 4), "second": nn.Linear(4, 4), "second_norm": nn.BatchNorm1d(4)}
        self.backbone = nn.Sequential()
        for name, layer in layers.items():
            self.backbone.add_module(name, layer)
        self.head = nn.Linear(4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.backbone(x))


def moved(net: nn.Module, config: Optimizer, steps: int = 3) -> set[str]:
    """The names of weights and statistics that some steps changed."""
    before = copy.deepcopy(net.state_dict())
    freeze(config, net)
    optim = optimizer(config, net)
    for _ in range(steps):
        net.train()
        optim.zero_grad()
        net(torch.randn(16, 4)).square().mean().backward()
        optim.step()
    return {name for name, value in net.state_dict().items() if not value.equal(before[name])}


EVERY = set(Net().state_dict())


@pytest.mark.parametrize(
    ("names", "still"),
    [
        ((), ()),
        (("backbone",), ("backbone.",)),
        (("backbone.first", "head.bias"), ("backbone.first.", "head.bias")),
        (("backbone.second",), ("backbone.second.",)),  # and not second_norm, which begins alike
        (("backbone.second_norm",), ("backbone.second_norm.",)),
    ],
)
@pytest.mark.parametrize("kind", ["adamw", "sgd"])
def test_what_is_named_does_not_move_and_all_else_does(names: tuple[str, ...], still: tuple[str, ...], kind: Any):
    config = Optimizer(name=kind, learning_rate=0.1, weight_decay=0.1, freeze=names)
    expected = {name for name in EVERY if not name.startswith(still or ("-",))}
    found = moved(Net(), config)
    # A constant before the mean is taken off has no gradient but that of rounding.
    assert found - {"backbone.second.bias"} == expected - {"backbone.second.bias"}
    assert "backbone.second.bias" in expected or "backbone.second.bias" not in found


def test_a_frozen_mean_and_deviation_are_those_that_normalise():
    net = Net()
    net.backbone.second_norm.running_mean += 3.0
    freeze(Optimizer(freeze=("backbone",)), net)
    x = torch.randn(16, 4)
    training, judging = (net.train(mode).backbone(x) for mode in (True, False))
    assert training.equal(judging)


class Heard(nn.Module):
    """A network of timm, of which parts are used that are not called themselves, and a head."""

    def __init__(self) -> None:
        super().__init__()
        image = Signal(tuple(map(str, range(32))), 32.0, 1.0)
        self.backbone = Timm(name="resnet18", drop_rate=0.5).build(image, Signal(("y",), None, 1.0))[0]
        self.head = nn.Linear(512, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.backbone(x, torch.ones(len(x), 32, dtype=torch.bool)).mean(2))


@pytest.mark.parametrize("frozen", ["backbone", "backbone.network"])
def test_what_is_frozen_drops_nothing_also_where_it_is_not_called_itself(frozen: str):
    net = Heard()
    freeze(Optimizer(freeze=(frozen,)), net)
    x = torch.randn(4, 32, 32)
    for each in (copy.deepcopy(net), net):
        first, second = (each.train()(x) for _ in range(2))
        assert first.equal(second)
        assert each.training and each.head.training, "what is trained"


def test_a_part_that_is_frozen_leaves_the_rest_dropping():
    net = Heard()
    freeze(Optimizer(freeze=("backbone.network.layer1",)), net)
    x = torch.randn(4, 32, 32)
    assert not net.train()(x).equal(net.train()(x))
    trained = {name for name, module in net.named_modules() if module.training}
    assert "backbone.network" in trained and "backbone.network.layer2.0.bn1" in trained
    assert not any(name.startswith("backbone.network.layer1") for name in trained)


def test_a_name_that_nothing_has_and_a_whole_that_is_frozen_are_refused():
    with pytest.raises(ValueError, match=r"no weights begin with 'bckbone'; they begin with backbone, head"):
        freeze(Optimizer(freeze=("bckbone",)), Net())
    with pytest.raises(ValueError, match=r"no weights begin with 'backbone\.sec'"):
        freeze(Optimizer(freeze=("backbone.sec",)), Net())
    with pytest.raises(ValueError, match="nothing is left to train"):
        freeze(Optimizer(freeze=("backbone", "head")), Net())


def test_a_run_keeps_what_is_frozen_and_trains_the_rest(tmp_path, monkeypatch: pytest.MonkeyPatch):
    frozen = {"learning_rate": 0.01, "freeze": ["backbone"]}
    run = run_of(tmp_path, optimizer=frozen, checkpoint={"save_every_n_steps": 1})
    prepared = prepare(run, run.divide()[0])
    begun = prepared.pipeline().state_dict()
    folder = stopped(monkeypatch, run, 3)
    (path,) = (folder / "checkpoints").glob("*-2/model.safetensors")
    ended = load_file(path)
    same = {name: value.equal(ended[name]) for name, value in begun.items() if name in ended}
    assert {name for name in same if name.startswith("backbone.")}, "there is a backbone"
    for name, is_same in same.items():
        assert is_same or not name.startswith("backbone."), name
    assert not all(same.values()), "the head has moved"


def rates(net: nn.Module, config: Optimizer) -> dict[str, float]:
    """The learning rate of every weight, each of which is in one group alone."""
    names = {id(p): name for name, p in net.named_parameters()}
    found: dict[str, float] = {}
    for group in optimizer(config, net).param_groups:
        for parameter in group["params"]:
            assert names[id(parameter)] not in found
            found[names[id(parameter)]] = group["lr"]
    return found


def test_each_layer_has_the_share_of_the_next_one_and_the_head_the_whole():
    config = Optimizer(learning_rate=0.1, layer_decay=0.5)
    shares = {"first": 0.125, "second": 0.25, "second_norm": 0.5}
    expected = {f"backbone.{name}.{kind}": 0.1 * s for name, s in shares.items() for kind in ("weight", "bias")}
    assert rates(Net(), config) == pytest.approx(expected | {"head.weight": 0.1, "head.bias": 0.1})
    plain = rates(Net(), Optimizer(learning_rate=0.1))
    assert set(plain) == set(expected) | {"head.weight", "head.bias"} and set(plain.values()) == {0.1}


def test_what_is_frozen_is_in_no_group_and_counts_as_a_layer():
    config = Optimizer(learning_rate=0.1, layer_decay=0.5, freeze=("backbone.second", "backbone.second_norm"))
    net = Net()
    freeze(config, net)
    expected = {"backbone.first": 0.0125, "head": 0.1}
    every = {f"{name}.{kind}": rate for name, rate in expected.items() for kind in ("weight", "bias")}
    assert rates(net, config) == pytest.approx(every)


def test_weight_decay_stays_with_matrices_and_steps_are_as_long_as_the_rates_say():
    config = Optimizer(name="sgd", learning_rate=0.1, weight_decay=0.3, layer_decay=0.5)
    net = Net()
    optim = optimizer(config, net)
    for group in optim.param_groups:
        assert group["weight_decay"] == (0.3 if group["params"][0].ndim > 1 else 0.0)
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    for parameter in net.parameters():
        parameter.grad = torch.ones_like(parameter)
    optim.step()
    for name, rate in rates(net, config).items():
        kept = before[name] * (0.3 if before[name].ndim > 1 else 0.0)
        now = dict(net.named_parameters())[name]
        torch.testing.assert_close(now, before[name] - rate * (1 + kept), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["cosine", "onecycle"])
def test_a_schedule_keeps_the_shares(name: Any):
    config = Optimizer(learning_rate=0.1, layer_decay=0.5, scheduler=name, max_lr=0.4 if name == "onecycle" else None)
    optim = optimizer(config, Net())
    schedule = scheduler(config, optim, 10)
    highest = [0.0] * len(optim.param_groups)
    for _ in range(10):
        now = [group["lr"] for group in optim.param_groups]
        assert now == pytest.approx([now[-1] * share for share in (0.125, 0.125, 0.25, 0.25, 0.5, 1.0, 1.0)], rel=1e-3)
        highest = [max(pair) for pair in zip(highest, now, strict=True)]
        optim.step()
        schedule.step()
    assert highest[-1] == pytest.approx(0.4 if name == "onecycle" else 0.1, rel=0.05)


def test_the_layers_of_a_timm_network_are_those_that_timm_tells(tmp_path):
    optimization = {"learning_rate": 0.1, "layer_decay": 0.5}
    run = run_of(tmp_path, model={"type": "timm", "name": "test_resnet"}, optimizer=optimization)
    net = prepare(run, Parts(list(range(60)), [], [])).pipeline()
    found = rates(net, run.optimizer)
    assert set(found) == {name for name, _ in net.named_parameters()}
    head = [rate for name, rate in found.items() if not name.startswith("backbone.")]
    assert head == pytest.approx([0.1] * len(head))
    layers = [("conv1.", "bn1."), *((f"layer{k}.",) for k in range(1, 5))]
    for k, begins in enumerate(layers):
        own = [rate for name, rate in found.items() if name.removeprefix("backbone.network.").startswith(begins)]
        assert own and own == pytest.approx([0.1 * 0.5 ** (5 - k)] * len(own)), begins
