import pytest

from tests.localcloud.controlplane.conftest import Api

REPOSITORIES = "/artifactregistry/v1/projects/local-project/locations/europe-west1/repositories"


async def test_a_repository_is_made_changed_and_deleted(api: Api) -> None:
    made = await api("POST", f"{REPOSITORIES}?repository_id=images", {"format": "DOCKER"})
    assert made["done"] is True
    path = f"{REPOSITORIES}/images"
    changed = await api("PATCH", f"{path}?updateMask=description", {"description": "d"})
    assert (changed["description"], changed["format"]) == ("d", "DOCKER")
    assert (await api("DELETE", path))["done"] is True
    assert (await api.refused("GET", f"{path}:getIamPolicy"))[0] == "NOT_FOUND"


@pytest.mark.parametrize(("name", "kind"), [("Images", "DOCKER"), ("images", "CASSETTE")])
async def test_bad_repositories_are_refused(api: Api, name: str, kind: str) -> None:
    path = f"{REPOSITORIES}?repository_id={name}"
    assert (await api.refused("POST", path, {"format": kind}))[0] == "INVALID_ARGUMENT"
