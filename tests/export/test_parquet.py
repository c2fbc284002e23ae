import pyarrow
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from spacy_jere.export.parquet import write

TEXT = {"document", "head", "head_label", "relation", "tail", "tail_label", "sentence"}


def rows(path):
    return [
        (
            x["document"],
            (x["head"], x["head_label"], x["head_start"], x["head_end"]),
            x["relation"],
            (x["tail"], x["tail_label"], x["tail_start"], x["tail_end"]),
            x["score"],
            x["sentence"],
        )
        for x in parquet.read_table(path).to_pylist()
    ]


def test_written_relations_are_those_of_the_docs(tmp_path, hard_docs, hard_rows):
    write(hard_docs, tmp_path / "out.parquet")
    assert rows(tmp_path / "out.parquet") == hard_rows


@pytest.mark.parametrize("which", [slice(0, 0), slice(2, 5), slice(0, 6)])
def test_columns_have_their_types_whether_or_not_there_are_relations(tmp_path, hard_docs, which):
    write(hard_docs[which], tmp_path / "out.parquet")
    for field in parquet.read_schema(tmp_path / "out.parquet"):
        wanted = pyarrow.string() if field.name in TEXT else pyarrow.int64()
        assert field.type == (pyarrow.float64() if field.name == "score" else wanted)
        assert field.nullable is (field.name == "score")


@pytest.mark.parametrize("batch_size, groups", [(1, 6), (4, 2), (6, 1), (100, 1)])
def test_batches_are_row_groups(tmp_path, hard_docs, hard_rows, batch_size, groups):
    write(hard_docs, tmp_path / "out.parquet", batch_size=batch_size)
    assert parquet.ParquetFile(tmp_path / "out.parquet").num_row_groups == groups
    assert rows(tmp_path / "out.parquet") == hard_rows


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_anything_comes_back(any_docs, rows_of, tmp_path_factory, data):
    docs = data.draw(any_docs)
    path = tmp_path_factory.mktemp("any") / "out.parquet"
    write(docs, path)
    assert rows(path) == rows_of(docs)
