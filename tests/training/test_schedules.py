"""The learning rate over epochs: Thinc's own, once the steps of an epoch are known."""

from itertools import islice

import pytest
from thinc.api import registry, warmup_linear

from spacy_jere.training.adamw import create_adamw_v1
from spacy_jere.training.nadam import create_nadam_v1
from spacy_jere.training.schedules import create_warmup_linear_v1


@pytest.mark.parametrize(
    "warmup_epochs, total_epochs, steps_per_epoch, warmup_steps, total_steps",
    [
        (0, 20, 114, 0, 2280),
        (2, 20, 461, 922, 9220),
        (0.655, 10, 153, 100, 1530),
        (0.5, 1.5, 3, 2, 4),
        (1, 1, 4, 4, 4),
        (0.01, 2, 5, 0, 10),
    ],
)
def test_equals_the_schedule_in_steps(
    warmup_epochs, total_epochs, steps_per_epoch, warmup_steps, total_steps
):
    schedule = create_warmup_linear_v1(0.1, warmup_epochs, total_epochs, steps_per_epoch)
    expected = islice(warmup_linear(0.1, warmup_steps, total_steps), total_steps + 3)
    assert list(islice(schedule, total_steps + 3)) == list(expected)


@pytest.mark.parametrize("total_epochs, max_epochs", [(3, None), (3, 7), (None, 3)])
def test_lasts_for_the_training_unless_it_is_told(total_epochs, max_epochs):
    schedule = create_warmup_linear_v1(0.1, 1, total_epochs, 4, max_epochs)
    assert list(islice(schedule, 14)) == list(islice(warmup_linear(0.1, 4, 12), 14))


@pytest.mark.parametrize("create_optimizer", [create_adamw_v1, create_nadam_v1])
@pytest.mark.parametrize("counted", [{}, {"total_epochs": 3}, {"steps_per_epoch": 4}])
@pytest.mark.parametrize("warmup_epochs, first", [(0, 0.1), (2, 0.0), (0.5, 0.0)])
def test_the_first_rate_is_known_without_the_count(create_optimizer, warmup_epochs, first, counted):
    optimizer = create_optimizer(create_warmup_linear_v1(0.1, warmup_epochs, **counted))
    assert optimizer.learn_rate == first
    with pytest.raises(ValueError, match=r"E430.*spacy-jere\.epochs_to_steps\.v1"):
        optimizer.step_schedules()


@pytest.mark.parametrize(
    "change, message",
    [
        ({"initial_rate": -0.1}, "E405.*initial_rate"),
        ({"warmup_epochs": -1}, "E405.*warmup_epochs"),
        ({"total_epochs": 0}, "E431.* 0. .*max_epochs"),
        ({"total_epochs": None, "max_epochs": 0}, "E431.* 0. "),
        ({"total_epochs": -1}, "E431.* -1"),
        ({"warmup_epochs": 3.5}, "E432.*3.5.*3"),
        ({"steps_per_epoch": 0}, "E405.*steps_per_epoch"),
    ],
)
def test_settings_that_make_no_sense(change, message):
    settings = {"initial_rate": 0.1, "warmup_epochs": 1, "total_epochs": 3, **change}
    with pytest.raises(ValueError, match=message):
        create_warmup_linear_v1(**settings)


def test_resolves_from_a_config():
    section = {
        "@schedules": "spacy-jere.warmup_linear.v1",
        "initial_rate": 1,
        "warmup_epochs": 1,
        "total_epochs": 2,
        "steps_per_epoch": 2,
    }
    schedule = registry.resolve({"learn_rate": section})["learn_rate"]
    assert list(islice(schedule, 5)) == [0.0, 0.5, 1.0, 0.5, 0.0]
