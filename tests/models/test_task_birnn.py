"""The part that describes BiRNN layers, and its checks. Its numbers are tested in the models."""

import pytest
import torch

from spacy_jere.models.layers.task_birnn import TaskBiRNN, create_task_birnn_v1


@pytest.mark.parametrize(
    "setting, value",
    [
        ("hidden", 0),
        ("shared_layers", -1),
        ("ner_layers", -1),
        ("re_layers", -1),
        ("dropout", 1.0),
        ("word_dropout", 1.5),
    ],
)
def test_setting_out_of_range(setting, value):
    with pytest.raises(ValueError, match=rf"E405.*{setting} must be .*not {value}"):
        create_task_birnn_v1(**{setting: value})


def test_null_has_no_layers_and_no_weights():
    birnn, tokens = TaskBiRNN.build(5, None, relations=True), torch.randn(4, 5)
    states = birnn(tokens, torch.tensor([3, 1]))
    assert birnn.entities(states) is birnn.relations(states) is tokens
    assert not list(birnn.parameters())
    assert (birnn.entity_width, birnn.relation_width) == (5, 5)


def test_without_relations_there_are_no_layers_for_them():
    settings = create_task_birnn_v1(hidden=3)
    with_relations, without = (TaskBiRNN.build(5, settings, relations=x) for x in (True, False))
    assert (len(with_relations.re.layers), len(without.re.layers)) == (2, 0)
    assert settings["re_layers"] == 2


@pytest.mark.parametrize("keep_tokens", [True, False])
def test_widths(keep_tokens):
    settings = create_task_birnn_v1(hidden=3, ner_layers=0, keep_tokens=keep_tokens)
    birnn, tokens = TaskBiRNN.build(5, settings, relations=True).eval(), torch.randn(4, 5)
    states = birnn(tokens, torch.tensor([3, 1]))
    entities, relations = birnn.entities(states), birnn.relations(states)
    assert entities.shape[1] == birnn.entity_width == 6 + 5 * keep_tokens
    assert relations.shape[1] == birnn.relation_width == 6 + 5 * keep_tokens
    assert not keep_tokens or torch.equal(entities[:, :5], tokens)
