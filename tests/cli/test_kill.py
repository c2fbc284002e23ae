"""Commands that are killed leave the old output or the new one, whole.

About 20 seconds of kills. $SPACY_JERE_FUZZ_MINUTES makes it minutes, $SPACY_JERE_FUZZ_SEED begins
elsewhere.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SECONDS = 60 * float(os.environ.get("SPACY_JERE_FUZZ_MINUTES", 0)) or 20.0
SEED = int(os.environ.get("SPACY_JERE_FUZZ_SEED", 0))


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="commands run in forks")
def test_killed_commands_leave_the_old_or_the_new(saved_model):
    checkpoint = HERE.parent / "fixtures" / "spert_tiny" if find_spec("spacy_transformers") else ""
    command = [HERE / "kill_commands.py", saved_model, checkpoint, SECONDS, SEED]
    run = subprocess.run([sys.executable, *map(str, command)], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    wrong = {
        name: what
        for name, counts in found.items()
        if (what := {x: n for x, n in counts.items() if x not in ("tried", "killed", "old", "new")})
    }
    assert not wrong
    total = sum(map(Counter, found.values()), Counter())
    assert total["tried"] >= len(found) > 15
    assert total["killed"] > total["tried"] / 4
    assert total["old"] and total["new"]
