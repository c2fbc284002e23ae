"""python assets/fetch.py CORPUS: fetches the assets of project.yml, unless the corpus is the embedded one."""

import subprocess
import sys

from wasabi import msg

if __name__ == "__main__":
    if sys.argv[1] == "embedded":
        msg.good("The embedded corpus needs no download")
    else:
        subprocess.run([sys.executable, "-m", "spacy", "project", "assets", "--extra"], check=True)
