"""python assets/fetch.py CORPUS: fetch the files of a corpus that project.yml names.

Files that are in place, with the right checksum, stay.
"""

import sys
from pathlib import Path

from wasabi import msg
from weasel.cli.assets import fetch_asset
from weasel.util import get_checksum, load_project_config

ROOT = Path(__file__).parent.parent


def main(corpus: str) -> None:
    folder = Path("assets") / corpus
    assets = [x for x in load_project_config(ROOT)["assets"] if Path(x["dest"]).parent == folder]
    for asset in assets:
        fetch_asset(ROOT, asset["url"], Path(asset["dest"]), asset["checksum"])
        file = ROOT / asset["dest"]
        if not file.is_file() or get_checksum(file) != asset["checksum"]:
            sys.exit(1)
    if not assets and not (ROOT / folder).is_dir():
        msg.fail(f"There is no corpus '{corpus}': neither in assets/ nor in project.yml", exits=1)
    msg.good(f"{folder} is in place")


if __name__ == "__main__":
    main(sys.argv[1])
