"""Every message of the package, once, with its code."""


class Errors:
    """What is wrong and what to do. `E1xx` relations and schema, `E2xx` component, `E3xx` data,
    `E4xx` models, `E5xx` pictures."""

    # Relations on a Doc
    E100 = (
        "[E100] The extension 'doc._.{name}' is already taken by something else. Choose another "
        "name: relations_attr in the settings of the component, or "
        "spacy_jere.install_extension('NAME') before the component is made."
    )
    E101 = (
        "[E101] Can't read {value} as a relation. Give a Relation, a tuple (head, tail, label) "
        "or (head, tail, label, score), or a dict with these keys; head and tail are labelled "
        "Spans, or dicts with 'start', 'end' (characters) and 'label'. Labels are text that UTF-8 "
        "can hold."
    )
    E102 = (
        "[E102] The {end} of relation '{label}' lies at characters {start}:{stop}, which are none "
        "or outside the text of {length} characters."
    )
    E103 = (
        "[E103] The {end} of relation '{label}' ('{text}') belongs to another Doc. Use a span of "
        "this Doc."
    )
    E104 = "[E104] doc._.relations takes None or a sequence of relations, not {type}."
    E105 = "[E105] The score of relation '{label}' is a probability between 0 and 1, not {score}."
    E120 = (
        "[E120] The {end} of relation '{label}', '{text}', has no entity label, and doc.ents has "
        "no entity with these words. Give a labelled Span, such as doc.char_span(start, end, "
        "label='PERSON'), or set doc.ents first. The Doc: {doc}"
    )
    E121 = (
        "[E121] The {end} of relation '{label}' is '{there}' in its own Doc, but this Doc has "
        "'{here}' at characters {start}:{stop}. Give spans of this Doc. spacy_jere.as_doc and "
        "spacy_jere.from_docs carry relations along to a part of a Doc or to joined Docs."
    )
    E122 = (
        "[E122] What doc.user_data keeps of the relations of this Doc is damaged ({reason}). Read "
        "the Doc from its source again, or set doc._.relations anew."
    )
    E123 = (
        "[E123] A relation can't be changed. Set doc._.relations: dicts as relation.to_dict() "
        "gives are taken back."
    )
    E124 = "[E124] Relations are set on a Doc, not on a span: set doc._.relations."
    # Schema
    E110 = (
        "[E110] Can't read the schema: {reason}. Give null, 'learn', or for each relation label a"
        " section with 'head' and 'tail' (lists of entity labels) and, where the order of the two"
        " ends doesn't matter, 'symmetric = true'."
    )
    E111 = (
        "[E111] The schema names the {kind} label '{label}', which is not among the component's "
        "labels: {labels}. Correct the schema, or add the label to the training data."
    )
    E112 = (
        "[E112] The training data has a relation '{relation}' from {head} to {tail} ('{text}'), "
        "which the schema does not allow. Correct the annotation or widen the schema."
    )
    E113 = (
        "[E113] The training data has the relation label '{relation}', which the schema does not "
        "mention (it has: {labels}). Add it to the schema or remove it from the data."
    )
    # Component
    E200 = (
        "[E200] '{name}' has no entity labels: there are neither entities nor relations in the "
        "training data, and no labels were given. Annotate doc.ents (and doc._.relations), call "
        "add_label, or give [initialize.components.{name}.labels]."
    )
    E201 = (
        "[E201] '{name}' is already initialized with {n} {kind} labels; '{label}' can't be added "
        "to it. Add all labels before 'initialize', or train a new component."
    )
    E202 = "[E202] add_label knows the kinds 'entity' and 'relation', not {kind!r}."
    E203 = "[E203] '{name}' is not initialized. Call nlp.initialize() or load a trained pipeline."
    E204 = (
        "[E204] The {kind} label '{label}' in the training data ('{text}') is not among the "
        "labels that '{name}' was initialized with: {labels}. Correct the label, or initialize a "
        "new component."
    )
    E205 = (
        "[E205] The label data of '{name}' must be a dict with the keys 'entities' and "
        "'relations', as written by 'spacy init labels'. Found: {found}."
    )
    E206 = (
        "[E206] The weights were trained with other labels than the settings beside them: "
        "{trained} entity and relation labels in the weights, {here} in the settings. The folder "
        "of '{name}' mixes two pipelines; load one that was saved as a whole."
    )
    E207 = "[E207] window is 'sentence' or 'doc', not {window!r}."
    E208 = "[E208] {name} is a probability between 0 and 1, not {value!r}."
    E209 = "[E209] learn_rate_factor must be larger than 0, not {value!r}."
    E210 = "[E210] A label is a string that is not empty, not {label!r}."
    E211 = "[E211] {setting} must be {wanted}, not {value!r}."
    E212 = (
        "[E212] A config can't hold the label {label!r} of {setting} as the name of a section or "
        "key. Write it in a list: thresholds_by_relation = [[label, number], …], or schema = "
        '[{{"relation": label, "head": […], "tail": […]}}, …].'
    )
    E213 = (
        "[E213] thresholds_by_relation names the relation label {label!r}, which is not among the "
        "component's labels: {labels}. Correct the label, or remove its threshold."
    )
    E214 = (
        "[E214] The {what} of '{name}' is not finite in update {step}: training has failed, and "
        "the weights are of no use. Start again with a lower learning rate, or with gradient "
        "clipping (grad_clip of [training.optimizer]). Losses: {losses}."
    )
    E215 = (
        "[E215] The labels of '{name}' come from a label file that has no entities. Correct the "
        "file that [initialize.components.{name}.labels] names, or remove that section."
    )
    # Data
    E300 = (
        "[E300] Can't tell the format of {path}: it looks like none of {known}. Name the format "
        "with --format if it is one of them."
    )
    E301 = "[E301] {path}, line {line}: {reason}"
    E302 = "[E302] Unknown format '{format}'. Known formats: {known}."
    E303 = "[E303] No such file: {path}"
    E304 = "[E304] {path} holds nothing to read. Left out: {skipped}."
    E305 = (
        "[E305] {path}, line {line}: not UTF-8 text (byte {position} of the file). Save it as "
        "UTF-8."
    )
    E306 = (
        "[E306] The corpus has no path. Set [paths] train and dev in the config, or pass "
        "--paths.train and --paths.dev."
    )
    E307 = "[E307] No file or folder to read in {path}. Files end in {suffixes}."
    E308 = "[E308] {left} and {right} would both become {name}. Rename one of them."
    E309 = (
        "[E309] Entity '{label}' has words {start}:{end}, which are not there or are white space."
    )
    E310 = (
        "[E310] The text and its words differ: '{word}' is not at character {position} of the text."
    )
    E311 = (
        "[E311] The entity '{text}' at characters {start}:{end} cuts a token ({tokens}). Correct "
        "it, or set the alignment to split, contract or expand."
    )
    E312 = (
        "[E312] Can't take sentences from '{name}': {reason}. Give 'sentencizer', or a package or "
        "folder of a pipeline that sets sentence boundaries."
    )
    E313 = "[E313] The format '{format}' knows no '{option}'. It is read with: {known}."
    E314 = "[E314] {option} is one of {known}, not {value!r}."
    E315 = (
        "[E315] brat can't hold the label {label!r}: it must be one word. Rename it, for example "
        "in 'jere convert' with --map-labels 'OLD=NEW'."
    )
    E316 = "[E316] {path} holds other texts already, such as {name}. Name an empty or a new folder."
    E317 = "[E317] An option of a format is given as name=value, not as {value!r}."
    E318 = "[E318] Unknown option '{option}'. {known}"
    E319 = (
        "[E319] The option '{option}' takes a Python object: set it from Python. A command can't. "
        "{known}"
    )
    # Export
    E320 = (
        "[E320] Writing '{format}' needs the package '{package}'. Install it with: "
        'pip install "spacy-jere[graphs]"'
    )
    E321 = (
        "[E321] {base!r} can't be the base of IRIs. Give an absolute IRI that ends in '/' or ':' "
        "and has no '?' or '#', such as 'https://example.org/' or 'urn:corpus:'."
    )
    E322 = (
        "[E322] Can't tell from {path} which format is wanted. Name it with --to; known formats: "
        "{known}."
    )
    E323 = (
        "[E323] None of the {n} documents has relations. Were they saved with "
        "DocBin(store_user_data=True), and is doc._.relations set?"
    )
    E324 = "[E324] {path} is not a .spacy file, nor a folder that has some: {reason}."
    E325 = "[E325] The format '{format}' knows no '{option}'. It is written with: {known}."
    E326 = "[E326] {path} may be {names}. Name the one that is wanted with --to."
    E327 = "[E327] {option} must be {wanted}, not {value!r}."
    # Data check
    E330 = "[E330] There is no training data: give --train, or a config whose [paths] name it."
    E331 = '[E331] {path} has no component with factory = "joint_ner_re".'
    # Thresholds
    E340 = "[E340] There are no annotated entities or relations to find thresholds with."
    E341 = "[E341] {model} is no folder that thresholds could be saved to. Name one with --output."
    E342 = "[E342] {model} has no component '{name}'. It has: {names}."
    # Pictures and errors
    E350 = (
        "[E350] {path} is no file that can be drawn. Give a .txt with one text a line, a .jsonl, "
        "or a .spacy file."
    )
    E351 = "[E351] --gold compares with annotation, which only .spacy files have, not {path}."
    E352 = "[E352] {path} has no text."
    E353 = "[E353] {path} has no annotated entities or relations to compare with."
    # Making a config
    E354 = "[E354] {output} is there already. Name another file, or replace it with --force."
    E480 = "[E480] {split} has no texts. Give a .spacy file with annotated texts."
    E481 = (
        "[E481] train has no entities: there is nothing to learn. Annotate doc.ents, and relations "
        "in doc._.relations."
    )
    E482 = (
        "[E482] dev has no entities: no pipeline could be chosen by its scores. Give annotated "
        "texts that train does not have."
    )
    E483 = (
        "[E483] The encoder '{name}' can't be loaded: {reason}. Give the name of a model on the "
        "Hugging Face hub, or a folder that has its config.json and its tokenizer."
    )
    E484 = (
        "[E484] The word vectors '{name}' can't be loaded: {reason}. Give the name or folder of a "
        "pipeline that has word vectors, such as en_core_web_md."
    )
    E485 = (
        "[E485] --minutes measures the speed of the training, and there is no GPU to measure with. "
        "Run the command where the GPU is, or leave --minutes out."
    )
    # Reading
    E360 = (
        "[E360] {n} faults:\n{faults}\nCorrect them, or leave the faulty texts out with "
        "--on-error skip (in Python: on_error='skip')."
    )
    E361 = (
        "[E361] Can't read {value!r} as a map of labels. Give old=new, or old= to drop a label; "
        "several are separated by commas. A comma, an equals sign or a backslash in a label has a "
        "backslash before it."
    )
    E362 = (
        "[E362] The label {label!r} is to become both {first!r} and {second!r}. Name one of them."
    )
    # Writing
    E380 = (
        "[E380] {output} can't be written: {source} is read, and would be lost. Name another file "
        "or folder."
    )
    E381 = (
        "[E381] {path} holds things that this command has not written, such as {name}. Name an "
        "empty or a new folder, or write into this one with --force: they stay there then."
    )
    E382 = (
        "[E382] {output} lies in the folder {source} and would be read with its files the next "
        "time. Name a place outside."
    )
    E383 = "[E383] {output} can't be written: {reason}. Name a place where you may write."
    E384 = "[E384] The pipeline {model} can't be loaded: {reason}"
    E385 = (
        "[E385] {path}, line {line}: there is a null character, which texts don't have. Give a "
        "text file in UTF-8."
    )
    E386 = "[E386] The program that read the output has ended."
    # Models
    E400 = (
        "[E400] TokenFeatures has static_vectors = true, but the pipeline has no word vectors. "
        "Give [initialize] vectors a pipeline that has them (for example en_core_web_md), or set "
        "static_vectors = false."
    )
    E401 = (
        "[E401] TokenFeatures needs at least one of contextual, static_vectors, characters and "
        "casing."
    )
    E402 = (
        "[E402] The word vectors are {found} wide, but the model was trained with {expected}. "
        "Load the pipeline together with the vectors it was trained with."
    )
    E403 = (
        "[E403] layers = {layers} asks for hidden states that the transformer does not give "
        '({reason}). Set transformer_config = {{"output_hidden_states": true}} in its model, and '
        "name layers between 0 and {last}."
    )
    E405 = "[E405] {setting} must be {wanted}, not {value!r}."
    E406 = (
        "[E406] spacy-jere.TransformerModel.v1 reads models with a fast tokenizer, and {tokenizer} "
        "is a slow one. Take use_fast = false out of tokenizer_config, or use "
        "spacy-transformers.TransformerModel.v3 if the model has no fast tokenizer."
    )
    E407 = (
        "[E407] The listeners of spacy-jere.TransformerModel.v1 can't be replaced. Keep the "
        "transformer in the pipeline."
    )
    # Checkpoints
    E410 = "[E410] {path} is no checkpoint of SpERT: {missing} is missing."
    E411 = (
        "[E411] {path} has weights that SpERT does not have: '{key}'. Was it written by another "
        "model or another version?"
    )
    E412 = "[E412] {path} lacks the weights '{key}' of shape {expected}."
    E413 = (
        "[E413] The weights '{key}' of {path} have the shape {found}, but its config.json and "
        "types.json ask for {expected}."
    )
    E414 = (
        "[E414] {path} can't be read as the weights of a model, without code that would be run in"
        " reading: {reason}"
    )
    E415 = (
        "[E415] {path} does not name the labels: it must be a JSON object with 'entities' and "
        "'relations', each an object with one entry per label."
    )
    # Saved models
    E440 = (
        "[E440] {file} is damaged or can't be read: {reason}. Restore it from a copy, or save the "
        "pipeline again."
    )
    E441 = (
        "[E441] {file} does not fit the model that config.cfg describes: {reason}. The two belong "
        "to different pipelines or versions. Load a pipeline that was saved as a whole."
    )
    E442 = (
        "[E442] {file} has weights that are NaN or infinite, such as {names} ({n} in all). The "
        "training that saved them had failed. Train again with a lower learning rate."
    )
    E443 = (
        "[E443] {file} was saved in format {found}, and this version of spacy-jere reads format "
        "{known}. Update spacy-jere."
    )
    E444 = (
        "[E444] {file} asks for something that saved transformers never need: {reason}. It may "
        "have been made to do harm. Load it from a source that you trust."
    )
    E445 = (
        "[E445] The transformer '{name}' can't be loaded: {reason}. Give the name of a model on "
        "the Hugging Face hub, or a folder that has its config.json, vocabulary and "
        "model.safetensors."
    )
    # Checkpoints and other files
    E446 = "[E446] {path}: {setting} must be {wanted}, not {value}."
    E447 = "[E447] {path} can't be used: {reason}."
    E448 = "[E448] spaCy can't make a pipeline of the language '{lang}': {reason}."
    E450 = (
        "[E450] Transformers need the package 'spacy-transformers'. Install it with: "
        'pip install "spacy-jere[transformers]"'
    )
    E451 = (
        "[E451] The weights '{key}' of {path} are of type {found}. Weights are floating-point "
        "numbers."
    )
    E452 = (
        "[E452] The weights '{key}' of {path} are NaN or infinite. Its training had failed; take "
        "an earlier checkpoint."
    )
    # Encoders
    E453 = (
        "[E453] The transformer '{name}' is a {kind}, which transformers can't compute in "
        "bfloat16. Set bfloat16 = false in its model."
    )
    E454 = (
        "[E454] The transformer '{name}' is a {kind}, which has no gradient checkpointing. Set "
        "gradient_checkpointing = false in its model."
    )
    E455 = (
        "[E455] The joint model listens to {upstream}, and there is none in front of it that has "
        "been initialized. Add it to the pipeline before the joint component."
    )
    E456 = (
        "[E456] The joint model listens to {upstream}, which has not read the text '{text}'. Keep "
        "it in the pipeline before the joint component, neither disabled nor excluded. In "
        "training, name it in annotating_components if it is frozen, or if the joint component is "
        "named there."
    )
    E457 = (
        "[E457] The transformer '{name}' is a {kind}, which is no encoder of texts, or none that "
        "reads padded batches. Choose an encoder, such as BERT, RoBERTa, XLM-R, DeBERTa or "
        "ModernBERT."
    )
    # Training
    E430 = (
        "[E430] The schedule {schedule} counts in epochs, and nothing has told it how many steps "
        "an epoch has. Add the section [initialize.after_init] with "
        '@callbacks = "spacy-jere.epochs_to_steps.v1" to the config, or set steps_per_epoch and '
        "total_epochs. An optimizer that is older than the count stays without it: after the "
        "initialization, make one with nlp.create_optimizer()."
    )
    E431 = (
        "[E431] The schedule {schedule} needs a number of epochs larger than 0, not {value}. Set "
        "training.max_epochs, or total_epochs of the schedule."
    )
    E432 = (
        "[E432] warmup_epochs = {warmup} is longer than the {total} epochs of the schedule. "
        "Shorten the warm-up, or train for more epochs."
    )
    E433 = (
        "[E433] Can't count the steps of an epoch: with training.max_epochs = -1 the corpus is a "
        "stream. Set it to 0 or more, or take 'spacy-jere.epochs_to_steps.v1' out of the config "
        "and set steps_per_epoch, training.eval_frequency and training.patience yourself."
    )
    E434 = (
        "[E434] A gradient is not finite: training has failed. The weights are as before this "
        "step. Start again with a lower learning rate, or look for texts that break a model (the "
        "loss of each component is in the log)."
    )
    E435 = "[E435] The augmenter's {setting} must be {wanted}, not {value}."
    E436 = "[E436] The augmenter can't read names from {path}: {reason}."
    E437 = (
        "[E437] Invented names need the package 'Faker'. Install it with: "
        'pip install "spacy-jere[augment]"'
    )
    # Word vectors
    E438 = (
        "[E438] Vectors can't have {wanted} dimensions: there are at most {most}. Take fewer "
        "dimensions, or more words or layers."
    )
    E439 = (
        "[E439] {path} is no file of word vectors as 'jere make-vectors' writes it: {reason}. Make "
        "it again."
    )
    # Pictures
    E500 = "[E500] There is no style '{style}'. Known styles: {known}."
    E501 = "[E501] There is no option '{option}'. Known options: {known}."
    E502 = (
        "[E502] {color!r}, the colour of '{label}', is not a CSS colour. Give a name, '#rrggbb', "
        "or a function such as 'rgb(170 156 252)'."
    )
    E503 = (
        "[E503] There are {n_gold} references for {n_docs} Docs. Give one for each Doc, in the "
        "same order."
    )


