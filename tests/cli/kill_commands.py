"""Kill commands that write, at random moments, and look at what is left.

    python tests/cli/kill_commands.py MODEL CHECKPOINT SECONDS SEED

Prints JSON: by command how often it was tried, how often the kill came before its end, how often
the old and the new output were found, and what was found instead. Every command runs in a fork of
this process, which has loaded everything already.
"""

import contextlib
import importlib
import json
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import spacy
import torch
from spacy.cli._util import app
from spacy.tokens import Doc, DocBin, Span
from spacy.vocab import Vocab

import spacy_jere.cli  # noqa: F401  (adds `jere` to spaCy's commands)

PART = re.compile(r"\..*\.[0-9a-f]{32}\.part")
WORDS = ["Ada", "lives", "in", "New", "Oslo", ".", "Cy", "works", "for", "Acme", "in", "Rome", "."]
COMMANDS = {
    "evaluate": ["evaluate", "model", "data.spacy", "-o", "out/scores.json"],
    "error-analysis": ["error-analysis", "model", "data.spacy", "out/errors.html"],
    "visualize": ["visualize", "model", "data.spacy", "out/page.html"],
    "find-thresholds": ["find-thresholds", "model", "data.spacy"],
    "find-thresholds -o": ["find-thresholds", "model", "data.spacy", "-o", "out/model"],
    **{
        f"export {name}": ["export", "many.spacy", f"out/{name}", "--to", name]
        for name in (
            "spacy", "spert", "brat", "triples", "csv",
            "parquet", "turtle", "graphml", "node_link", "neo4j",
        )
    },
    "convert": ["convert", "sources", "out/corpus"],
    "convert brat": ["convert", "sources", "out/folders", "--to", "brat"],
}  # fmt: skip


def make_doc(number):
    doc = Doc(Vocab(), words=WORDS, sent_starts=[i in (0, 6) for i in range(len(WORDS))])
    ends = [Span(doc, 0, 1, "PER"), Span(doc, 3, 5, "LOC"), Span(doc, 6, 7, "PER")]
    doc.ents = ends
    doc._.relations = [(ends[0], ends[1], "LIVES_IN"), (ends[2], ends[1], "LIVES_IN")]
    doc.user_data["id"] = f"text {number}"
    return doc


def save(path, n):
    DocBin(docs=[make_doc(i) for i in range(n)], store_user_data=True).to_disk(path)


def make_sources(folder, model):
    """Everything that commands read."""
    folder.mkdir()
    shutil.copytree(model, folder / "model")
    save(folder / "data.spacy", 30)
    save(folder / "many.spacy", 300)
    (folder / "sources").mkdir()
    item = {
        "tokens": WORDS,
        "entities": [{"type": "PER", "start": 0, "end": 1}, {"type": "LOC", "start": 3, "end": 5}],
        "relations": [{"type": "LIVES_IN", "head": 0, "tail": 1}],
    }
    for name in ("train", "dev", "test", "more"):
        (folder / "sources" / f"{name}.json").write_text(json.dumps([item] * 100))
    return folder


def start(folder, arguments):
    """RETURNS: The id of a process that runs a command in a folder."""
    child = os.fork()
    if child:
        return child
    try:
        os.chdir(folder)
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (1, 2):
            os.dup2(null, stream)
        os.setpgid(0, 0)
        with contextlib.suppress(SystemExit):
            app(["jere", *arguments], standalone_mode=False)
    finally:
        os._exit(0)


def run(folder, arguments):
    os.waitpid(start(folder, arguments), 0)


