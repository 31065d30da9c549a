import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.jobs.names import (
    BATCH,
    INTERACTION,
    KINDS,
    SHARDS,
    VIDEO,
    adopted_id,
    contradict,
    document_id,
    event_kind,
    event_name,
    event_subject,
    forms,
    is_id,
    key_id,
    new_token,
    normal,
    parse_relay_job,
    random_id,
    relay_job,
    same_token,
    shard,
    uri_file,
)

OPERATION = "models/veo-3/operations/o1"
BARE = st.from_regex(r"[a-z0-9][A-Za-z0-9-]{0,20}", fullmatch=True)


@pytest.mark.parametrize(
    ("kind", "name", "form"),
    [
        (BATCH, "batches/x", "batches/x"),
        (BATCH, "batch_x", "batches/x"),
        (BATCH, "x", "batches/x"),
        (BATCH, "batches/batch_x", "batches/x"),
        (BATCH, "files/batch-x", "files/batch-x"),
        (VIDEO, "files/f", "files/f"),
        (VIDEO, "f", "files/f"),
        (VIDEO, OPERATION, OPERATION),
        (INTERACTION, "v1_aB-c.d", "v1_aB-c.d"),
        (INTERACTION, "batch_x", "batch_x"),
    ],
)
def test_a_name_has_one_form(kind: str, name: str, form: str) -> None:
    assert normal(kind, name) == form
    expected = hashlib.sha256(f"{kind}\n{form}".encode()).hexdigest()
    assert document_id(kind, name) == expected


@given(st.sampled_from(sorted(KINDS)), st.text())
def test_a_form_is_its_own_and_is_asked_for(kind: str, name: str) -> None:
    form = normal(kind, name)
    assert normal(kind, form) == form
    assert form in forms(kind, name)
    # Asked for under any of its forms, a name is found; none is the form of another.
    assert {normal(kind, each) for each in forms(kind, name)} == {form}
    assert len(set(forms(kind, name))) == len(forms(kind, name)) <= 4


@given(BARE)
def test_every_form_of_a_batch_and_of_a_file_is_asked_for(bare: str) -> None:
    for name in (f"batches/{bare}", f"batch_{bare}", bare):
        assert forms(BATCH, name) == (f"batches/{bare}", f"batch_{bare}", bare)
    for name in (f"files/{bare}", bare):
        assert forms(VIDEO, name) == (f"files/{bare}", bare)
    assert forms(INTERACTION, bare) == (bare,)


def test_a_batch_is_also_asked_for_as_the_api_writes_it() -> None:
    assert forms(BATCH, "batches/batch_x") == ("batches/x", "batch_x", "x", "batches/batch_x")


def test_one_kind_does_not_know_the_names_of_another() -> None:
    assert len({document_id(kind, "x") for kind in KINDS}) == len(KINDS)
    assert document_id(INTERACTION, "A") != document_id(INTERACTION, "a")


@pytest.mark.parametrize(
    ("kind", "one", "other", "contradicts"),
    [
        (BATCH, "batches/x", "batch_x", False),
        (BATCH, "batches/x", "y", True),
        (BATCH, "batches/x", "files/batch-y", False),
        (VIDEO, OPERATION, "files/f", False),
        (VIDEO, OPERATION, "f", False),
        (VIDEO, OPERATION, "models/veo-3/operations/o2", True),
        (VIDEO, "files/f", "g", True),
        (INTERACTION, "a", "A", True),
        (INTERACTION, "a", "a", False),
    ],
)
def test_only_like_forms_contradict(kind: str, one: str, other: str, contradicts: bool) -> None:
    assert contradict(kind, one, other) is contradicts
    assert contradict(kind, other, one) is contradicts