class Warnings:
    """What the user should know. Codes as for errors."""

    W200 = (
        "[W200] The training data of '{name}' has no relations: it will learn entities only. Set "
        "doc._.relations (an empty list says 'annotated, none') if it should learn relations."
    )
    W204 = (
        "[W204] '{name}' has nothing to learn from in a batch of {n} texts: no entities or "
        "relations of them are annotated. Set doc.ents and doc._.relations (empty lists say "
        "'none')."
    )
    W205 = (
        "[W205] The label file of '{name}' has no relations: it will learn entities only. Add the "
        "relation labels to the file that [initialize.components.{name}.labels] names, or remove "
        "that section."
    )
    W120 = (
        "[W120] The relations kept in doc.user_data belong to another text than '{text}', and are "
        "not read. spacy_jere.as_doc and spacy_jere.from_docs carry relations along to a part of a "
        "Doc or to joined Docs."
    )
    W121 = (
        "[W121] {n} of {total} texts of the training data of '{name}' have no relation annotation, "
        "and teach nothing about relations. If they should have: spacy.Corpus.v1 loses relations "
        "where it splits texts, and DocBin without store_user_data=True. Read with "
        "spacy-jere.Corpus.v1. An empty doc._.relations says 'annotated, none'."
    )
    W122 = (
        "[W122] {n} entities in the training data of '{name}' begin or end with white space. They "
        "are learned without it, and never found with it. Correct the annotation: evaluation "
        "compares entities as they are annotated."
    )
    W123 = (
        "[W123] '{name}' has given_entities = true, but none of {n} texts has entities: there is "
        "nothing to relate. Put a component that finds entities in front and name it in "
        "[training] annotating_components, or set gold_entities = true of spacy-jere.Corpus.v1."
    )
    W124 = (
        "[W124] An augmenter has changed the words of '{text}' so that its relations can't be put "
        "onto the new text. They count as not annotated. Set doc._.relations in the augmenter."
    )
    W201 = (
        "[W201] '{name}' can't learn from {counts} of the training data. They are left out of "
        "training, and count as missed in evaluation."
    )
    W203 = (
        "[W203] '{name}' leaves {n} entities out: they reach across the windows in which "
        "relations are looked for. Set window to 'doc', or correct the sentence boundaries."
    )
    W220 = (
        "[W220] '{name}' reads a window of {n:,} tokens; the longest that it has learned from had "
        "{learned:,}. Pairs of entities with more than {furthest:,} tokens between them are left "
        "out. Put a 'sentencizer' in front, or set max_distance of the component; a large number "
        "looks at all pairs. (Later long windows are not mentioned.)"
    )
    W210 = (
        "[W210] context = true reads the first word piece of each sequence, and the transformer "
        "puts no token of its own, such as [CLS], there: it is that of the first token. Set "
        "context = false, or take a transformer that begins its sequences with one."
    )
    W300 = (
        "[W300] {changed} entities don't begin and end where a token does and were shortened, "
        "widened or left out, and {lost} relations with them. spacy_jere.formats.align tells "
        "which."
    )
    W360 = "[W360] {path}: {note}."
    W361 = "[W361] {path}: {n} faulty texts were left out. records.faults says why."
    W202 = (
        "[W202] '{name}' leaves entities labelled {labels} out: it has not been trained with "
        "these labels."
    )
