"""The cost of a debate beyond its models, measured on this machine as ratios within one run."""

from typing import Literal

Part = Literal["a", "b", "c", "d", "e", "f"]

TITLES: dict[Part, str] = {
    "a": "orchestration alone, an instant engine, the log on",
    "b": "an endpoint of known latency",
    "c": "a real engine",
    "d": "prompt tokens from the prefix cache",
    "e": "memory of the driver",
    "f": "a program in a sandbox",
}
"""The parts of a measurement, and what each is about."""
