"""Medians and spread of a few rounds."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median, quantiles


@dataclass(frozen=True, slots=True)
class Spread:
    """What the rounds came to: the middle, the quarters around it, the ends."""

    median: float
    low: float
    high: float
    least: float
    most: float
    rounds: int

    def as_dict(self) -> dict[str, float]:
        """For the file of raw figures."""
        return {name: round(value, 6) for name, value in asdict(self).items()}


def spread(values: Sequence[float]) -> Spread:
    """Median, first and third quartile, least and most. Raises ValueError without values."""
    if not values:
        raise ValueError("no figures: every round failed")
    low, _, high = quantiles(values, n=4, method="inclusive") if len(values) > 1 else (values[0],) * 3
    return Spread(median(values), low, high, min(values), max(values), len(values))


def ratios(values: Mapping[int, float], to: Mapping[int, float]) -> Spread:
    """Round by round to the same round of `to`: what slows the machine for a while slows both."""
    return spread([values[number] / to[number] for number in sorted(values.keys() & to.keys())])
