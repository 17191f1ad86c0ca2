"""What the training stages share: the team of workers, the schedule, averages, checkpoints.

Each core runs its own worker with its own copy of the weights and its own batches; every few
seconds the copies are averaged. Unlike two threads in one process, no worker waits for the
other at every operation, which matters on cores that are shared with other work.
"""

import copy
import math
import time

import torch
import torch.multiprocessing as mp

ROUND_SECONDS = 6.0
LARGEST = 12_000_000  # floats that a team can average


class Team:
    """One worker's view of the team."""

    def __init__(self, rank, size, slots, stop, barrier):
        self.rank, self.size, self.slots, self.stop, self.barrier = rank, size, slots, stop, barrier
        self.round = 0

    def due(self):
        """Whether a new round of the common clock has begun."""
        return int(time.monotonic() / ROUND_SECONDS) > self.round

    @torch.no_grad()
    def average(self, modules, finished=False):
        """Average the modules' floats over the team; True once the first worker has finished."""
        values = [v for m in modules for v in m.state_dict().values() if v.is_floating_point()]
        flat = torch.cat([v.reshape(-1) for v in values])
        self.slots[self.rank, : len(flat)] = flat
        if self.rank == 0:
            self.stop.fill_(int(finished))
        self.barrier.wait()
        mean, stopping, offset = self.slots[:, : len(flat)].mean(0), bool(self.stop.item()), 0
        self.barrier.wait()
        for value in values:
            value.copy_(mean[offset : offset + value.numel()].view(value.shape))
            offset += value.numel()
        self.round = int(time.monotonic() / ROUND_SECONDS)
        return stopping


def _work(rank, size, slots, stop, barrier, function, args):
    torch.set_num_threads(1)
    function(Team(rank, size, slots, stop, barrier), *args)


def together(size, function, *args):
    """Run `function(team, *args)` in `size` workers until all return."""
    slots = torch.zeros(size, LARGEST).share_memory_()
    stop = torch.zeros(1, dtype=torch.int64).share_memory_()
    barrier = mp.get_context("spawn").Barrier(size)
    mp.spawn(_work, (size, slots, stop, barrier, function, args), nprocs=size)


def halves():
    """Products in bfloat16 where the processor has them; elsewhere they would be slower than floats."""
    able = torch.backends.cpu.get_cpu_capability() == "AVX512"
    return torch.autocast("cpu", torch.bfloat16, enabled=able)


def log(message):
    print(time.strftime("%H:%M:%S"), message, flush=True)


class Clock:
    """Elapsed share of a stage bounded by wall time; a resumed stage starts at what was done."""

    def __init__(self, minutes, done=0.0):
        self.total = minutes * 60
        self.begin = time.monotonic() - done * self.total

    def share(self):
        return min(1.0, (time.monotonic() - self.begin) / self.total)


class Means:
    """Running means of a few losses, over about the last hundred steps."""

    def __init__(self, names):
        self.names, self.values, self.steps = names, [0.0] * len(names), 0

    def add(self, *losses):
        self.steps += 1
        pace = 1 / min(self.steps, 100)
        self.values = [v + (x.item() - v) * pace for v, x in zip(self.values, losses)]

    def __str__(self):
        return ", ".join(f"{n} {v:.4f}" for n, v in zip(self.names, self.values))


def learning_rate(peak, share, warm=0.04):
    """Linear warm-up, then a cosine to zero."""
    if share < warm:
        return peak * (0.02 + 0.98 * share / warm)
    return peak * 0.5 * (1 + math.cos(math.pi * (share - warm) / (1 - warm)))


def descend(optimizer, loss, share):
    """One step at the scheduled rate; every group has its own `peak`."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate(group["peak"], share)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def optimizer_of(modules, decay=0.05):
    """AdamW over `[(module, peak rate)]`; vectors and scalars are not decayed."""
    groups = []
    for module, peak in modules:
        big = [p for p in module.parameters() if p.dim() > 1]
        small = [p for p in module.parameters() if p.dim() <= 1]
        groups += [{"params": p, "peak": peak, "lr": peak, "weight_decay": d}
                   for p, d in ((big, decay), (small, 0.0)) if p]
    return torch.optim.AdamW(groups, betas=(0.9, 0.98), eps=1e-6)


class Average:
    """An exponential moving average of a module, buffers included, updated once a round."""

    def __init__(self, module, keep=0.93):
        self.module, self.keep = copy.deepcopy(module).eval(), keep

    def state_dict(self):
        return self.module.state_dict()

    @torch.no_grad()
    def update(self, module):
        own = self.module.state_dict()
        for name, value in module.state_dict().items():
            if value.is_floating_point():
                own[name].lerp_(value, 1 - self.keep)
            else:
                own[name].copy_(value)


def reopen(path, share):
    """Make a finished stage's checkpoint one of which `share` is done."""
    held = torch.load(path)
    save(path, **(held | {"share": min(held["share"], share)}))


def save(path, **parts):
    """Write a checkpoint whole or not at all."""
    scratch = path.with_suffix(".part")
    torch.save({k: v.state_dict() if hasattr(v, "state_dict") else v for k, v in parts.items()},
               scratch)
    scratch.replace(path)
