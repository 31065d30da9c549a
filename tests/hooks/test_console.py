import pytest

from hooks import console


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("plain", "receive  │ plain"),
        ("{broken", "receive  │ {broken"),
        ('{"a": 1}', 'receive  │ {"a": 1}'),
        ("[1]", "receive  │ [1]"),
        (
            '{"severity":"WARNING","message":"delivery refused","reason":"signature","count":2}',
            "receive  │ WARNING delivery refused  reason=signature  count=2",
        ),
        ('{"message":"[bold]x[/bold]","odd":"\\u001b[31m"}', "receive  │         [bold]x[/bold]"),
    ],
)
def test_a_line_of_log_reads_well(line: str, shown: str) -> None:
    assert console.log_line("receive", line).plain.startswith(shown)


def test_fields_that_do_not_fit_stand_below(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    line = '{"severity":"INFO","message":"done","id":"msg_1234567890","type":"a","n":1}'
    assert console.log_line("receive", line).plain.splitlines() == [
        "receive  │ INFO    done",
        "         │           id=msg_1234567890",
        "         │           type=a  n=1",
    ]


def test_labels_of_cloud_logging_are_left_out() -> None:
    line = '{"message":"m","logging.googleapis.com/labels":{"execution_id":"e"}}'
    assert console.log_line("receive", line).plain.rstrip() == "receive  │         m"


def test_pairs_stand_under_each_other() -> None:
    assert console.pairs({"a": "1", "long": "2"}).plain == "  a     1\n  long  2"


def test_json_goes_to_standard_output_as_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    console.print_json({"a": ["ä"]})

    assert capsys.readouterr().out == '{"a": ["\\u00e4"]}\n'


def test_a_problem_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    console.problem("it [broke]")

    assert capsys.readouterr().err == "error: it [broke]\n"
