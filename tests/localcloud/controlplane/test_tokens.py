import jwt
import pytest

from localcloud.controlplane.tokens import STRIPPED, InvalidToken, Issuer, strip
from localcloud.core.clock import ManualClock

EMAIL = "worker@local-project.iam.gserviceaccount.com"


@pytest.fixture(scope="module")
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(scope="module")
def issuer(clock: ManualClock) -> Issuer:
    return Issuer(clock)


def test_a_token_says_what_googles_say(issuer: Issuer, clock: ManualClock) -> None:
    claims = issuer.verify(issuer.identity_token(EMAIL, "https://a"), {"https://a", "https://b"})
    assert claims["iss"] == "https://accounts.google.com"
    assert (claims["email"], claims["email_verified"]) == (EMAIL, True)
    assert claims["exp"] - claims["iat"] == 3600
    assert claims["iat"] == int(clock.time())


def test_anyone_can_verify_it_with_the_published_keys(issuer: Issuer) -> None:
    token = issuer.identity_token(EMAIL, "https://a")
    key = jwt.PyJWKSet.from_dict(issuer.jwks())[jwt.get_unverified_header(token)["kid"]]
    claims = jwt.decode(
        token,
        key,
        algorithms=["RS256"],
        audience="https://a",
        options={"verify_exp": False, "verify_iat": False},
    )
    assert claims["email"] == EMAIL


async def test_a_token_expires_after_an_hour(issuer: Issuer, clock: ManualClock) -> None:
    token = issuer.identity_token(EMAIL, "https://a")
    await clock.advance(3600)
    assert issuer.verify(token, {"https://a"})
    await clock.advance(1)
    with pytest.raises(InvalidToken, match="expired"):
        issuer.verify(token, {"https://a"})


def test_a_token_for_another_audience_is_refused(issuer: Issuer) -> None:
    with pytest.raises(InvalidToken):
        issuer.verify(issuer.identity_token(EMAIL, "https://a"), {"https://b"})


@pytest.mark.parametrize("token", ["", "a.b.c", "none"])
def test_what_is_no_token_is_refused(issuer: Issuer, token: str) -> None:
    with pytest.raises(InvalidToken):
        issuer.verify(token, {"https://a"})


def test_a_token_signed_by_another_key_is_refused(issuer: Issuer, clock: ManualClock) -> None:
    with pytest.raises(InvalidToken):
        issuer.verify(Issuer(clock).identity_token(EMAIL, "https://a"), {"https://a"})


def test_stripping_removes_the_signature_and_keeps_the_claims(issuer: Issuer) -> None:
    token = strip(issuer.identity_token(EMAIL, "https://a"))
    assert token.endswith(f".{STRIPPED}")
    assert jwt.decode(token, options={"verify_signature": False})["email"] == EMAIL
    with pytest.raises(InvalidToken):
        issuer.verify(token, {"https://a"})
