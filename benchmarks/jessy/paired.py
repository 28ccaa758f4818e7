"""Whether one of two versions is slower, measured in pairs on a machine that does other things too.

Both versions are measured in turns, a moment each, so that what else the machine does hits both. A
round gives one ratio, new by old; the median of the ratios is what changed. Its confidence interval
comes from the order of the ratios alone (the sign test), so no shape of the noise is assumed: of n
rounds, the true median lies between the k-th smallest and the k-th largest ratio, except with the
probability that a fair coin shows fewer than k heads in n throws, or more than n - k.

Where a program's memory lies makes it faster or slower by a few percent for as long as it runs, so
both are started anew several times on the way.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

# A change is reported if the whole interval lies beyond it: what is less than this is no regression
# anyone has to look at, and the interval of two equal versions is hardly ever so far away.
TOLERANCE = 1.05
# How sure the interval is. With the tolerance, equal versions are told apart far less often.
LEVEL = 0.99


@dataclass(frozen=True)
class Verdict:
    """The times of one call in nanoseconds (medians), the ratio new by old and its interval."""

    old: float
    new: float
    ratio: float
    low: float
    high: float
    rounds: int

    @property
    def word(self) -> str:
        """`slower`, `faster` or `equal`."""
        if self.low > TOLERANCE:
            return "slower"
        return "faster" if self.high < 1 / TOLERANCE else "equal"


def rank(rounds: int, level: float = LEVEL) -> int:
    """The k of the interval: the largest whose probability of missing the median is small enough.

    Raises ValueError where there are too few rounds for the level.
    """
    missed, k = 0.0, 0
    while True:
        missed += math.comb(rounds, k) / 2**rounds
        if 2 * missed > 1 - level:
            break
        k += 1
    if k == 0:
        raise ValueError(f"{rounds} rounds are too few for an interval of {level:.1%}")
    return k


def verdict(pairs: Sequence[tuple[float, float]], level: float = LEVEL) -> Verdict:
    """Judge the pairs (old, new) of all rounds, each in nanoseconds of one call."""
    ratios = sorted(new / old for old, new in pairs)
    k = rank(len(ratios), level)
    return Verdict(
        old=statistics.median(old for old, _ in pairs),
        new=statistics.median(new for _, new in pairs),
        ratio=statistics.median(ratios),
        low=ratios[k - 1],
        high=ratios[-k],
        rounds=len(ratios),
    )