def state(folder):
    """Every file that has its final name, with its content."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not any(PART.fullmatch(x) for x in path.relative_to(folder).parts)
    }


def parts(folder):
    return [path for path in folder.rglob(".*.part") if PART.fullmatch(path.name)]


def is_new(found, new, name):
    if name == "evaluate" and found.keys() == new.keys():  # it holds the speed
        with contextlib.suppress(ValueError):
            return all(new[x] == y or "joint_f" in json.loads(y) for x, y in found.items())
    return found == new


def make_old(folder):
    """Outputs of earlier calls, as far as commands look at them."""
    out = folder / "out"
    out.mkdir()
    for arguments in COMMANDS.values():
        for name in (x for x in arguments if x.startswith("out/")):
            (folder / name).write_text("old")
    for name in ("brat", "neo4j", "corpus", "folders", "model", "imported"):
        (out / name).unlink(missing_ok=True)
    shutil.copytree(folder / "model", out / "model")
    files = [f"{x}.csv" for x in ("nodes", "relationships")]
    files = [f"neo4j/{x}" for x in files] + [f"corpus/{x}.spacy" for x in ("train", "mine")]
    files += [f"{x}/text 7.{y}" for x in ("brat", "folders/dev") for y in ("txt", "ann")]
    for name in files:
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text("T1\tPER 0 1\tx\n")
    # convert numbers its texts, and a folder of its own may be replaced.
    for path in (out / "folders" / "dev").iterdir():
        path.rename(path.with_name(path.name.replace("text 7", "000000")))


class Trial:
    """A command with its old output, and what it makes of that."""

    def __init__(self, name, base, model, random):
        self.name, self.arguments, self.random = name, COMMANDS[name], random
        self.old_folder, new = base / "old", base / "new"
        if not self.old_folder.exists():
            make_old(make_sources(self.old_folder, model))
        shutil.rmtree(new, ignore_errors=True)
        shutil.copytree(self.old_folder, new)
        begun = time.monotonic()
        child = start(new, self.arguments)
        self.wait_for_writing(new, child)
        writing = time.monotonic()
        with contextlib.suppress(ChildProcessError):  # it has ended
            os.waitpid(child, 0)
        self.duration, self.writing = time.monotonic() - begun, time.monotonic() - writing
        self.old, self.new = state(self.old_folder), state(new)
        if self.new == self.old:
            raise RuntimeError(f"{name} has not written anything")

    def wait_for_writing(self, folder, child):
        """RETURNS: Whether the command writes, and has not ended."""
        while not parts(folder):
            if os.waitpid(child, os.WNOHANG)[0]:
                return False
            time.sleep(0.0005)
        return True

    def kill(self, folder):
        """RETURNS: Whether the kill came before the end."""
        child = start(folder, self.arguments)
        if self.random.random() < 0.3:
            time.sleep(self.random.uniform(0, 1.1 * self.duration))
        elif self.wait_for_writing(folder, child):
            time.sleep(self.random.uniform(0, 1.2 * self.writing))
        else:
            return False
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        return os.WIFSIGNALED(status)

    def look(self, folder):
        """RETURNS: What is left: "old", "new", or a description of something else."""
        found = state(folder)
        if found == self.old:
            return "old"
        if is_new(found, self.new, self.name):
            return "new"
        if self.name == "find-thresholds":
            # Two files of settings: each is old or new, and what was changed last counts.
            each = all(found.get(x) in (self.old.get(x), y) for x, y in self.new.items())
            with contextlib.suppress(Exception):
                if each and found.keys() == self.new.keys():
                    spacy.load(folder / "model")
                    return "old"
        wrong = sorted(
            x for x in {*found, *self.old, *self.new}
            if found.get(x) not in (self.old.get(x), self.new.get(x))
        )  # fmt: skip
        return f"neither old nor new: {wrong or 'a mixture'}"


def load_everything(model):
    """So that each fork can begin at once."""
    for package in ("networkx", "pyarrow.parquet", "rdflib"):
        importlib.import_module(package)
    torch.set_num_threads(1)
    spacy.load(model)("Ada lives in New Oslo .")


def main(model, checkpoint, seconds, seed):
    load_everything(model)
    chosen = random.Random(seed)
    results = {}
    with tempfile.TemporaryDirectory() as temporary:
        base = Path(temporary)
        if checkpoint:
            COMMANDS["import-spert"] = ["import-spert", checkpoint, "out/imported", "--force"]
        ended, rounds = time.monotonic() + seconds, 0
        trials = [Trial(name, base, model, chosen) for name in COMMANDS]
        while rounds < 1 or time.monotonic() < ended:
            rounds += 1
            for trial in chosen.sample(trials, len(trials)):
                if rounds > 1 and time.monotonic() > ended:
                    break
                folder = base / "trial"
                shutil.copytree(trial.old_folder, folder)
                result = results.setdefault(trial.name, Counter())
                result["tried"] += 1
                result["killed"] += trial.kill(folder)
                result[trial.look(folder)] += 1
                if chosen.random() < 0.2:  # what is left does not disturb the next run
                    run(folder, trial.arguments)
                    if trial.look(folder) != "new":
                        result[f"next run: {trial.look(folder)}"] += 1
                shutil.rmtree(folder)
    sys.stdout.write(json.dumps(results))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]), int(sys.argv[4]))
