"""A MkDocs hook: what pages link to outside docs/ becomes a page of the site.

Pages link to configs, code and notes of the repository by relative links, so that they work
wherever the repository is read. The site gets a page for each such file: markdown as it is,
anything else as a block of code. Files that do not exist are left to MkDocs, which warns.
"""

import posixpath
import re
from pathlib import Path
from typing import Any, Iterator

from mkdocs.structure.files import File, InclusionLevel

ROOT = Path(__file__).parents[2]
DOCS = "docs/"
# The folder of the site for files from outside docs/
FOLDER = "repository/"
LINK = re.compile(r"\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)#\s]+)(#[^)\s]*)?\)")
FENCE = re.compile(r"^(\s*```\w+) file=(\S+)$", flags=re.M)
CODE = re.compile(r"(^\s*(`{3,}).*?^\s*\2$)", flags=re.M | re.S)
LANGUAGES = {".py": "python", ".cfg": "ini", ".yml": "yaml", ".json": "json", ".toml": "toml"}


def on_files(files: Any, config: Any) -> Any:
    """Add a page for each file outside docs/ that a page links to, and for what these link to."""
    waiting = [repository_path(x.src_uri) for x in files.documentation_pages()]
    while waiting:
        page = waiting.pop()
        text = (ROOT / page).read_text(encoding="utf8")
        for target in targets(page, text):
            if target.startswith(DOCS) or files.get_file_from_path(site_path(target)):
                continue
            content = as_page(target)
            new = File.generated(
                config, site_path(target), content=content, inclusion=InclusionLevel.NOT_IN_NAV
            )
            files.append(new)
            if target.endswith(".md"):
                waiting.append(target)
    return files


def on_page_markdown(markdown: str, page: Any, **kwargs: Any) -> str:
    """Point links into the site, and make the name of an example's file its title."""
    path = repository_path(page.file.src_uri)
    parts = CODE.split(markdown)
    # Text, then for each block of code the block and its fence
    parts[::3] = [LINK.sub(lambda match: pointed(path, match), x) for x in parts[::3]]
    del parts[2::3]
    return FENCE.sub(r'\1 title="\2"', "".join(parts))


def pointed(page: str, match: "re.Match[str]") -> str:
    """RETURNS (str): A link of a page, to the page of the site that shows its target."""
    text, link, anchor = match.groups()
    target = resolved(page, link)
    if target is None:
        # A folder has no page: its name is left.
        is_folder = "://" not in link and (ROOT / posixpath.dirname(page) / link).is_dir()
        return text if is_folder else match.group(0)
    here = posixpath.dirname(site_path(page)) or "."
    return f"[{text}]({posixpath.relpath(site_path(target), here)}{anchor or ''})"


def targets(page: str, text: str) -> Iterator[str]:
    """YIELDS (str): The existing files that a page links to, from the repository's top."""
    for match in LINK.finditer("".join(CODE.split(text)[::3])):
        target = resolved(page, match.group(2))
        if target is not None:
            yield target


def resolved(page: str, link: str) -> "str | None":
    """RETURNS (str | None): The file that a link means; None if it is no file of ours."""
    path = posixpath.normpath(posixpath.join(posixpath.dirname(page), link))
    if "://" in link or path.startswith(".."):
        return None
    if (ROOT / path / "README.md").is_file():
        path += "/README.md"
    return path if (ROOT / path).is_file() else None


def as_page(path: str) -> str:
    """RETURNS (str): A file as markdown."""
    text = (ROOT / path).read_text(encoding="utf8")
    if path.endswith(".md"):
        return text
    language = LANGUAGES.get(posixpath.splitext(path)[1], "text")
    return f"# `{path}`\n\n`````{language}\n{text}`````\n"


def site_path(path: str) -> str:
    """RETURNS (str): Where a file of the repository stands among the sources of the site."""
    if path.startswith(DOCS):
        return path.removeprefix(DOCS)
    return f"{FOLDER}{path}" if path.endswith(".md") else f"{FOLDER}{path}.md"


def repository_path(source: str) -> str:
    """RETURNS (str): The file of the repository that a source of the site stands for."""
    if not source.startswith(FOLDER):
        return DOCS + source
    path = source.removeprefix(FOLDER)
    return path if (ROOT / path).is_file() else path.removesuffix(".md")
