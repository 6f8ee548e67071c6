"""The comparison as a table, as JSON and as a plot."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from quantize.compare.compare import Comparison, Verdict
from quantize.compare.measure import Measured
from quantize.compare.verdict import perplexity_ratio

COLUMNS = (
    "model",
    "GB",
    "perplexity",
    "KL mean",
    "KL 99 %",
    "same top",
    "valid",
    "exact",
    "stopped",
    "prefill t/s",
    "decode t/s",
    "RAM GB",
    "verdict",
)


def table(made: Comparison) -> str:
    """A Markdown table, one row per model."""
    rows = [_row(made.reference, "reference")]
    rows += [_row(verdict.measured, _said(verdict)) for verdict in made.verdicts]
    lines = [COLUMNS, tuple("---" for _ in COLUMNS), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _said(verdict: Verdict) -> str:
    return "fails: " + "; ".join(verdict.failures) if verdict.failures else "passes"


def _row(model: Measured, said: str) -> tuple[str, ...]:
    found, speed = model.divergence, model.speed
    return (
        model.path.name,
        f"{model.size_bytes / 1e9:.3f}",
        f"{found.perplexity:.3f}",
        f"{found.kl_mean:.4f}",
        f"{found.kl_tail:.3f}",
        f"{found.top_agreement:.1%}",
        *(f"{_count(model, what)}/{len(model.turns)}" for what in ("valid", "exact", "stopped")),
        f"{speed.prefill:.0f}",
        f"{speed.decode:.1f}",
        f"{speed.memory_bytes / 1e9:.2f}",
        said,
    )


def _count(model: Measured, what: str) -> int:
    return sum(bool(getattr(turn, what)) for turn in model.turns)


def as_json(made: Comparison) -> dict[str, Any]:
    """Everything that was measured, for a program."""
    models = [_model(made.reference, made.reference)]
    for verdict in made.verdicts:
        told = {**_model(verdict.measured, made.reference), "failures": list(verdict.failures)}
        models.append(told)
    return {"passed": made.passed, "models": models}


def _model(model: Measured, reference: Measured) -> dict[str, Any]:
    found, speed = model.divergence, model.speed
    return {
        "path": str(model.path),
        "size_bytes": model.size_bytes,
        "perplexity": found.perplexity,
        "perplexity_ratio": perplexity_ratio(reference, model),
        "kl_mean": found.kl_mean,
        "kl_99": found.kl_tail,
        "kl_max": found.kl_max,
        "top_agreement": found.top_agreement,
        "prefill_tokens_per_s": speed.prefill,
        "decode_tokens_per_s": speed.decode,
        "memory_bytes": speed.memory_bytes,
        "turns": [
            {
                "name": turn.name,
                "valid": turn.valid,
                "exact": turn.exact,
                "stopped": turn.stopped,
                "text": turn.text,
            }
            for turn in model.turns
        ],
    }


WIDTH, HEIGHT, LEFT, BELOW, MARGIN = 640, 400, 70, 50, 24
INK, PASSED, FAILED = "#333", "#1a7f37", "#c0392b"


def plot(made: Comparison) -> str:
    """Mean KL divergence against size, as an SVG of its own."""
    models = [(verdict.measured, not verdict.failures) for verdict in made.verdicts]
    widest = max([made.reference.size_bytes, *(m.size_bytes for m, _ in models)]) * 1.1
    highest = max([1e-6, *(m.divergence.kl_mean for m, _ in models)]) * 1.15
    parts = [*_axes(widest, highest)]
    for model, passed in models:
        parts += _point(model, PASSED if passed else FAILED, widest, highest)
    parts += _point(made.reference, INK, widest, highest)
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
        f'font-family="sans-serif" font-size="12" fill="{INK}">\n'
        f'<rect width="100%" height="100%" fill="white"/>\n{body}\n</svg>\n'
    )


def _at(x: float, y: float, widest: float, highest: float) -> tuple[float, float]:
    inner_width, inner_height = WIDTH - LEFT - MARGIN, HEIGHT - BELOW - MARGIN
    return LEFT + x / widest * inner_width, MARGIN + (1 - y / highest) * inner_height


def _axes(widest: float, highest: float) -> Sequence[str]:
    left, bottom = _at(0, 0, widest, highest)
    right, top = _at(widest, highest, widest, highest)
    said = [
        f'<path d="M{left} {top}V{bottom}H{right}" fill="none" stroke="{INK}"/>',
        f'<text x="{(left + right) / 2}" y="{HEIGHT - 8}" text-anchor="middle">size in GB</text>',
        f'<text transform="translate(14 {(top + bottom) / 2}) rotate(-90)" '
        'text-anchor="middle">mean KL divergence in nats</text>',
    ]
    for i in range(5):
        x, _ = _at(widest * i / 4, 0, widest, highest)
        _, y = _at(0, highest * i / 4, widest, highest)
        size, far = widest * i / 4 / 1e9, highest * i / 4
        said.append(f'<text x="{x}" y="{bottom + 16}" text-anchor="middle">{size:.2f}</text>')
        said.append(f'<text x="{left - 6}" y="{y + 4}" text-anchor="end">{far:.3g}</text>')
    return said


def _point(model: Measured, color: str, widest: float, highest: float) -> Sequence[str]:
    x, y = _at(model.size_bytes, model.divergence.kl_mean, widest, highest)
    side, dx = ("end", -8) if x > WIDTH / 2 else ("start", 8)
    return (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{color}"/>',
        f'<text x="{x + dx:.1f}" y="{y - 6:.1f}" text-anchor="{side}">'
        f"{escape(model.path.stem)}</text>",
    )
