"""Schedules and optimizers are torch's."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import (
    ConstantLR,
    CosineAnnealingLR,
    LinearLR,
    LRScheduler,
    OneCycleLR,
    ReduceLROnPlateau,
    SequentialLR,
)

from tympan.runs.optimization import optimizer, scheduler
from tympan.runs.sections import Optimizer

WARM = {"none": {}, "steps": {"warmup_steps": 5}, "ratio": {"warmup_ratio": 0.25}}


def rates(optim: torch.optim.Optimizer, schedule: LRScheduler, steps: int = 20) -> list[float]:
    seen = []
    for _ in range(steps):
        seen.append(optim.param_groups[0]["lr"])
        optim.step()
        schedule.step()
    return seen


def ours(steps: int = 20, **config: object) -> list[float]:
    made = Optimizer.model_validate({"learning_rate": 0.1, **config})
    optim = optimizer(made, nn.Linear(2, 2))
    return rates(optim, scheduler(made, optim, steps), steps)


def of_torch(make: Callable[[torch.optim.Optimizer], LRScheduler], warmup: int = 0) -> list[float]:
    """torch's own schedule, behind its own linear warm-up."""
    optim = torch.optim.AdamW(nn.Linear(2, 2).parameters(), lr=0.1)
    if not warmup:
        return rates(optim, make(optim))
    rise = LinearLR(optim, start_factor=1 / warmup, total_iters=warmup - 1)
    return rates(optim, SequentialLR(optim, [rise, make(optim)], milestones=[warmup]))


TORCHS = {
    "cosine": lambda steps: lambda optim: CosineAnnealingLR(optim, T_max=steps),
    "linear": lambda steps: lambda optim: LinearLR(optim, start_factor=1, end_factor=0, total_iters=steps),
    "constant": lambda steps: lambda optim: ConstantLR(optim, factor=1),
    "none": lambda steps: lambda optim: ConstantLR(optim, factor=1),
}


@pytest.mark.parametrize("warm", WARM)
@pytest.mark.parametrize("name", TORCHS)
@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")
@pytest.mark.filterwarnings("ignore:The epoch parameter in `scheduler.step")
def test_a_schedule_equals_torchs_step_by_step(name: str, warm: str) -> None:
    warmup = 5 if WARM[warm] else 0
    assert ours(scheduler=name, **WARM[warm]) == pytest.approx(of_torch(TORCHS[name](20 - warmup), warmup))


@pytest.mark.parametrize(("warm", "rise"), [("none", 0.3), ("steps", 0.25), ("ratio", 0.25)])
def test_onecycle_equals_torchs_and_the_warm_up_is_its_rise(warm: str, rise: float) -> None:
    theirs = of_torch(lambda optim: OneCycleLR(optim, max_lr=0.5, total_steps=20, pct_start=rise))
    assert ours(scheduler="onecycle", max_lr=0.5, **WARM[warm]) == pytest.approx(theirs)


@pytest.mark.parametrize(("steps", "warm"), [(1, 0), (1, 1), (2, 1), (2, 2), (3, 1), (3, 3)])
def test_onecycle_goes_over_the_fewest_steps(steps: int, warm: int) -> None:
    config = Optimizer.model_validate({"scheduler": "onecycle", "max_lr": 0.5, "warmup_steps": warm})
    optim = optimizer(config, nn.Linear(2, 2))
    schedule: Any = scheduler(config, optim, steps, False)
    for _ in range(steps):
        assert 0 < optim.param_groups[0]["lr"] <= 0.5
        optim.step()
        schedule.step()


