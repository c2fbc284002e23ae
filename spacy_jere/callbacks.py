"""`spacy-jere.initialize_frozen.v1`: weights for components that are frozen from the start."""

from typing import Any, Callable, Dict

from spacy.language import Language
from spacy.training import Example


def create_initialize_frozen_v1(component: str = "transformer") -> Callable[[Language], Language]:
    """For [initialize.before_init]: load the weights of a frozen component.

    spaCy leaves `frozen_components` out of initialization, as it expects them to come from a trained pipeline. A
    pretrained transformer has its weights from elsewhere, and would be left without.

    component (str): Its name in the pipeline.
    """
    return InitializeFrozen(component)


class InitializeFrozen:
    """The callback. Does nothing where the component isn't there or isn't frozen."""

    def __init__(self, component: str):
        self.component = component

    def __call__(self, nlp: Language) -> Language:
        pipes: Dict[str, Any] = dict(nlp.components)
        frozen = nlp.config["training"].get("frozen_components") or []
        if self.component not in pipes or self.component not in frozen:
            return nlp
        pipe = pipes[self.component]
        for name, other in nlp.components:
            if name != self.component and hasattr(pipe, "find_listeners"):
                pipe.find_listeners(other)
        example = Example.from_dict(nlp.make_doc("A few words."), {})
        pipe.initialize(lambda: [example], nlp=nlp)
        for listener in getattr(pipe, "listeners", ()):
            if listener.has_dim("nO") is None:
                listener.set_dim("nO", pipe.model.get_dim("nO"))
        return nlp
