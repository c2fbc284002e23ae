import pytest
from wasabi import Printer

from spacy_jere.cli._util import percent, print_table, write_text


def lines(capsys):
    return [line.rstrip() for line in capsys.readouterr().out.splitlines() if line.strip()]


def test_table_has_a_label_and_numbers(capsys):
    print_table([("LIVES_IN", 1234, "-"), ("MET", 7, "0.50")], ("", "found", "F"))
    assert lines(capsys) == [
        "           found      F",
        "--------   -----   ----",
        "LIVES_IN   1,234      -",
        "MET            7   0.50",
    ]


def test_columns_are_aligned_as_wished(capsys):
    print_table([("a", "b", 3)], ("Head", "Tail", "Pairs"), aligns="llr")
    assert lines(capsys)[-1] == "a      b          3"


def test_title_stands_above(capsys):
    print_table([("a", 1)], ("", "n"), title="Entities", printer=Printer(pretty=False))
    assert "Entities" in lines(capsys)[0]


def test_long_cells_stay_in_their_column(capsys):
    print_table([("Entities with overlapping ones (micro)", 1), ("x", 2)], ("", "n"))
    *_, first, second = lines(capsys)
    assert len(first) == len(second)


def test_no_rows_print_nothing(capsys):
    print_table([], ("", "n"), title="Entities")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "score, shown", [(None, "-"), (0.0, "0.00"), (0.12345, "12.35"), (1, "100.00")]
)
def test_percent(score, shown):
    assert percent(score) == shown


def test_text_is_written_as_a_whole(tmp_path):
    path = tmp_path / "new" / "out.txt"
    write_text(path, "עדה\r\n")
    assert path.read_bytes() == "עדה\r\n".encode()
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "x" * 100_000 + "\ud800")
    assert path.read_bytes() == "עדה\r\n".encode()
    assert [x.name for x in path.parent.iterdir()] == ["out.txt"]
