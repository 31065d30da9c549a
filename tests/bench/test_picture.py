"""Pictures are SVG that any viewer reads."""

from xml.etree import ElementTree as ET

import pytest

from bench import picture

SVG = "{http://www.w3.org/2000/svg}"


def parsed(text: str) -> ET.Element:
    return ET.fromstring(text)  # noqa: S314 - our own


def test_a_bar_is_as_long_as_its_value() -> None:
    root = parsed(picture.bars("Rates", {"ours & theirs": 1000.0, "others": 250.0}))
    [_, *drawn] = root.findall(f"{SVG}rect")
    long, short = (float(each.attrib["width"]) for each in drawn)
    assert long == pytest.approx(4 * short, rel=0.01)
    texts = [each.text for each in root.findall(f"{SVG}text")]
    assert texts == ["Rates", "ours & theirs", "1,000", "others", "250"]


def test_lines_lie_between_their_axes() -> None:
    points = [(0.0, 0.0), (7.0, 130.0)]
    root = parsed(picture.lines("Memory", "minutes", {"receive": points}))
    [line] = root.findall(f"{SVG}polyline")
    assert line.attrib["points"] == "50.0,360.0 592.5,154.6"
    texts = [each.text for each in root.findall(f"{SVG}text")]
    assert {"Memory", "minutes", "receive", "0", "8", "200"} <= set(texts)


@pytest.mark.parametrize(("value", "most"), [(0, 4), (4, 4), (5, 8), (21, 40), (130, 200)])
def test_axes_end_at_round_numbers(value: float, most: float) -> None:
    assert picture._above(value) == most


def test_no_data_is_an_empty_picture() -> None:
    assert parsed(picture.bars("Rates", {})).tag == f"{SVG}svg"
    assert parsed(picture.lines("Memory", "minutes", {})).tag == f"{SVG}svg"
