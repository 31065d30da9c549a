"""Results are the SDK's objects, and downloads are whole files or none."""

import asyncio
import errno
import io
import json
from pathlib import Path
from typing import Any

import httpx2
import pytest
from google.genai.types import BatchJob, GenerateVideosOperation

from gemini_relay import AsyncJobs, Job, JobFailed, JobsError, Unavailable, WaitTimeout
from gemini_relay.settings import Settings
from localcloud.gemini import Settings as SimulatorSettings
from localcloud.gemini.content import Content
from tests.client.conftest import API_KEY, World, running

MODEL = "gemini-3-pro-preview"


async def finished_batch(world: World, src: object, text: str | None = None) -> Job:
    job = await world.jobs.batch(model=MODEL, src=src)
    batches = world.gemini.jobs.batches
    content = None if text is None else Content.of(text.encode())
    batches.advance(batches.jobs.find(str(job.name)[8:]), "succeeded", content=content)
    return job


async def finished_video(world: World, state: str = "succeeded", **config: Any) -> Job:
    job = await world.jobs.video(model="veo-3", prompt="waves", **config)
    videos = world.gemini.jobs.videos
    videos.advance(videos.jobs.find(str(job.name).rpartition("/")[2]), state)
    return job


async def test_a_result_is_the_sdks_object(world: World) -> None:
    interaction = await world.jobs.interaction(model=MODEL, input="x")
    with pytest.raises(WaitTimeout):
        await world.jobs.result(interaction)
    world.end(
        interaction.name,
        "completed",
        steps=[{"type": "model_output", "content": [{"type": "text", "text": "42"}]}],
    )
    assert (await world.jobs.result(interaction)).output_text == "42"
    assert isinstance(await world.jobs.result(await finished_batch(world, "files/in")), BatchJob)
    video = await world.jobs.result(await finished_video(world))
    assert isinstance(video, GenerateVideosOperation)
    assert video.done


async def test_what_failed_has_no_result_and_says_why(world: World) -> None:
    filtered = await finished_video(world, "filtered")
    with pytest.raises(JobFailed, match="failed") as failed:
        await world.jobs.result(filtered)
    assert failed.value.job.error is not None
    assert failed.value.job.error["code"] == "filtered"

    batch = await world.jobs.batch(model=MODEL, src="files/in")
    batches = world.gemini.jobs.batches
    batches.advance(
        batches.jobs.find(str(batch.name)[8:]), "failed", {"code": 3, "message": "bad line"}
    )
    # `client.batches.get` drops the error.
    assert (await world.jobs.refresh(batch)).error == {"code": "3", "message": "bad line"}


async def test_downloads_are_named_after_what_they_hold(world: World, tmp_path: Path) -> None:
    lines = '{"key": "1"}\n{"key": "2"}\n'
    batch = await finished_batch(world, "files/in", lines)
    [results] = await world.jobs.download(batch, tmp_path / "new" / "directory")
    assert (results.suffix, results.read_text()) == (".jsonl", lines)
    assert results.name.startswith("batch-")

    inline = await finished_batch(world, [{"contents": [{"parts": [{"text": "hi"}]}]}])
    [whole] = await world.jobs.download(inline, tmp_path)
    assert json.loads(whole.read_text())["name"] == inline.name

    clips = await world.jobs.download(await finished_video(world, number_of_videos=2), tmp_path)
    assert [clip.suffix for clip in clips] == [".mp4", ".mp4"]

    interaction = await world.jobs.interaction(model=MODEL, input="x")
    world.end(interaction.name, "completed")
    [shown] = await world.jobs.download(interaction, tmp_path)
    async with httpx2.AsyncClient(headers={"x-goog-api-key": API_KEY}) as client:
        reply = await client.get(f"{world.base_url}/v1/interactions/{interaction.name}")
    assert shown.read_bytes() == reply.content


