"""A run's weights, from the results file or, while that is spooled, from the run's own file."""

from pathlib import Path

from .axes import listed
from .files import open_results


def read_weights(path, beginning, group="weights"):
    """{name: float32 array} of the one completed run whose id begins like this; group
    "weights_initial" has those before step 0."""
    with open_results(path) as file:
        runs = file.get("runs", {})
        ids = [run_id for run_id in runs if run_id.startswith(beginning)]
        if len(ids) != 1:
            there = listed(ids or list(runs)) or "none"
            raise KeyError(f"{len(ids)} completed runs begin with '{beginning}'; there are {there}")
        run = runs[ids[0]]
        spooled = run.attrs.get("file", b"")
        if not spooled:
            return _tensors(run, group, ids[0])
    spooled = spooled.decode() if isinstance(spooled, bytes) else spooled
    with open_results(Path(path).parent / spooled) as file:
        return _tensors(file["runs"][ids[0]], group, ids[0])


def _tensors(run, group, run_id):
    if group not in run:
        raise KeyError(f"run {run_id} has no {group}: output.weights of its experiment keeps them")
    return {name: tensor[...] for name, tensor in run[group].items()}


def state_dict(weights):
    """The same as torch tensors, for nanoGPT's load_state_dict: with lm_head.weight, which is wte
    where the weights are tied."""
    import torch

    head = weights.get("lm_head.weight", weights["transformer.wte.weight"])
    whole = {**weights, "lm_head.weight": head}
    return {name: torch.from_numpy(tensor) for name, tensor in whole.items()}
