import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.environment import Environment
from relay.errors import ConfigurationError


def environment(**values: str) -> Environment:
    return Environment(values)


def test_blank_counts_as_unset() -> None:
    assert environment(NAME="  ").text("NAME", "default") == "default"


def test_text_is_stripped() -> None:
    assert environment(NAME=" value\n").text("NAME") == "value"


def test_required_names_the_variable_and_shows_an_example() -> None:
    with pytest.raises(ConfigurationError) as caught:
        environment().required("NAME", example="blue")
    assert str(caught.value) == "NAME is not set; for example NAME=blue"
    assert (caught.value.variable, caught.value.problem) == ("NAME", "is not set")


def test_integer_default() -> None:
    assert environment().integer("N", 300, minimum=1, maximum=3600) == 300


@pytest.mark.parametrize("value", ["1_000", "1e3", "-1", "+5", "٣", "0x10", "1.0", "9" * 19])
def test_integer_takes_plain_decimal_digits_only(value: str) -> None:
    with pytest.raises(ConfigurationError, match="not a whole number"):
        environment(N=value).integer("N", 300, minimum=0, maximum=3600)


@pytest.mark.parametrize(("value", "fits"), [("0", False), ("1", True), ("9", True), ("10", False)])
def test_integer_bounds_are_inclusive(value: str, fits: bool) -> None:
    if fits:
        assert environment(N=value).integer("N", 5, minimum=1, maximum=9) == int(value)
    else:
        with pytest.raises(ConfigurationError, match="is not between 1 and 9"):
            environment(N=value).integer("N", 5, minimum=1, maximum=9)


def test_items_are_stripped_and_empty_ones_dropped() -> None:
    assert environment(LIST=" a, b ,,c,").items("LIST") == ("a", "b", "c")


def test_project() -> None:
    assert environment(GOOGLE_CLOUD_PROJECT="my-project").project() == "my-project"
    assert environment(GOOGLE_CLOUD_PROJECT="example.com:web").project() == "example.com:web"


@pytest.mark.parametrize("value", ["My Project", "a/b", "-x"])
def test_project_must_be_an_id(value: str) -> None:
    with pytest.raises(ConfigurationError, match="is not a project id"):
        environment(GOOGLE_CLOUD_PROJECT=value).project()


def test_a_short_topic_is_in_our_own_project() -> None:
    read = environment(GOOGLE_CLOUD_PROJECT="ours")
    assert read.topic("TOPIC", "events") == "projects/ours/topics/events"


def test_a_full_topic_path_needs_no_project() -> None:
    read = environment(TOPIC="projects/theirs/topics/blue")
    assert read.topic("TOPIC", "events") == "projects/theirs/topics/blue"


@pytest.mark.parametrize(
    "value",
    ["projects/p/subscriptions/s", "topics/t", "/", "projects/p/topics/", "ab", "goog-x", "a b c"],
)
def test_a_malformed_topic_is_refused(value: str) -> None:
    with pytest.raises(ConfigurationError, match="projects/PROJECT/topics/NAME"):
        environment(GOOGLE_CLOUD_PROJECT="ours", TOPIC=value).topic("TOPIC", "events")


def test_a_secret_is_named_by_its_path() -> None:
    path = "projects/my-project/secrets/gemini_webhook-1"
    assert environment(SECRET=f" {path} ").secret("SECRET") == path


@pytest.mark.parametrize(
    "value",
    [
        "gemini",
        "projects/p/secrets/",
        "projects/p/secrets/a.b",
        "projects/p/secrets/s/versions/1",
        "projects/p q/secrets/s",
        "projects/p/topics/t",
    ],
)
def test_a_secret_that_is_not_a_path_is_refused(value: str) -> None:
    with pytest.raises(ConfigurationError, match="is not projects/PROJECT/secrets/NAME"):
        environment(SECRET=value).secret("SECRET")


def test_a_secret_must_be_set() -> None:
    with pytest.raises(ConfigurationError, match="is not set"):
        environment().secret("SECRET")


KEYS = "https://keys.example.com/jwks"


@pytest.mark.parametrize(
    "value",
    [KEYS, "https://host:8443/a?b=c", "http://localhost:1/", "http://127.8.8.8", "http://[::1]:1/"],
)
def test_a_uri_is_https_or_on_the_loopback_address(value: str) -> None:
    assert environment(URI=value).https_uri("URI", KEYS) == value


def test_a_uri_may_be_left_to_its_default() -> None:
    assert environment().https_uri("URI", KEYS) == KEYS


@pytest.mark.parametrize(
    "value",
    [
        "http://keys.example.com/",
        "http://10.0.0.1/",
        "ftp://127.0.0.1/",
        "ftp://keys.example.com/",
        "https://",
        "keys.json",
        "https://[::1/",
        "https://host:99999/",
        "https://host:0/",
        "https://host/a b",
    ],
)
def test_another_uri_is_refused(value: str) -> None:
    with pytest.raises(ConfigurationError, match="is not an https URI") as caught:
        environment(URI=value).https_uri("URI", KEYS)
    assert caught.value.variable == "URI"


@given(st.text())
def test_a_value_never_appears_in_an_error(value: str) -> None:
    marked = f"\x01{value}\x02"
    with pytest.raises(ConfigurationError) as caught:
        environment(TOPIC=marked, GOOGLE_CLOUD_PROJECT="ours").topic("TOPIC", "events")
    assert marked not in str(caught.value)