async def test_a_download_that_is_cut_leaves_no_file(world: World, tmp_path: Path) -> None:
    job = await finished_batch(world, "files/in", "x" * 100_000)
    world.fault("files.download", "cut-connection", after=50_000)
    with pytest.raises(Unavailable):
        await world.jobs.download(job, tmp_path)
    assert await asyncio.to_thread(lambda: [*tmp_path.iterdir()]) == []
    [whole] = await world.jobs.download(job, tmp_path)
    assert whole.stat().st_size == 100_000


class FullDisk(io.RawIOBase):
    """A file on a disk that has no room."""

    def writable(self) -> bool:
        return True

    def write(self, _content: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


async def test_what_cannot_be_written_is_named_and_is_not_geminis_fault(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await finished_batch(world, "files/in", "x" * 100_000)
    occupied = tmp_path / "file"
    await asyncio.to_thread(occupied.touch)
    with pytest.raises(JobsError, match=rf"cannot write {occupied} \(File exists\)"):
        await world.jobs.download(job, occupied)
    with pytest.raises(JobsError, match=r"directory \(Not a directory\)"):
        await world.jobs.download(job, occupied / "directory")

    monkeypatch.setattr(Path, "open", lambda _path, _mode: io.BufferedWriter(FullDisk()))
    with pytest.raises(JobsError, match=r"\.jsonl \(No space left on device\)") as full:
        await world.jobs.download(job, tmp_path)
    assert type(full.value) is JobsError
    assert await asyncio.to_thread(lambda: [*tmp_path.iterdir()]) == [occupied]


async def test_a_redirect_is_followed_and_the_key_stays_with_gemini(tmp_path: Path) -> None:
    settings = SimulatorSettings(downloads_redirect=True, api_keys=frozenset({API_KEY}))
    async with running(settings) as world:
        [file] = await world.jobs.download(await finished_video(world), tmp_path)
        assert file.stat().st_size > 0

    seen: list[tuple[str, str | None]] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        origin = f"{request.url.scheme}://{request.url.host}"
        seen.append((origin, request.headers.get("x-goog-api-key")))
        if request.url.host == "elsewhere.test":
            return httpx2.Response(302, headers={"location": "http://gemini.test/plain"})
        if request.url.scheme == "http":
            return httpx2.Response(200, content=b"video")
        if ":download" in request.url.path:
            return httpx2.Response(302, headers={"location": "https://elsewhere.test/v"})
        samples = [{"video": {"uri": "https://gemini.test/v1beta/files/ab-cd:download?alt=media"}}]
        response = {"generateVideoResponse": {"generatedSamples": samples}}
        return httpx2.Response(200, json={"name": NAME, "done": True, "response": response})

    chosen = Settings(api_key=API_KEY, base_url="https://gemini.test")
    async with AsyncJobs(chosen, transport=httpx2.MockTransport(answer)) as jobs:
        [file] = await jobs.download(await jobs.get(NAME), tmp_path)
        assert (file.name, file.read_bytes()) == ("ab-cd.mp4", b"video")
    assert ("https://elsewhere.test", None) in seen
    assert ("http://gemini.test", None) in seen
    assert all(key for origin, key in seen if origin == "https://gemini.test")


NAME = "models/veo-3/operations/x"


async def test_a_file_outside_gemini_is_not_fetched(tmp_path: Path) -> None:
    def answer(_request: httpx2.Request) -> httpx2.Response:
        samples = {"generatedSamples": [{"video": {"uri": "gs://bucket/v.mp4"}}]}
        response = {"generateVideoResponse": samples}
        return httpx2.Response(200, json={"name": NAME, "done": True, "response": response})

    chosen = Settings(api_key=API_KEY, base_url="https://gemini.test")
    async with AsyncJobs(chosen, transport=httpx2.MockTransport(answer)) as jobs:
        with pytest.raises(JobsError, match="gs://bucket"):
            await jobs.download(await jobs.get(NAME), tmp_path)