@pytest.mark.parametrize(
    ("uri", "file"),
    [
        ("https://generativelanguage.googleapis.com/v1beta/files/f:download?alt=media", "files/f"),
        ("http://127.0.0.1:8080/files/ab-cd:download", "files/ab-cd"),
        ("https://host/download/v1/files/f#fragment", "files/f"),
        ("files/batch-0123456789", "files/batch-0123456789"),
        ("gs://bucket/files/f", ""),
        ("https://host/v1/files/f/more", ""),
        ("https://host/v1?next=/files/f", ""),
        ("https://host/files/", ""),
        ("files/../f", ""),
        ("", ""),
        (None, ""),
        (7, ""),
    ],
)
def test_a_uri_may_name_a_file(uri: object, file: str) -> None:
    assert uri_file(uri) == file


@given(st.text(), BARE, st.text())
def test_a_uri_names_a_file_or_none_whatever_it_holds(before: str, bare: str, after: str) -> None:
    for uri in (before, f"https://host/v1/files/{bare}{after}"):
        file = uri_file(uri)
        assert not file or (file in uri and file.count("/") == 1)
    assert uri_file(f"https://host/v1/files/{bare}:download?{after}") == f"files/{bare}"


@pytest.mark.parametrize(
    ("data", "subject", "name"),
    [
        ({"id": "a", "file_id": "b"}, "a", "a"),
        ({"id": "", "file_id": "b", "file_name": "c"}, "b", "b"),
        ({"id": 7, "file_name": "files/c", "video_uri": "files/d"}, "files/c", "files/c"),
        (
            {"video_uri": "https://h/files/d:download", "output_file_uri": "files/e"},
            *2 * ["files/d"],
        ),
        ({"output_file_uri": "https://h/v1/files/e:download"}, "", "files/e"),
        ({"output_file_uri": "gs://bucket/files/e"}, "", ""),
        ({}, "", ""),
    ],
)
def test_an_event_names_its_job(data: dict[str, object], subject: str, name: str) -> None:
    assert event_subject(data) == subject
    assert event_name(data) == name


@pytest.mark.parametrize(
    ("event_type", "kind"),
    [
        ("batch.succeeded", BATCH),
        ("interaction.brand_new", INTERACTION),
        ("video", VIDEO),
        ("relay.job.lost", ""),
        ("webhook.ping", ""),
        ("", ""),
    ],
)
def test_an_events_kind_is_its_types_first_part(event_type: str, kind: str) -> None:
    assert event_kind(event_type) == kind


def test_ids_follow_from_the_key_and_from_the_batch() -> None:
    digest = hashlib.sha256(b"report-42").hexdigest()
    assert key_id("report-42") == f"job_{digest[:32]}"
    digest = hashlib.sha256(b"batch\nbatches/x").hexdigest()
    assert adopted_id("batch_x") == adopted_id("batches/x") == f"job_{digest[:32]}"
    assert random_id() != random_id()
    assert is_id(random_id())


@given(st.text())
def test_every_id_has_one_form_and_one_of_16_shards(text: str) -> None:
    for job in (key_id(text), adopted_id(text)):
        assert is_id(job)
        assert shard(job) == int(job[4], 16) < SHARDS
    assert is_id(text) is (parse_relay_job(f"{text}.t") == (text, "t"))


@given(st.text(), st.text(min_size=1, max_size=128))
def test_a_relay_job_is_read_as_it_was_written(key: str, token: str) -> None:
    assert parse_relay_job(relay_job(key_id(key), token)) == (key_id(key), token)
    assert same_token(token, token)
    assert not same_token(token, token + "x")


@pytest.mark.parametrize(
    "value",
    [
        "",
        7,
        None,
        key_id("k"),
        f"{key_id('k')}.",
        f"{key_id('k')}.{129 * 't'}",
        f"{key_id('k').upper()}.t",
        f" {key_id('k')}.t",
        "job_1.t",
    ],
)
def test_what_is_no_relay_job_is_not_looked_up(value: object) -> None:
    assert parse_relay_job(value) is None


def test_a_token_fits_into_a_relay_job_and_no_token_equals_none() -> None:
    token = new_token()
    assert parse_relay_job(relay_job(random_id(), token)) is not None
    assert token != new_token()
    assert not same_token("", "")
