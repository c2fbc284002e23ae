"""Files and folders are whole or not there, and what was there before is never lost."""

import errno
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_jere.formats import SourceError, _moving
from spacy_jere.formats._writing import (
    check_output,
    whole_file,
    whole_files,
    whole_folder,
    whole_text,
)

is_root = hasattr(os, "geteuid") and os.geteuid() == 0
posix = pytest.mark.skipif(os.name != "posix", reason="links and signals of POSIX")


def tree(folder):
    """What a folder holds: texts by their paths, None for folders."""
    return {
        x.relative_to(folder).as_posix(): x.read_text() if x.is_file() else None
        for x in Path(folder).rglob("*")
    }


def fill(folder, texts):
    for path, text in texts.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


# Files


def test_file_appears_when_it_is_whole(tmp_path):
    path = tmp_path / "made" / "too" / "out.txt"
    with whole_text(path) as file:
        file.write("new\r\n")
        file.flush()
        assert not path.exists()
    assert path.read_bytes() == b"new\r\n"
    assert [x.name for x in path.parent.iterdir()] == ["out.txt"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, MemoryError])
@pytest.mark.parametrize("old", [None, "old"])
def test_after_an_error_all_is_as_before(tmp_path, error, old):
    path = tmp_path / "made" / "out.txt"
    if old is not None:
        fill(tmp_path, {"made/out.txt": old})
    before = tree(tmp_path)
    with pytest.raises(error), whole_text(path) as file:
        file.write("x" * 100_000)
        raise error
    assert tree(tmp_path) == before


def test_several_files_appear_together(tmp_path):
    fill(tmp_path, {"a": "old", "b": "old"})
    with pytest.raises(ValueError), whole_files([tmp_path / "a", tmp_path / "b"]) as parts:
        parts[0].write_text("new")
        raise ValueError
    assert tree(tmp_path) == {"a": "old", "b": "old"}
    with whole_files([tmp_path / "a", tmp_path / "new" / "c"]) as parts:
        for part in parts:
            part.write_text("new")
        assert tree(tmp_path)["a"] == "old"
    assert tree(tmp_path) == {"a": "new", "b": "old", "new": None, "new/c": "new"}


@posix
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o755])
def test_mode_of_the_file_is_kept(tmp_path, mode):
    fill(tmp_path, {"out": "old"})
    (tmp_path / "out").chmod(mode)
    with whole_file(tmp_path / "out") as part:
        assert stat.S_IMODE(part.stat().st_mode) & ~mode == 0  # not open to more people meanwhile
        part.write_text("new")
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == mode


@posix
def test_new_file_has_the_usual_mode(tmp_path):
    (tmp_path / "usual").write_text("")
    with whole_text(tmp_path / "out"):
        pass
    modes = {stat.S_IMODE(x.stat().st_mode) for x in tmp_path.iterdir()}
    assert len(modes) == 1


@posix
@pytest.mark.parametrize("exists", [True, False])
def test_link_stays_and_its_file_is_replaced(tmp_path, exists):
    (tmp_path / "real").mkdir()
    if exists:
        (tmp_path / "real" / "file").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "real" / "file")
    with whole_text(tmp_path / "link") as file:
        file.write("new")
    assert (tmp_path / "link").is_symlink()
    assert tree(tmp_path / "real") == {"file": "new"}


@posix
def test_links_in_a_circle_are_refused(tmp_path):
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(OSError), whole_text(tmp_path / "a"):
        pass
    assert sorted(x.name for x in tmp_path.iterdir()) == ["a", "b"]


@posix
def test_link_under_a_guessed_name_is_not_followed(tmp_path):
    """What an attacker who may write to the folder can prepare."""
    (tmp_path / "victim").write_text("mine")
    for name in (f".out.{os.getpid()}.part", ".out.part", ".out.tmp", "out.tmp", "out~"):
        (tmp_path / name).symlink_to(tmp_path / "victim")
    names = set()
    for _ in range(20):
        with whole_file(tmp_path / "out") as part:
            names.add(part.name)
            part.write_text("new")
    assert (tmp_path / "victim").read_text() == "mine"
    assert not (tmp_path / "out").is_symlink()
    assert len(names) == 20


def test_temporary_file_that_is_there_is_not_taken(tmp_path, monkeypatch):
    monkeypatch.setattr(_moving.secrets, "token_hex", lambda n: "0" * 2 * n)
    taken = _moving.beside(tmp_path / "out")
    taken.symlink_to(tmp_path / "victim")
    with pytest.raises(FileExistsError), whole_text(tmp_path / "out"):
        pass
    assert not (tmp_path / "victim").exists()


