"""Schedules and optimizers are torch's."""

import math

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, OneCycleLR

from tympan.runs.optimization import optimizer, scheduler
from tympan.runs.sections import Optimizer


def rates(config: Optimizer, steps: int = 20) -> list[float]:
    net = nn.Linear(2, 2)
    optim = optimizer(config, net)
    schedule = scheduler(config, optim, steps)
    seen = []
    for _ in range(steps):
        seen.append(optim.param_groups[0]["lr"])
        optim.step()
        schedule.step()
    return seen


def of_torch(kind: type, steps: int = 20, **arguments: float) -> list[float]:
    optim = torch.optim.AdamW(nn.Linear(2, 2).parameters(), lr=0.1)
    schedule = kind(optim, **arguments)
    seen = []
    for _ in range(steps):
        seen.append(optim.param_groups[0]["lr"])
        optim.step()
        schedule.step()
    return seen


def test_cosine_and_onecycle_equal_torchs() -> None:
    cosine = rates(Optimizer(learning_rate=0.1, scheduler="cosine"))
    assert cosine == pytest.approx(of_torch(CosineAnnealingLR, T_max=20))
    onecycle = rates(Optimizer(learning_rate=0.01, max_lr=0.1, scheduler="onecycle"))
    assert onecycle == pytest.approx(of_torch(OneCycleLR, max_lr=0.1, total_steps=20))


def test_the_others_do_what_their_names_say() -> None:
    assert rates(Optimizer(learning_rate=0.1, scheduler="linear")) == pytest.approx(
        [0.1 * (1 - i / 20) for i in range(20)]
    )
    assert rates(Optimizer(learning_rate=0.1, scheduler="constant")) == [0.1] * 20
    assert rates(Optimizer(learning_rate=0.1, scheduler="none")) == [0.1] * 20


def test_reduce_on_plateau_follows_the_monitored_figure() -> None:
    optim = optimizer(Optimizer(learning_rate=0.1), nn.Linear(2, 2))
    for higher, figures, expected in ((False, [1.0] * 12, 0.01), (True, list(range(12)), 0.1)):
        optim.param_groups[0]["lr"] = 0.1
        schedule = scheduler(Optimizer(scheduler="reduce_on_plateau"), optim, 100, higher)
        for figure in figures:
            schedule.step(figure)  # pyright: ignore
        assert optim.param_groups[0]["lr"] == pytest.approx(expected)


@pytest.mark.parametrize("warmup", [{"warmup_steps": 5}, {"warmup_ratio": 0.25}])
def test_the_rate_rises_first(warmup: dict[str, float]) -> None:
    seen = rates(Optimizer(learning_rate=0.1, scheduler="cosine", **warmup))
    assert seen[:6] == pytest.approx([0, 0.02, 0.04, 0.06, 0.08, 0.1])
    assert seen[10] == pytest.approx(0.05 * (1 + math.cos(math.pi * 5 / 15)))


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
