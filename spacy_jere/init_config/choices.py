"""The choice of settings: each with the reason for it, in a sentence.

What was measured stands in docs/ablations.md and docs/results.md.
"""

from typing import Any, Dict, List, Optional

from ..debug_data.suggestions import MANY_ACROSS, learned_rules
from ..schema import LEARN, Rule, schema_rows
from .facts import Facts, covering, share
from .plan import COMPONENT, SPANS, Choice, Plan, Wishes, percent
from .training import training_choices

# Widest span and distance of a pair: so many of the annotated ones are within.
COVERED = 0.995
# Entities and relations, in the mean, that tags may lose before spans are chosen
_MAY_LOSE = 0.01
# Texts that a sentencizer may cut between two related entities where texts are single sentences
_HARMLESS = 0.005
# A sentence with more tokens is long: pairs of far entities are not worth their time.
_LONG = 200
# A schema is not learned if it forbids more than this share of the relations of dev.
_UNSEEN = 0.01


def choose(facts: Facts, wishes: Wishes, source: Optional[str] = None) -> Plan:
    """Choose all settings.

    source (Optional[str]): How the encoder is used; None chooses.
    RETURNS (Plan): What a config is built from.
    """
    encoder = _encoder(wishes, source)
    model = _model(facts, wishes, encoder.value)
    windows = _windows(facts)
    choices = [encoder, model, *_spans(facts, model.value, encoder.value), *windows]
    choices += [*_distance(facts, windows), *_schema(facts)]
    choices += _features(wishes, encoder.value)
    choices += training_choices(facts, wishes, encoder.value, model.value)
    return Plan(encoder.value, model.value, windows[1].value, choices)


# Model


def _encoder(wishes: Wishes, source: Optional[str]) -> Choice:
    if wishes.encoder is None:
        pretrained = "only word vectors are" if wishes.vectors else "nothing is"
        return Choice("encoder", "none", f"No --encoder is given: {pretrained} pretrained", {})
    settings = {"paths.encoder": wishes.encoder.name}
    wanted = wishes.optimize or ("accuracy" if wishes.gpu else "speed")
    chosen = "finetuned" if wanted == "accuracy" else "frozen"
    if source is not None and source != chosen:
        reason = "The time is too short to fine-tune it: its weights stay, its layers are read"
        return Choice("encoder", source, reason, settings)
    if wishes.optimize is not None:
        trained = "are trained" if chosen == "finetuned" else "are not trained"
        return Choice("encoder", chosen, f"You want {wanted}: its weights {trained}", settings)
    reason = "Without a GPU its weights are not trained; --optimize accuracy trains them"
    if wishes.gpu:
        reason = "A GPU has the time for it: the highest scores come from a fine-tuned encoder"
    return Choice("encoder", chosen, reason, settings)


def _model(facts: Facts, wishes: Wishes, source: str) -> Choice:
    lost = _lost_by_tags(facts)
    told = (
        f"{percent(facts.untagged)} of the entities overlap another one, and "
        f"{percent(_untagged_relations(facts))} of the relations have such an end"
    )
    if wishes.model is not None:
        reason = "You chose it"
        if wishes.model == "birnn" and facts.untagged:
            reason += f", and it can't find overlapping entities: {told}"
        return Choice("model", wishes.model, reason, {})
    if lost > _MAY_LOSE:
        return Choice("model", "spert_mt", f"{told}: spans may overlap, tags may not", {})
    reason = f"{told}: tags find the others better" if facts.untagged else "No entities overlap"
    if source == "finetuned":
        return Choice("model", "spert_mt", f"{reason}, and the encoder is fine-tuned", {})
    said = "without an encoder" if source == "none" else "over a frozen encoder"
    return Choice("model", "birnn", f"{reason}, and {said} tags of a BiRNN find most", {})


