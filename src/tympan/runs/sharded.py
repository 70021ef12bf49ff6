"""Weights, gradients and moments shared out over several processes, each of which holds a part of every tensor."""

from typing import Any

from torch import Tensor, distributed, nn
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.optim import Optimizer
from torch.utils._pytree import tree_map_only

LARGE = 1_000_000
"""Weights of a block from which on it is put together by itself in its turn; all else is once for each batch."""


def shard(pipeline: nn.Module) -> None:
    """Share a network out, as Zhao et al. 2023 (arXiv 2304.11277) do; all begin with the weights of process 0.

    What is read from it (`state_dict`) and put into it is whole all the same, so that files of weights do not depend
    on the number of processes; to read is therefore the work of all processes at once.

    Torch's own `fully_shard` does it. Accelerate's, which is around it, leaves out processes on the processor.
    """
    for tensor in pipeline.state_dict().values():
        distributed.broadcast(tensor, 0)
    blocks = [
        block
        for module in pipeline.modules()
        if isinstance(module, nn.Sequential | nn.ModuleList)
        for block in module
        if not isinstance(block, nn.ModuleList) and sum(p.numel() for p in block.parameters()) >= LARGE
    ]
    for module in [*reversed(list(dict.fromkeys(blocks))), pipeline]:  # the inner ones first
        module.register_forward_hook(_own)
        fully_shard(module)
    pipeline.is_distributed_loading_by_transformers = True  # pyright: ignore[reportArgumentType] - so the Trainer does not wrap it as well
    pipeline.register_state_dict_post_hook(_whole)
    for module in pipeline.modules():
        module.register_load_state_dict_pre_hook(_parts)


def follow(optimizer: Optimizer) -> None:
    """Have an optimizer of a network that is shared out tell its moments, and take them, whole."""
    optimizer.register_state_dict_post_hook(_whole_moments)
    optimizer.register_load_state_dict_pre_hook(_parts_of_moments)


def whole(tensor: Tensor) -> Tensor:
    """A tensor of all processes, where this one has a part."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def _own(module: nn.Module, given: Any, said: Any) -> Any:
    """What a block says, never as a view: what is done to a view in place would pass by the gathering of weights."""
    return tree_map_only(Tensor, lambda t: t.clone() if t._is_view() else t, said)


def _whole(module: nn.Module, state: dict[str, Any], prefix: str, _: Any) -> None:
    state.update({name: whole(tensor).detach() for name, tensor in state.items() if name.startswith(prefix)})


def _part(tensor: Tensor, like: DTensor) -> DTensor:
    return distribute_tensor(tensor.to(like.device), like.device_mesh, like.placements, src_data_rank=None)


def _parts(module: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    for name, own in module.named_parameters(recurse=False):
        if isinstance(own, DTensor) and f"{prefix}{name}" in state:
            state[f"{prefix}{name}"] = _part(state[f"{prefix}{name}"], own)


def _whole_moments(optimizer: Optimizer, state: dict[str, Any]) -> dict[str, Any]:
    of = {n: {name: whole(v) for name, v in own.items()} for n, own in state["state"].items()}
    return {**state, "state": of}


def _parts_of_moments(optimizer: Optimizer, state: dict[str, Any]) -> dict[str, Any]:
    weights = [p for group in optimizer.param_groups for p in group["params"]]
    of = {
        n: {
            name: _part(value, weights[n])
            if isinstance(value, Tensor) and value.dim() and isinstance(weights[n], DTensor)
            else value
            for name, value in own.items()
        }
        for n, own in state["state"].items()
    }
    mine = [group["fused"] for group in optimizer.param_groups]
    groups = [{**group, "fused": fused} for group, fused in zip(state["param_groups"], mine, strict=True)]
    return {**state, "state": of, "param_groups": groups}
