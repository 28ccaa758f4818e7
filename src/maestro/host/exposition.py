"""Numbers as Prometheus reads them.

Format: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

GAUGE, COUNTER = "gauge", "counter"  # kinds of metrics
Samples = Iterable[tuple[Mapping[str, str], float]]


def family(name: str, kind: str, text: str, samples: Samples) -> str:
    """All samples of one metric; ``kind`` is `GAUGE` or `COUNTER`."""
    lines = [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]
    for labels, value in samples:
        inside = ",".join(f'{key}="{_escaped(said)}"' for key, said in labels.items())
        lines.append(f"{name}{{{inside}}} {int(value) if value == int(value) else value}")
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
