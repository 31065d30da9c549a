import asyncio
import json
from pathlib import Path

import pytest

from localcloud.laptop.terraform import TerraformFailed, TerraformMissing, Workspace

SCRIPT = """#!/bin/sh
echo "$@" >> calls
case $1 in
  apply) echo "creating"; echo; echo "Error: it broke"; echo "badly"; exit 1 ;;
  output) echo '{"url": {"value": "http://a"}}' ;;
  show) env | sort > seen; echo '{"shown": true}'; echo "a warning" >&2 ;;
  destroy) trap 'echo interrupted >> calls; exit 0' TERM; echo ready; while :; do sleep 0.1; done ;;
esac
"""


@pytest.fixture
def binaries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a terraform on the PATH that records what it is asked, and does nothing else."""
    directory = tmp_path / "bin"
    directory.mkdir()
    script = directory / "terraform"
    script.write_text(SCRIPT)
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{directory}:/usr/bin:/bin")
    return directory


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "root"
    made.mkdir()
    (made / "main.tf").write_text("")
    return made


def workspace(root: Path) -> Workspace:
    return Workspace(
        root,
        endpoints={"pubsub_custom_endpoint": "http://a/pubsub/v1/"},
        proxy="http://proxy",
        variables={"project": "p", "wait": False},
        environ={"MINE": "1"},
    )


@pytest.mark.usefixtures("binaries")
def test_the_provider_file_points_to_the_local_cloud(root: Path) -> None:
    workspace(root)
    written = (root / "local_cloud.tf").read_text()
    assert 'provider "google" {' in written
    assert 'pubsub_custom_endpoint = "http://a/pubsub/v1/"' in written


@pytest.mark.usefixtures("binaries")
def test_a_root_with_a_provider_of_its_own_has_it_overridden(root: Path) -> None:
    (root / "main.tf").write_text('provider "google" {\n}\n')
    workspace(root)
    assert (root / "local_cloud_override.tf").exists()
    assert not (root / "local_cloud.tf").exists()


def test_missing_terraform_is_reported_with_a_link(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(TerraformMissing, match=r"developer\.hashicorp\.com"):
        workspace(root)


@pytest.mark.usefixtures("binaries")
async def test_a_failure_tells_its_reason(root: Path) -> None:
    with pytest.raises(TerraformFailed) as failed:
        await workspace(root).apply("-target=x")
    assert str(failed.value) == "terraform apply failed:\nError: it broke\nbadly"
    assert failed.value.output.startswith("creating")
    assert (
        root / "calls"
    ).read_text() == "apply -no-color -auto-approve -input=false -parallelism=30 -target=x\n"


@pytest.mark.usefixtures("binaries")
async def test_outputs_and_state_are_json_despite_warnings(root: Path) -> None:
    made = workspace(root)
    assert await made.outputs() == {"url": "http://a"}
    assert await made.show("x.tfplan") == {"shown": True}


@pytest.mark.usefixtures("binaries")
async def test_variables_are_passed_by_environment(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TF_CLI_ARGS_init", "-plugin-dir=/mirror")
    monkeypatch.setenv("TF_PLUGIN_CACHE_DIR", "/cache")
    await workspace(root).show()
    seen = dict(line.partition("=")[::2] for line in (root / "seen").read_text().splitlines())
    assert (seen["TF_VAR_project"], json.loads(seen["TF_VAR_wait"])) == ("p", False)
    assert (seen["HTTPS_PROXY"], seen["MINE"], seen["CHECKPOINT_DISABLE"]) == (
        "http://proxy",
        "1",
        "1",
    )
    assert "TF_PLUGIN_CACHE_DIR" not in seen


@pytest.mark.usefixtures("binaries")
async def test_a_cancelled_wait_interrupts_terraform(root: Path) -> None:
    ready = asyncio.Event()
    made = workspace(root)
    made._on_line = lambda _name, _line: ready.set()
    running = asyncio.create_task(made.destroy())
    await ready.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (root / "calls").read_text().endswith("interrupted\n")
