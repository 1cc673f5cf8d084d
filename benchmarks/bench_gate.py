"""Time the gate on one day of three targets, against a client bootstrap of the same gains.

All compute a lower bound of the relative gain on the same rows, clustered by client. The plain
bootstrap collects the rows of the drawn clients; the lean one draws per-client sums of the losses.
Only the gate also checks its inputs and computes the guardrails.
"""

from time import perf_counter

import numpy as np
import pandas as pd

from evergreen.core.evaluation.gate import Outcomes, decide, row_losses
from evergreen.core.events.loss_scale import LossScale

ROWS, CLIENTS, RESAMPLES = 50_000, 7_000, 200
GOAL_SECONDS = 0.2


def targets(rng):
    """Return labels and predictions of two binary targets and an amount, and the client ids."""
    clients = np.array([f"client-{number:06d}" for number in rng.integers(CLIENTS, size=ROWS)])
    worth, *noise = rng.normal(size=(4, ROWS))
    tests = []
    for base in (-1.0, 0.5):
        bought = rng.random(ROWS) < sigmoid(worth + base)
        tests.append(("binary", bought, *(sigmoid(worth + base + 0.4 * e) for e in noise[:2])))
    spend = np.where(tests[0][1], np.exp(3 + 0.6 * worth + 1.2 * noise[2]), 0)
    ideal = sigmoid(worth - 1) * np.exp(3.7 + 0.6 * worth)
    tests.append(("regression", spend, *(ideal * np.exp(0.4 * e) for e in noise[:2])))
    return tests, clients.astype(object)


def sigmoid(logit):
    return 1 / (1 + np.exp(-logit))


def gate_bounds(tests, clients):
    return [decide(Outcomes(*test[:2], clients), *test[2:]).interval[0] for test in tests]


def bootstrap_bounds(tests, clients, gain_of_drawn):
    return [bootstrap_bound(test, clients, gain_of_drawn) for test in tests]


def bootstrap_bound(test, clients, gain_of_drawn):
    rng = np.random.default_rng(0)
    codes, ids = pd.factorize(clients)
    gain = gain_of_drawn(test, codes)
    draws = (rng.integers(len(ids), size=len(ids)) for _ in range(RESAMPLES))
    return np.quantile([gain(drawn) for drawn in draws], 0.01)


def gain_of_rows(test, codes):
    old, new = losses(test)
    rows_by_client = np.split(np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes))[:-1])

    def gain(drawn):
        rows = np.concatenate([rows_by_client[client] for client in drawn])
        return 1 - new[rows].mean() / old[rows].mean()

    return gain


def gain_of_sums(test, codes):
    old, new = (np.bincount(codes, loss) for loss in losses(test))
    return lambda drawn: 1 - new[drawn].sum() / old[drawn].sum()


def losses(test):
    kind, labels, *predictions = test
    return [row_losses(kind, labels, p, LossScale(mean=labels.mean())) for p in predictions]


def best_seconds(rounds, work, *arguments):
    seconds = []
    for _ in range(rounds):
        start = perf_counter()
        work(*arguments)
        seconds.append(perf_counter() - start)
    return min(seconds)


def main():
    tests, clients = targets(np.random.default_rng(1))
    by_gate = gate_bounds(tests, clients)
    by_bootstrap = bootstrap_bounds(tests, clients, gain_of_sums)
    for test, lower, other in zip(tests, by_gate, by_bootstrap, strict=True):
        print(f"{test[0]:10s} lower bound of the gain: gate {lower:+.4f}, bootstrap {other:+.4f}")
    gate = best_seconds(7, gate_bounds, tests, clients)
    plain = best_seconds(1, bootstrap_bounds, tests, clients, gain_of_rows)
    lean = best_seconds(7, bootstrap_bounds, tests, clients, gain_of_sums)
    verdict = "met" if gate < GOAL_SECONDS else "missed"
    print(f"three decisions on {ROWS:,} rows: {gate:.3f} s (goal {GOAL_SECONDS} s: {verdict})")
    for name, seconds in (("redrawing rows", plain), ("redrawing client sums", lean)):
        print(
            f"client bootstrap, {RESAMPLES} resamples, {name}: {seconds:.3f} s, "
            f"{seconds / gate:.1f} times the gate"
        )


if __name__ == "__main__":
    main()
