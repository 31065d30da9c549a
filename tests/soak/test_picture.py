from pathlib import Path
from xml.etree import ElementTree as ET

from tests.soak.memory import Sample
from tests.soak.picture import line_chart
from tests.soak.report import draw

SVG = "{http://www.w3.org/2000/svg}"


def polylines(picture: str) -> list[list[tuple[float, float]]]:
    drawn = []
    for line in ET.fromstring(picture).iter(f"{SVG}polyline"):  # noqa: S314 - our own
        pairs = [pair.split(",") for pair in line.attrib["points"].split()]
        drawn.append([(float(x), float(y)) for x, y in pairs])
    return drawn


def test_each_series_is_a_line_inside_the_frame() -> None:
    picture = line_chart("a < b", "minutes", {"one": [(0, 0), (2, 50)], "two": [(1, 100)]})
    one, two = polylines(picture)
    assert one[0] == (60.0, 370.0)
    assert one[1][0] > two[0][0]
    assert one[1][1] > two[0][1]
    assert all(60 <= x <= 620 and 40 <= y <= 370 for x, y in [*one, *two])
    assert "a &lt; b" in picture


def test_a_chart_without_points_is_an_image() -> None:
    assert polylines(line_chart("nothing", "minutes", {})) == []


def test_the_memory_of_every_function_is_drawn(tmp_path: Path) -> None:
    samples = [Sample(name, 1, at, 60.0) for name in ("a", "b") for at in range(1000)]
    draw(samples, tmp_path / "memory.svg")
    lines = polylines((tmp_path / "memory.svg").read_text("utf-8"))
    assert [100 < len(line) <= 200 for line in lines] == [True, True]
