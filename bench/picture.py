"""Two kinds of picture as SVG: bars with their numbers, and lines over a common axis.

https://www.w3.org/TR/SVG11/
"""

from collections.abc import Iterator, Mapping, Sequence
from html import escape

_WIDTH, _ROW, _TOP = 800, 34, 44
_COLOURS = ("#3f51b5", "#f44336", "#009688", "#ff9800", "#9c27b0", "#795548", "#607d8b", "#8bc34a")

Points = Sequence[tuple[float, float]]


def bars(title: str, values: Mapping[str, float]) -> str:
    """Return horizontal bars from zero, each with its name and its number."""
    left, right = 190, 90
    scale = (_WIDTH - left - right) / max(values.values(), default=1.0)
    drawn = []
    for row, (name, value) in enumerate(values.items()):
        y, end = _TOP + row * _ROW, left + value * scale
        drawn.append(
            f'<rect x="{left}" y="{y}" width="{end - left:.1f}" height="22" fill="{_COLOURS[0]}"/>'
        )
        drawn.append(_text(left - 8, y + 16, name, "end"))
        drawn.append(_text(end + 6, y + 16, f"{value:,.0f}"))
    return _svg(title, _TOP + len(values) * _ROW, drawn)


def lines(title: str, across: str, series: Mapping[str, Points]) -> str:
    """Return lines over an axis named `across`; both axes begin at zero."""
    left, right, bottom, floor = 50, 130, 44, 360
    points = [point for each in series.values() for point in each]
    most_x, most_y = (_above(max((p[axis] for p in points), default=1.0)) for axis in (0, 1))
    step_x, step_y = (_WIDTH - left - right) / most_x, (floor - _TOP) / most_y
    drawn = list(_grid(left, _WIDTH - right, floor, most_x, most_y))
    for row, (name, each) in enumerate(series.items()):
        colour = _COLOURS[row % len(_COLOURS)]
        path = " ".join(f"{left + x * step_x:.1f},{floor - y * step_y:.1f}" for x, y in each)
        drawn.append(f'<polyline points="{path}" fill="none" stroke="{colour}"/>')
        drawn.append(_text(_WIDTH - right + 10, _TOP + 10 + row * 20, name, colour=colour))
    drawn.append(_text((left + _WIDTH - right) / 2, floor + 34, across, "middle"))
    return _svg(title, floor + bottom, drawn)


def _grid(left: float, right: float, floor: float, most_x: float, most_y: float) -> Iterator[str]:
    for part in range(5):
        x, y = left + (right - left) * part / 4, floor - (floor - _TOP) * part / 4
        yield f'<path d="M{left} {y:.1f}H{right}" stroke="#ddd"/>'
        yield _text(left - 6, y + 4, f"{most_y * part / 4:g}", "end")
        yield _text(x, floor + 16, f"{most_x * part / 4:g}", "middle")


def _above(value: float) -> float:
    """Return the first of 4, 8, 12, 16, 20, 40, 60, 80, 100, 200 … that is not below a value."""
    step = 4.0
    while value > 5 * step:
        step *= 5
    return next(step * count for count in range(1, 6) if value <= step * count)


def _text(x: float, y: float, text: str, anchor: str = "start", colour: str = "#222") -> str:
    placed = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}"'
    return f"<text {placed}>{escape(text)}</text>"


def _svg(title: str, height: float, drawn: Sequence[str]) -> str:
    size = f'width="{_WIDTH}" height="{height}" viewBox="0 0 {_WIDTH} {height}"'
    style = 'font-family="sans-serif" font-size="13"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>'
    ground = '<rect width="100%" height="100%" fill="white"/>'
    body = [head, ground, _text(_WIDTH / 2, 26, title, "middle"), *drawn, "</svg>", ""]
    return "\n".join(body)