@pytest.mark.parametrize("higher", [False, True])
@pytest.mark.parametrize("warm", WARM)
def test_reduce_on_plateau_equals_torchs_after_the_warm_up(warm: str, higher: bool) -> None:
    """Validated every second step; the warm-up goes by steps, the plateau by validations."""
    config = Optimizer.model_validate(
        {"learning_rate": 0.1, "scheduler": "reduce_on_plateau", "plateau_patience": 2, **WARM[warm]}
    )
    optim = optimizer(config, nn.Linear(2, 2))
    schedule: Any = scheduler(config, optim, 20, higher)
    reference = torch.optim.SGD(nn.Linear(2, 2).parameters(), lr=0.1)
    plateau = ReduceLROnPlateau(reference, mode="max" if higher else "min", patience=2)
    figures = [1.0, 2.0, 2.0, 2.0, 2.0, 2.0, 3.0, 3.0, 3.0, 3.0]
    seen, expected = [], []
    for step in range(20):
        seen.append(optim.param_groups[0]["lr"])
        expected.append(reference.param_groups[0]["lr"] * (min((step + 1) / 5, 1) if WARM[warm] else 1))
        optim.step()
        if step % 2:
            schedule.step(figures[step // 2])
            plateau.step(figures[step // 2])
    assert seen == pytest.approx(expected)
    assert min(seen[5:]) < 0.05, "it was lowered"


def test_a_plateau_with_a_warm_up_goes_on_where_it_was_saved() -> None:
    config = Optimizer(learning_rate=0.1, scheduler="reduce_on_plateau", warmup_steps=6)

    def begun() -> tuple[torch.optim.Optimizer, Any]:
        optim = optimizer(config, nn.Linear(2, 2))
        return optim, scheduler(config, optim, 20)

    optim, schedule = begun()
    for _ in range(3):
        optim.step()
    again, resumed = begun()
    again.load_state_dict(optim.state_dict())
    resumed.load_state_dict(schedule.state_dict())
    rates = []
    for each in (optim, again):
        for _ in range(3):
            each.step()
        rates.append(each.param_groups[0]["lr"])
    assert rates == pytest.approx([0.1, 0.1])


def walked(make: Callable[[nn.Linear], torch.optim.Optimizer]) -> torch.Tensor:
    torch.manual_seed(0)
    net, x = nn.Linear(3, 2), torch.randn(8, 3)
    optim = make(net)
    for _ in range(5):
        optim.zero_grad()
        net(x).square().mean().backward()
        optim.step()
    return torch.cat([net.weight.detach().flatten(), net.bias.detach()])


@pytest.mark.parametrize(
    ("config", "kind", "options"),
    [
        ({"name": "adam", "beta1": 0.5, "beta2": 0.9}, torch.optim.Adam, {"betas": (0.5, 0.9)}),
        ({"name": "adamw", "beta1": 0.8, "beta2": 0.99}, torch.optim.AdamW, {"betas": (0.8, 0.99)}),
        ({"name": "sgd", "momentum": 0.7}, torch.optim.SGD, {"momentum": 0.7}),
    ],
)
def test_an_optimizer_walks_as_torchs_does(config: dict[str, Any], kind: Any, options: Any) -> None:
    made = Optimizer.model_validate({"learning_rate": 0.05, "weight_decay": 0.3, **config})
    bias = {"weight_decay": 0.0} if kind is torch.optim.AdamW else {}

    def reference(net: nn.Linear) -> torch.optim.Optimizer:
        groups = [{"params": [net.weight], "weight_decay": 0.3}, {"params": [net.bias], **bias}]
        return kind(groups, lr=0.05, **options)

    torch.testing.assert_close(walked(lambda net: optimizer(made, net)), walked(reference), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "kind"), [("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW), ("sgd", torch.optim.SGD)]
)
def test_the_optimizer_is_the_one_named(name: str, kind: type) -> None:
    config = Optimizer.model_validate(
        {"name": name, "weight_decay": 0.3, **({"momentum": 0.9} if name == "sgd" else {})}
    )
    optim = optimizer(config, nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)))
    assert isinstance(optim, kind)
    assert [group["weight_decay"] for group in optim.param_groups] == [0.3, 0.0]
    assert [len(group["params"]) for group in optim.param_groups] == [1, 3]
