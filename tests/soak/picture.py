"""A line chart as an SVG image, which a Markdown page can embed."""

from collections.abc import Iterator, Mapping, Sequence
from xml.sax.saxutils import escape

Points = Sequence[tuple[float, float]]

_WIDTH, _HEIGHT = 800, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 180, 40, 50
_COLOURS = ("#1f77b4", "#d62728", "#2ca02c", "#ff7f0e", "#9467bd", "#8c564b")
_STEPS = 5


def line_chart(title: str, x_title: str, series: Mapping[str, Points]) -> str:
    """Return a chart of one line per series; both axes start at zero."""
    points = [point for each in series.values() for point in each]
    right = max((x for x, _ in points), default=0.0) or 1.0
    top = 1.1 * max((y for _, y in points), default=0.0) or 1.0

    def x(value: float) -> float:
        return _LEFT + value / right * (_WIDTH - _LEFT - _RIGHT)

    def y(value: float) -> float:
        return _HEIGHT - _BOTTOM - value / top * (_HEIGHT - _TOP - _BOTTOM)

    def elements() -> Iterator[str]:
        yield _text(_LEFT, _TOP / 2, title)
        yield _text(x(right / 2), _HEIGHT - 10, x_title, "middle")
        for step in range(_STEPS + 1):
            across, up = right * step / _STEPS, top * step / _STEPS
            yield f'<path stroke="#ddd" d="M{_LEFT} {y(up):.1f}H{x(right):.1f}"/>'
            yield _text(_LEFT - 8, y(up) + 4, f"{up:.0f}", "end")
            yield _text(x(across), _HEIGHT - _BOTTOM + 18, f"{across:.1f}", "middle")
        for number, (name, each) in enumerate(series.items()):
            colour = _COLOURS[number % len(_COLOURS)]
            path = " ".join(f"{x(across):.1f},{y(up):.1f}" for across, up in each)
            yield f'<polyline fill="none" stroke="{colour}" points="{path}"/>'
            yield _text(x(right) + 15, _TOP + 18 * number, name, colour=colour)

    size = f'viewBox="0 0 {_WIDTH} {_HEIGHT}"'
    font = 'font-family="monospace" font-size="12"'
    background = '<rect width="100%" height="100%" fill="#fff"/>'
    lines = "\n".join([background, *elements()])
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {font}>\n{lines}\n</svg>\n'


def _text(x: float, y: float, text: str, anchor: str = "start", colour: str = "#333") -> str:
    at = f'x="{x:.1f}" y="{y:.1f}"'
    return f'<text {at} text-anchor="{anchor}" fill="{colour}">{escape(text)}</text>'