def _spans(facts: Facts, model: str, source: str) -> List[Choice]:
    """What depends on whether entities are found as tags or as spans."""
    has_tags = model == "birnn" or (model == "spert_mt" and _lost_by_tags(facts) <= _MAY_LOSE)
    overlap = bool(facts.untagged) and not has_tags
    reason = "Entities of train overlap" if overlap else "No entities of train overlap"
    if facts.untagged and not overlap:
        reason = "Tags can't overlap: of two entities the longer one is learned"
    choices = [Choice("overlap", overlap, reason, {f"{COMPONENT}.overlap": overlap})]
    if model == "spert_mt":
        weight = 0.05 if has_tags else 0.0
        reason = "Tags find more entities than spans" if has_tags else "No tags: entities overlap"
        settings: Dict[str, Any] = {f"{COMPONENT}.model.tag_weight": weight}
        choices.append(Choice("tag_weight", weight, reason, settings))
    if model in SPANS:
        if source == "finetuned":
            settings = {"training.optimizer.use_averages": has_tags}
            reason = f"As measured {'with' if has_tags else 'without'} tags"
            choices.append(Choice("use_averages", has_tags, reason, settings))
        width, wider = covering(facts.train["entity_widths"], COVERED)
        widest = max(facts.train["entity_widths"])
        reason = f"{percent(COVERED)} of the entities are no wider; the widest has {widest} tokens"
        if wider:
            reason += (
                f", and {wider} wider ones are {'found by tags' if has_tags else 'never found'}"
            )
        name = f"{COMPONENT}.model.spans.max_span_width"
        choices.append(Choice("max_span_width", width, reason, {name: width}))
    if facts.n_relations:
        choices.append(_relation_weight(model, source, has_tags))
    return choices


def _relation_weight(model: str, source: str, has_tags: bool) -> Choice:
    if model == "birnn":
        weight = 40.0 if source == "none" else 5.0
        reason = "Relations need more weight where nothing is pretrained"
        if source != "none":
            reason = "Over a pretrained encoder more weight makes no difference"
    else:
        weight = 3.0 if has_tags else 2.0
        reason = f"As measured {'with' if has_tags else 'without'} tags"
    name = "re_loss_weight"
    return Choice(name, weight, reason, {f"{COMPONENT}.model.{name}": weight})


def _lost_by_tags(facts: Facts) -> float:
    return (facts.untagged + _untagged_relations(facts)) / (2 if facts.n_relations else 1)


def _untagged_relations(facts: Facts) -> float:
    return share(facts.train["untagged_relations"], facts.n_relations)


# Windows and schema


def _windows(facts: Facts) -> List[Choice]:
    """RETURNS (List[Choice]): `window` and `sentencizer`."""
    train, name = facts.train, f"{COMPONENT}.window"
    several = share(train["documents_with_several_sentences"], train["documents"])
    across = train["relations_across_guessed"] + train["entities_across_guessed"]
    cut = share(across, facts.n_relations + facts.n_entities)
    told = f"a sentencizer would cut {across:,} of {facts.n_relations:,} relations and entities"
    across_relations = share(train["relations_across_guessed"], facts.n_relations)
    if across_relations > MANY_ACROSS:
        reason = f"{percent(across_relations)} of the relations join two sentences"
        return [
            Choice("window", "doc", reason, {name: "doc"}),
            Choice("sentencizer", False, "Windows are whole texts", {}),
        ]
    window = Choice("window", "sentence", "Relations join entities of one sentence", {})
    window.settings[name] = "sentence"
    if several > 0.5 or cut <= _HARMLESS:
        n = train["documents_with_several_sentences"]
        reason = (
            f"{n:,} of {train['documents']:,} texts have several sentences, and the pipeline needs "
            f"their boundaries; it cuts {across:,} relations and entities"
        )
        if not n:
            reason = "Texts are single sentences here, longer ones in use are divided by it"
        return [window, Choice("sentencizer", True, reason, {})]
    reason = f"Most texts are single sentences, and {told}; only long texts are divided"
    return [window, Choice("sentencizer", False, reason, {})]


