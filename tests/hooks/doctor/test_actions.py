import pytest

from hooks.doctor.actions import show
from hooks.doctor.findings import failed, passed


def test_findings_fit_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    command = "gcloud projects add-iam-policy-binding my-project --member user:me --role roles/x"
    show(
        [
            passed("the receiver answers", "GET https://example.com/ answered 200"),
            failed("you may apply", "permissions are missing: " + "a.b.c, " * 12, f"`{command}`"),
        ],
        json=False,
    )

    answered, missing, more, remedy = capsys.readouterr().out.splitlines()
    assert answered == "✔ the receiver answers: GET https://example.com/ answered 200"
    assert missing.startswith("✘ you may apply: permissions are missing: a.b.c,")
    assert more.startswith("  a.b.c,")
    assert max(len(missing), len(more)) <= 80
    # A command is to be copied as it stands.
    assert remedy == f"  → `{command}`"