@pytest.mark.parametrize("name", ["x" * 250 + ".txt", "é" * 120, "山" * 80, "a b\tc'\"$(d)"])
def test_long_and_strange_names(tmp_path, name):
    with whole_text(tmp_path / name) as file:
        file.write("new")
    assert tree(tmp_path) == {name: "new"}


def test_threads_with_one_target_each_write_a_whole_file(tmp_path):
    texts = [str(i) * 50_000 for i in range(8)]
    seen = set()

    def work(text):
        for _ in range(5):
            with whole_text(tmp_path / "out") as file:
                for start in range(0, len(text), 1000):
                    file.write(text[start : start + 1000])
            seen.add((tmp_path / "out").read_text())

    threads = [threading.Thread(target=work, args=[text]) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen <= set(texts)
    assert list(tree(tmp_path)) == ["out"]


@posix
def test_devices_and_pipes_are_written_to_and_stay(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    read = []
    thread = threading.Thread(target=lambda: read.append((tmp_path / "pipe").read_text()))
    thread.start()
    with whole_text(tmp_path / "pipe") as file:
        file.write("new")
    thread.join()
    assert read == ["new"]
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    with whole_text("/dev/null") as file:
        file.write("new")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


@posix
@pytest.mark.skipif(is_root, reason="root may write everywhere")
def test_protected_file_is_not_replaced(tmp_path):
    fill(tmp_path, {"out": "old"})
    (tmp_path / "out").chmod(0o444)
    with pytest.raises(PermissionError), whole_text(tmp_path / "out"):
        pass
    assert (tmp_path / "out").read_text() == "old"


# Signals

ENDED = """
import sys, time
from spacy_jere.formats._writing import whole_folder, whole_text
if sys.argv[1] == "file":
    with whole_text(sys.argv[2]) as file:
        file.write("x" * 100000)
        print("here", flush=True)
        time.sleep(60)
else:
    with whole_folder(sys.argv[2]) as folder:
        (folder / "a").write_text("new")
        print("here", flush=True)
        time.sleep(60)
"""


@posix
@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@pytest.mark.parametrize("kind, old", [("file", {"out": "old"}), ("folder", {"out/a": "old"})])
def test_signals_that_end_the_program_leave_the_old(tmp_path, kind, old, number):
    fill(tmp_path, old)
    before = tree(tmp_path)
    command = [sys.executable, "-c", ENDED, kind, str(tmp_path / "out")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        assert run.stdout.readline() == b"here\n"
        run.send_signal(number)
        run.communicate(timeout=30)
    assert run.returncode != 0
    assert tree(tmp_path) == before


@posix
def test_handlers_are_as_before(tmp_path):
    def own(number, frame):
        calls.append(number)

    calls = []
    before = {x: signal.getsignal(x) for x in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)}
    with whole_folder(tmp_path / "out") as folder:
        assert signal.getsignal(signal.SIGTERM) != before[signal.SIGTERM]
        (folder / "a").write_text("new")
    assert {x: signal.getsignal(x) for x in before} == before
    signal.signal(signal.SIGTERM, own)
    try:
        with whole_text(tmp_path / "file") as file:
            signal.raise_signal(signal.SIGTERM)
            file.write("new")
        assert signal.getsignal(signal.SIGTERM) == own
    finally:
        signal.signal(signal.SIGTERM, before[signal.SIGTERM])
    assert calls == [signal.SIGTERM]
    assert (tmp_path / "file").read_text() == "new"


@posix
def test_signal_waits_until_the_moves_are_done(tmp_path, monkeypatch):
    """Files that belong together are not parted by Ctrl-C."""
    fill(tmp_path, {"a": "old", "b": "old"})
    replace = os.replace

    def interrupted(*args):
        signal.raise_signal(signal.SIGINT)
        replace(*args)

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt), whole_files([tmp_path / "a", tmp_path / "b"]) as parts:
        for part in parts:
            part.write_text("new")
    assert tree(tmp_path) == {"a": "new", "b": "new"}


# Folders


@pytest.fixture(params=["at once", "in turn"])
def exchange(request, monkeypatch):
    """With the system's call that exchanges two folders, and without it."""
    if request.param == "in turn":
        monkeypatch.setattr(_moving, "_exchange_at_once", lambda *_: False)
    return request.param


def write(target, texts, **options):
    with whole_folder(target, **options) as folder:
        fill(folder, texts)


@pytest.mark.parametrize("existing", [False, True])
def test_folder_appears_when_it_is_whole(tmp_path, exchange, existing):
    target = tmp_path / "made" / "out"
    if existing:
        target.mkdir(parents=True)
    with whole_folder(target) as folder:
        fill(folder, {"a": "1", "b/c": "2"})
        assert not target.exists() or tree(target) == {}
    assert tree(target) == {"a": "1", "b": None, "b/c": "2"}
    write(target, {"a": "3", "b/c": "4", "d": "5"})
    assert tree(tmp_path / "made") == {
        "out": None, "out/a": "3", "out/b": None, "out/b/c": "4", "out/d": "5"
    }  # fmt: skip


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("old", [{}, {"made/out/a": "old"}])
def test_after_an_error_the_folder_is_as_before(tmp_path, error, old):
    fill(tmp_path, old)
    before = tree(tmp_path)
    with pytest.raises(error), whole_folder(tmp_path / "made" / "out") as folder:
        fill(folder, {"a": "new", "b": "new"})
        raise error
    assert tree(tmp_path) == before


@pytest.mark.parametrize("foreign", ["mine", "b/mine", "b/c/mine", ".hidden", "a/was/a/file"])
def test_folder_with_other_things_is_refused_and_kept(tmp_path, exchange, foreign):
    old = {"b/c/d": "old", foreign: "mine"}
    fill(tmp_path / "out", old)
    before = tree(tmp_path)
    new = {"a": "new", "b/c/d": "new"}
    with pytest.raises(SourceError, match=r"E381.*such as"):
        write(tmp_path / "out", new)
    assert tree(tmp_path) == before
    if foreign != "a/was/a/file":
        write(tmp_path / "out", new, force=True)
        found = {path: text for path, text in tree(tmp_path / "out").items() if text is not None}
        assert found == {**new, foreign: "mine"}


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("name", [".DS_Store", "Thumbs.db", f".out.{'0' * 32}.part"])
def test_files_of_systems_and_of_killed_commands_do_not_count(tmp_path, name, force):
    fill(tmp_path / "out", {"a": "old", name: "x"})
    write(tmp_path / "out", {"a": "new"}, force=force)
    assert tree(tmp_path / "out")["a"] == "new"


def test_shared_folder_keeps_what_it_has(tmp_path, exchange):
    fill(tmp_path / "out", {"a": "old", "mine": "mine", "b/c": "old"})
    write(tmp_path / "out", {"a": "new", "b/c": "new", "d": "new"}, shared=True)
    assert tree(tmp_path / "out") == {
        "a": "new", "mine": "mine", "b": None, "b/c": "new", "d": "new"
    }  # fmt: skip
    fill(tmp_path / "out", {"b/mine": "mine"})
    before = tree(tmp_path)
    with pytest.raises(SourceError, match="E381"):
        write(tmp_path / "out", {"b/c": "newer"}, shared=True)
    assert tree(tmp_path) == before


def test_only_own_files_are_replaced(tmp_path):
    fill(tmp_path / "out", {"a": "old"})
    with pytest.raises(SourceError, match="E381"):
        write(tmp_path / "out", {"a": "new"}, own=lambda path: path.read_text() != "old")
    write(tmp_path / "out", {"a": "new"}, own=lambda path: path.read_text() == "old")
    assert tree(tmp_path / "out") == {"a": "new"}


@pytest.mark.parametrize("n_before", range(3))
def test_moves_are_undone_after_an_error(tmp_path, exchange, monkeypatch, n_before):
    old = {"a": "old", "b/c": "old", "mine": "mine"}
    fill(tmp_path / "out", old)
    before = tree(tmp_path)
    moves, real = [], _moving.exchange

    def failing(one, other):
        moves.append(one)
        if len(moves) == n_before + 1:
            raise PermissionError(errno.EACCES, "no", str(other))
        real(one, other)

    new = {"0": "new", "a": "new", "aa": "new", "b/c": "new"}
    monkeypatch.setattr(_moving, "exchange", failing)
    if n_before < 2:
        with pytest.raises(PermissionError):
            write(tmp_path / "out", new, shared=True)
    else:
        write(tmp_path / "out", new, shared=True)
        before = {"out": None, "out/b": None, "out/mine": "mine"}
        before.update({f"out/{x}": "new" for x in new})
    assert tree(tmp_path) == before


def test_what_comes_in_the_last_moment_is_kept(tmp_path, monkeypatch):
    fill(tmp_path / "out", {"a": "old"})
    real = _moving.exchange

    def late(one, other):
        (tmp_path / "out" / "late").write_text("mine")
        real(one, other)

    monkeypatch.setattr(_moving, "exchange", late)
    write(tmp_path / "out", {"a": "new"})
    assert tree(tmp_path / "out") == {"a": "new", "late": "mine"}


@pytest.mark.parametrize("number", [errno.EXDEV, errno.EBUSY])
def test_folder_that_another_device_is_mounted_on(tmp_path, monkeypatch, number):
    fill(tmp_path / "out", {"a": "old"})
    real = _moving.exchange

    def across(one, other):
        if other == tmp_path / "out":
            raise OSError(number, "another device", str(other))
        real(one, other)

    monkeypatch.setattr(_moving, "exchange", across)
    write(tmp_path / "out", {"a": "new", "b/c": "new"})
    assert tree(tmp_path) == {"out": None, "out/a": "new", "out/b": None, "out/b/c": "new"}


def test_folder_that_must_stay_is_filled(tmp_path, monkeypatch):
    fill(tmp_path / "out", {"a": "old"})
    known = (tmp_path / "out").stat().st_ino
    monkeypatch.setattr(os.path, "ismount", lambda path: path == tmp_path / "out")
    write(tmp_path / "out", {"a": "new", "b": "new"})
    assert tree(tmp_path) == {"out": None, "out/a": "new", "out/b": "new"}
    assert (tmp_path / "out").stat().st_ino == known


@pytest.mark.parametrize("path", [".", "../out", "../out/."])
def test_current_folder_stays_the_current_one(tmp_path, monkeypatch, path):
    fill(tmp_path / "out", {"a": "old"})
    monkeypatch.chdir(tmp_path / "out")
    write(path, {"a": "new"})
    assert Path("a").read_text() == "new"
    assert Path.cwd().samefile(tmp_path / "out")


@posix
def test_links_and_modes_in_folders_are_kept(tmp_path, exchange):
    fill(tmp_path, {"real/a": "old", "elsewhere/b": "old"})
    (tmp_path / "real").chmod(0o750)
    (tmp_path / "real" / "a").chmod(0o640)
    (tmp_path / "real" / "b").symlink_to(tmp_path / "elsewhere" / "b")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write(tmp_path / "link", {"a": "new", "b": "new"})
    assert (tmp_path / "link").is_symlink() and (tmp_path / "real" / "b").is_symlink()
    assert tree(tmp_path / "elsewhere") == {"b": "new"}
    assert tree(tmp_path / "real") == {"a": "new", "b": "new"}
    assert stat.S_IMODE((tmp_path / "real").stat().st_mode) == 0o750
    assert stat.S_IMODE((tmp_path / "real" / "a").stat().st_mode) == 0o640


def test_file_in_place_of_the_folder_is_refused(tmp_path):
    fill(tmp_path, {"out": "mine"})
    with pytest.raises(NotADirectoryError), whole_folder(tmp_path / "out", force=True):
        pass
    assert tree(tmp_path) == {"out": "mine"}


PATHS = st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map("/".join)
TREES = st.dictionaries(PATHS, st.just(""), max_size=6).map(
    lambda x: [p for p in x if not any(q.startswith(f"{p}/") for q in x)]
)


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(old=TREES, new=TREES, shared=st.booleans(), force=st.booleans(), at_once=st.booleans())
def test_nothing_but_the_written_is_ever_replaced(old, new, shared, force, at_once):
    """Whatever the folders hold: all of the new is there, or nothing has changed."""
    folder = Path(tempfile.mkdtemp())
    real = _moving._exchange_at_once
    try:
        _moving._exchange_at_once = real if at_once else lambda *_: False
        fill(folder, {f"out/{x}": "old" for x in old})
        before = tree(folder)
        clash = any(x != y and (f"{x}/").startswith(f"{y}/") for x in old for y in new) or any(
            x != y and (f"{y}/").startswith(f"{x}/") for x in old for y in new
        )
        tops = {x.split("/")[0] for x in new}
        foreign = [x for x in old if x not in new and not (shared and x.split("/")[0] not in tops)]
        try:
            write(folder / "out", {x: "new" for x in new}, shared=shared, force=force)
        except SourceError:
            assert foreign and not force
            assert tree(folder) == before
            return
        assert force or not foreign
        files = {x: text for x, text in tree(folder / "out").items() if text is not None}
        assert {x: files.get(x) for x in new} == dict.fromkeys(new, "new")
        if not clash:
            assert files == {**dict.fromkeys(old, "old"), **dict.fromkeys(new, "new")}
        assert [x.name for x in folder.iterdir()] == ["out"]
    finally:
        _moving._exchange_at_once = real
        shutil.rmtree(folder)


# Before the work


@pytest.fixture
def sources(tmp_path):
    fill(tmp_path, {"in.spacy": "x", "corpus/a.spacy": "x", "corpus/b/c.spacy": "x", "o.csv": "o"})
    (tmp_path / "soft").symlink_to(tmp_path / "in.spacy")
    os.link(tmp_path / "in.spacy", tmp_path / "hard")
    (tmp_path / "soft_inside").symlink_to(tmp_path / "corpus" / "b" / "c.spacy")
    os.link(tmp_path / "corpus" / "b" / "c.spacy", tmp_path / "hard_inside")
    (tmp_path / "folder_link").symlink_to(tmp_path / "corpus")
    return tmp_path


@posix
@pytest.mark.parametrize(
    "output, source, options, code",
    [
        ("in.spacy", "in.spacy", {}, "E380"),
        ("./corpus/../in.spacy", "in.spacy", {}, "E380"),
        ("soft", "in.spacy", {}, "E380"),
        ("in.spacy", "soft", {}, "E380"),
        ("hard", "in.spacy", {}, "E380"),
        ("in.spacy", "hard", {}, "E380"),
        ("corpus/a.spacy", "corpus", {}, "E380"),
        ("soft_inside", "corpus", {}, "E380"),
        ("hard_inside", "corpus", {}, "E380"),
        ("hard_inside", "folder_link", {}, "E380"),
        ("corpus", "corpus", {"folder": True}, "E380"),
        ("folder_link", "corpus", {"folder": True}, "E380"),
        ("corpus", "corpus/b/c.spacy", {"folder": True, "force": True}, "E380"),
        ("corpus/new.spacy", "corpus", {"reads": [".spacy"]}, "E382"),
        ("corpus/new/x.spacy", "folder_link", {"reads": [".spacy"]}, "E382"),
        ("corpus/new", "corpus", {"reads": (), "folder": True}, "E382"),
        ("corpus/new.csv", "corpus", {"reads": [".spacy"]}, None),
        ("corpus_2/new.spacy", "corpus", {"reads": [".spacy"]}, None),
        ("o.csv", "in.spacy", {}, None),
        ("new/far/o.csv", "in.spacy", {}, None),
        ("corpus", "in.spacy", {}, "E383"),
        ("in.spacy", "corpus", {"folder": True}, "E383"),
        ("in.spacy/o.csv", "corpus", {}, "E383"),
        ("in.spacy/far/o", "corpus", {"folder": True}, "E383"),
        ("x" * 300, "corpus", {}, "E383"),
        ("corpus", "in.spacy", {"folder": True, "own": lambda path: False}, "E381"),
        ("corpus", "in.spacy", {"folder": True, "own": lambda path: True}, None),
        ("corpus", "in.spacy", {"folder": True, "own": lambda path: False, "force": True}, None),
        ("o.csv", "no_such_model", {}, None),
    ],
)
def test_outputs_are_checked_before_the_work(sources, monkeypatch, output, source, options, code):
    monkeypatch.chdir(sources)
    before = tree(sources)
    if code is None:
        check_output(output, [source], **options)
    else:
        with pytest.raises(SourceError, match=code):
            check_output(output, [source], **options)
    assert tree(sources) == before


@posix
@pytest.mark.skipif(not Path("/proc/self").exists(), reason="there is no /proc")
@pytest.mark.parametrize("output", ["/proc/out.csv", "/proc/self/new/out.csv"])
def test_folder_where_nothing_can_be_made(output):
    with pytest.raises(SourceError, match="E383"):
        check_output(output)


@posix
@pytest.mark.skipif(is_root, reason="root may write everywhere")
def test_protected_places(tmp_path):
    fill(tmp_path, {"a/out": "x", "b/c": "x"})
    (tmp_path / "a" / "out").chmod(0o444)
    (tmp_path / "b").chmod(0o555)
    for output in ("a/out", "b/new", "b/new/far"):
        with pytest.raises(SourceError, match="E383"):
            check_output(tmp_path / output)


@posix
@pytest.mark.slow
@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_full_disk_leaves_the_old(tmp_path):
    fill(tmp_path, {"out": "old"})
    code = (
        "import sys\nfrom spacy_jere.formats._writing import whole_text\n"
        "with whole_text(sys.argv[1]) as file: file.write('x' * 10**7)"
    )
    limited = f'ulimit -f 1000; trap \'\' XFSZ; exec {sys.executable} -c "$0" "$1"'
    start = time.monotonic()
    run = subprocess.run(
        ["bash", "-c", limited, code, str(tmp_path / "out")], capture_output=True, timeout=60
    )
    assert run.returncode != 0 and time.monotonic() - start < 60
    assert tree(tmp_path) == {"out": "old"}
