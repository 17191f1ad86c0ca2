"""Write what the scaling laws for data filtering say of generated constants: `python plan.py`.

Straight from the formulas, in NumPy's f64, apart from the program: a bucket's exponent is halved every
`tau` passes; `k` buckets are one of `k` times the samples and half-lives, with the mean of the exponents;
the floor is added last, or before the passes from the second on.

Writes tests/data/golden/plan.json, and the runs that the fit is tested on, tests/data/golden/plan_runs.csv.
"""

import json
from pathlib import Path

import numpy as np

OUT = Path(__file__).resolve().parent.parent / "data/golden"
CASES = 60


def error(a, d, size, b, tau, samples, floor):
    """The error after `samples` of all of these buckets."""
    b, tau = np.array(b), len(b) * np.array(tau)
    size = size * len(b)
    value = (a * min(samples, size) / 1e5) ** b.mean()
    value += d if floor == "before" else 0
    ends = np.append(np.arange(size, samples, size), samples) if samples > size else np.array([])
    for e in range(1, len(ends)):
        value *= (ends[e] / ends[e - 1]) ** (b * 2.0 ** (-e / tau)).mean()
    return value + (d if floor == "last" else 0)


def case(rng):
    count = int(rng.integers(1, 9))
    size = float(np.round(10 ** rng.uniform(5, 8)))
    b = np.sort(-rng.uniform(0.01, 0.4, count)).tolist()
    held = {"a": float(rng.uniform(1, 20) * 1e5 / size), "d": float(rng.uniform(0, 0.2)), "bucket_samples": size,
            "b": b, "tau": rng.uniform(0.5, 8, count).tolist(),
            "samples": float(np.round(size * rng.uniform(0.3, 40)))}
    for floor in ("last", "before"):
        held[floor] = [error(held["a"], held["d"], size, b[:k], held["tau"][:k], held["samples"], floor)
                       for k in range(1, count + 1)]
    return held


def runs(rng):
    """Errors of five buckets after 1, 2, 4, 7 and 10 passes, each off by about a thousandth."""
    b, tau = [-0.2, -0.17, -0.14, -0.1, -0.08], [2.0, 2.5, 3.0, 3.5, 4.0]
    lines = ["bucket,epochs,error"]
    for k in range(5):
        for epochs in (1, 2, 4, 7, 10):
            exact = error(1.0, 0.05, 1e6, b[k : k + 1], tau[k : k + 1], epochs * 1e6, "last")
            lines.append(f"{k + 1},{epochs},{exact + 0.001 * rng.standard_normal():.6f}")
    return "\n".join(lines) + "\n"


def main():
    rng = np.random.default_rng(12)
    text = ",\n".join(json.dumps(case(rng)) for _ in range(CASES))
    (OUT / "plan.json").write_text(f"[\n{text}\n]\n")
    (OUT / "plan_runs.csv").write_text(runs(rng))


if __name__ == "__main__":
    main()
