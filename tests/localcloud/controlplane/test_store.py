import pytest

from localcloud.controlplane.errors import ApiError
from localcloud.controlplane.store import Resources


@pytest.fixture
def resources() -> Resources:
    return Resources()


def test_what_is_created_can_be_read(resources: Resources) -> None:
    assert resources.create("a/b", {"x": 1}) == {"x": 1}
    assert resources.get("a/b") == {"x": 1}
    assert "a/b" in resources


def test_creating_twice_is_refused(resources: Resources) -> None:
    resources.create("a/b", {})
    with pytest.raises(ApiError, match="already exists") as refusal:
        resources.create("a/b", {})
    assert refusal.value.status == 409


@pytest.mark.parametrize("method", ["get", "delete"])
def test_what_is_not_there_is_not_found(resources: Resources, method: str) -> None:
    with pytest.raises(ApiError, match="'a/b' was not found") as refusal:
        getattr(resources, method)("a/b")
    assert refusal.value.status == 404


def test_what_is_given_and_returned_is_a_copy(resources: Resources) -> None:
    value = {"x": {"y": 1}}
    resources.create("a/b", value)
    value["x"]["y"] = 2
    resources.get("a/b")["x"]["y"] = 3
    assert resources.get("a/b") == {"x": {"y": 1}}


def test_a_mask_changes_what_it_names_and_clears_what_is_absent(resources: Resources) -> None:
    resources.create("a/b", {"x": 1, "y": {"z": 1, "w": 1}, "v": 1})
    changed = resources.patch("a/b", {"x": 2, "y": {"z": 2}}, ["y.z", "v"])
    assert changed == {"x": 1, "y": {"z": 2, "w": 1}}


def test_without_a_mask_the_fields_present_count(resources: Resources) -> None:
    resources.create("a/b", {"x": 1, "y": 1})
    assert resources.patch("a/b", {"x": 2}) == {"x": 2, "y": 1}


def test_under_returns_resources_one_level_below(resources: Resources) -> None:
    for name in ("p/1/c/2", "p/1/c/1", "p/1/c/1/d/1", "p/2/c/1"):
        resources.create(name, {"name": name})
    assert [child["name"] for child in resources.under("p/1/c/")] == ["p/1/c/1", "p/1/c/2"]