def _distance(facts: Facts, windows: List[Choice]) -> List[Choice]:
    """The greatest distance of a pair, where windows are whole texts or sentences are long."""
    distances = facts.train["relation_distances"]
    is_short = windows[1].value and facts.train["longest_sentence"] <= _LONG
    if is_short or not distances:
        return []
    most = max([*distances, *facts.dev["relation_distances"]])
    near, _ = covering(distances, COVERED)
    reason = f"No related entities are farther apart; {percent(COVERED)} are within {near} tokens"
    return [Choice("max_distance", most, reason, {f"{COMPONENT}.max_distance": most})]


def _schema(facts: Facts) -> List[Choice]:
    name = f"{COMPONENT}.schema"
    if not facts.n_relations:
        reason = "Train has no relations: only entities are learned"
        return [Choice("schema", None, reason, {name: None})]
    forbids = facts.unseen_directions > _UNSEEN
    reason = "Relations join the entity labels that they join in train, and no others"
    if forbids:
        reason = f"A learned one would forbid {percent(facts.unseen_directions)} of the relations "
        reason += "of dev"
    symmetric = _writable(facts.suggestions["symmetric"], facts)
    shown, value = (None, None) if forbids else (LEARN, LEARN)
    choices = [Choice("schema", shown, reason, {name: value})]
    if symmetric:
        rules = {label: Rule() if forbids else x for label, x in learned_rules(facts.train).items()}
        rules.update({label: rules[label]._replace(symmetric=True) for label in symmetric})
        choices[0].settings[name] = schema_rows(rules)
        reason = "They are annotated in both directions"
        choices.append(Choice("symmetric", ", ".join(symmetric), reason, {}))
    maybe = facts.suggestions["maybe_symmetric"]
    if maybe:
        reason = f"The head of {', '.join(maybe)} always comes first: if the order says nothing, "
        reason += "give the schema symmetric = true"
        choices.append(Choice("symmetric", "not set", reason, {}))
    return choices


def _writable(symmetric: List[str], facts: Facts) -> List[str]:
    """RETURNS: The labels, or none where a config can't hold all labels that a schema names."""
    rules = learned_rules(facts.train)
    named = [*rules, *facts.train["entities"]]
    return [] if any("${" in label for label in named) else symmetric


# Token features


def _features(wishes: Wishes, source: str) -> List[Choice]:
    features = f"{COMPONENT}.model.tok2vec"
    reason = f"Word vectors of {wishes.vectors}" if wishes.vectors else "No --vectors are given"
    settings: Dict[str, Any] = {f"{features}.static_vectors": wishes.vectors is not None}
    settings["paths.vectors"] = wishes.vectors
    if source != "none":  # else a callback reads them
        settings["initialize.vectors"] = "${paths.vectors}" if wishes.vectors else None
    choices = [Choice("static_vectors", wishes.vectors is not None, reason, settings)]
    if wishes.encoder is None:
        return choices
    has_casing = wishes.encoder.uncased or source == "frozen"
    reason = "The encoder reads capitals and is trained"
    if wishes.encoder.uncased:
        reason = "The encoder is uncased: capitals reach the model only so"
    elif has_casing:
        reason = "The encoder reads capitals, but is not trained"
    settings = {f"{features}.characters": 32 if has_casing else None}
    settings[f"{features}.casing"] = has_casing
    choices.append(Choice("casing, characters", has_casing, reason, settings))
    layers = [x for x in (-4, -3, -1) if -x <= wishes.encoder.n_layers + 1]
    if len(layers) < 3:
        reason = f"The encoder has {wishes.encoder.n_layers} layers"
        settings = {f"{features}.contextual.layers": layers}
        choices.append(Choice("layers", layers, reason, settings))
    return choices
