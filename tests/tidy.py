#!/usr/bin/env python3
"""Checks the style that a compiler cannot: layers, sizes, banned words, headers, READMEs.

    tests/tidy.py               check every file that git knows or would add
    tests/tidy.py --self-test   check the rules themselves on small samples
    tests/tidy.py --shrink      lower the entries of tests/tidy_ratchet.json to today's sizes

A size over its limit fails unless tests/tidy_ratchet.json lists it with at least that size. The
list is for code that was there before its rule; an entry may shrink or go, never grow.
"""
import fnmatch
import json
import re
import subprocess
import sys
import unittest
from pathlib import Path
from typing import Iterator, NamedTuple

sys.dont_write_bytecode = True
ROOT = Path(__file__).resolve().parent.parent
RATCHET = ROOT / "tests/tidy_ratchet.json"

FILE_LINES_MAX = 500
TEST_FILE_LINES_MAX = 800
HEADER_LINES_MAX = 200
CONFIG_HEADER_LINES_MAX = 300  # conf/config*.hpp are tables: one struct per key of the site file
LINE_COLUMNS_MAX = 100
FUNCTION_LINES_MAX = 70
TEST_CASE_LINES_MAX = 150  # most of a long one is its table
VIRTUALS_MAX = 6
README_LINES_MAX = 40

# Who may include whom. "root" is src/*.cpp, which puts everything together. conf/config*.hpp
# are plain data and may be included from everything above src/net.
LAYERS = {
    "base": {"base"},
    "net": {"base", "net"},
    "http": {"base", "net", "http"},
    "proxy": {"base", "net", "http", "proxy"},
    "hub": {"base", "net", "http", "hub"},
    "acme": {"base", "net", "http", "acme"},
    "conf": {"base", "conf"},
    "root": {"base", "net", "http", "proxy", "hub", "acme", "conf", "root"},
}
CONFIG_READERS = {"http", "proxy", "hub", "acme"}
DATA_PLANE = {"net", "http", "proxy", "hub"}

# A library is included only by the files that wrap it (and by tests).
LIBRARIES = [
    ("OpenSSL", r"openssl/", r"src/net/(tls_|crypto|certificate_store)|acme/"),
    ("nghttp2", r"nghttp2/", r"src/http/h2_"),
    ("yaml-cpp", r"yaml-cpp/", r"conf/load"),
    ("libcurl", r"curl/", r"acme/|hub/webhook"),
    ("libldns", r"ldns/", r"acme/dns_"),
    ("Boost.Asio", r"boost/asio", r"src/[^/]+$"),
    ("Boost.Beast", r"boost/beast", r"src/metrics_server"),
    ("CLI11", r"CLI/", r"src/[^/]+$"),
    ("zlib, zstd, brotli", r"(zlib|zstd)\.h|brotli/", r"proxy/encoders|src/base/log_roll"),
    ("RE2", r"re2/", r"src/base/regexp"),
    ("libcrypt, libargon2", r"crypt\.h|argon2\.h", r"proxy/password_hash"),
    ("Boost.JSON", r"boost/json", r"(hub|conf|acme)/|src/[^/]+$"),
]
BANNED = re.compile(r"\b(any_io_executor|shared_from_this|throw|steady_timer|awaitable_operators"
                    r"|async_read_until|get_config)\b|std::function\b")
# Constructors that run before a worker serves anything may report by exception.
THROWS_AT_START = {"src/net/loop.cpp"}
UNFINISHED = re.compile(r"\b(" + "TO" + r"DO|FIX" + r"ME|X" + r"XX)\b(?!\(#\d+\))")
SLEEPS = re.compile(r"\b(sleep_for|sleep_until|usleep|nanosleep)\b|::sleep\(")
README_FOLDERS = ["src", "src/base", "src/net", "src/http", "proxy", "hub", "acme", "conf",
                  "docs", "packaging", "tests", "tests/e2e"]
TABLE_FOLDERS = ["src", "src/base", "src/net", "src/http", "proxy", "hub", "acme", "conf"]
CODE_SUFFIXES = {".cpp", ".hpp", ".py", ".sh", ".mjs", ".php"}
TEXT_SUFFIXES = CODE_SUFFIXES | {".md", ".yaml", ".yml", ".txt", ".cmake", ".html", ".service"}


class Finding(NamedTuple):
    rule: str
    path: str
    line: int
    text: str
    size: int = 0  # of what is too large; 0 = not a matter of size
    name: str = ""  # of the function or class, so that the ratchet survives moved lines

    @property
    def key(self) -> str:
        return f"{self.path}:{self.name}" if self.name else self.path


class Source:
    """A file and, for C++, the same text without comments, strings and directives."""

    def __init__(self, path: str, text: str):
        self.path = path
        self.suffix = Path(path).suffix
        self.text = text
        self.lines = text.split("\n")
        self.is_cpp = self.suffix in {".cpp", ".hpp"}
        self.is_test = path.startswith("tests/")
        self.code = strip_cpp(text) if self.is_cpp else ""
        self.box = box_of(path)

    def line_of(self, offset: int) -> int:
        return self.text.count("\n", 0, offset) + 1


def box_of(path: str) -> str:
    parts = path.split("/")
    if parts[0] == "src":
        return parts[1] if len(parts) > 2 else "root"
    return parts[0] if len(parts) > 1 else ""


NOT_CODE = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"(?P<mark>[^(\s"]*)\(.*?\)(?P=mark)"'
    r"|\"(?:\\.|[^\"\\\n])*\"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'"
    r"|^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", re.S | re.M)


def strip_cpp(text: str) -> str:
    """Blanks comments, literals and directives; offsets and line breaks stay."""
    return NOT_CODE.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)


# --- rules: each yields findings for one file ------------------------------------------------


def is_config_header(path: str) -> bool:
    return re.fullmatch(r"conf/config(_\w+)?\.hpp", path) is not None


def check_layers(source: Source) -> Iterator[Finding]:
    if source.box not in LAYERS or not source.is_cpp:
        return
    for match in re.finditer(r'^#include "([^"]+)"', source.text, re.M):
        target = match.group(1)
        box = target.split("/")[0] if "/" in target else "root"
        allowed = box in LAYERS[source.box] or (
            is_config_header(target) and source.box in CONFIG_READERS)
        if is_config_header(source.path):
            allowed = is_config_header(target)
        if not allowed:
            yield Finding("layer", source.path, source.line_of(match.start()),
                          f'{source.box} may not include "{target}"')


def check_libraries(source: Source) -> Iterator[Finding]:
    if not source.is_cpp or source.is_test:
        return
    for match in re.finditer(r"^#include <([^>]+)>", source.text, re.M):
        for name, prefix, allowed in LIBRARIES:
            if re.match(prefix, match.group(1)) and not re.match(allowed, source.path):
                yield Finding("library", source.path, source.line_of(match.start()),
                              f"{name} is not included here; use what wraps it")


def check_banned_words(source: Source) -> Iterator[Finding]:
    if source.is_cpp and source.box in DATA_PLANE:
        for match in BANNED.finditer(source.code):
            if match.group() == "throw" and source.path in THROWS_AT_START:
                continue
            yield Finding("banned", source.path, source.line_of(match.start()),
                          f"`{match.group()}` is banned in the data plane")


def check_file_size(source: Source) -> Iterator[Finding]:
    if source.suffix not in CODE_SUFFIXES:
        return
    limit = TEST_FILE_LINES_MAX if source.is_test else FILE_LINES_MAX
    if source.suffix == ".hpp" and not source.is_test:
        is_config = is_config_header(source.path)
        limit = CONFIG_HEADER_LINES_MAX if is_config else HEADER_LINES_MAX
    lines = source.text.count("\n")
    if lines > limit:
        yield Finding("file_lines", source.path, 1, f"{lines} lines, the limit is {limit}", lines)
    wide = [n for n, line in enumerate(source.lines, 1) if len(line) > LINE_COLUMNS_MAX]
    if wide:
        yield Finding("wide_lines", source.path, wide[0],
                      f"{len(wide)} lines over {LINE_COLUMNS_MAX} columns", len(wide))


TYPE_WORDS = re.compile(r"^(?:template\b.*?>\s*)?(?:inline\s+)?(namespace|class|struct|union|enum"
                        r"|extern)\b", re.S)


def functions_of(source: Source) -> Iterator[tuple[str, int, int]]:
    """Yields (name, first line, last line) of every function body outside other functions."""
    depth_in_function = 0
    start = 0  # of the statement that may open a function
    first_line, name = 0, ""
    for match in re.finditer(r"[{};]", source.code):
        mark, at = match.group(), match.start()
        if depth_in_function:
            depth_in_function += {"{": 1, "}": -1, ";": 0}[mark]
            if depth_in_function == 0:
                yield name, first_line, source.line_of(at)
                start = at + 1
            continue
        head = source.code[start:at]
        if mark == "{":
            statement = re.sub(r"^\s*(?:(?:public|private|protected)\s*:\s*)*", "", head)
            called = re.search(r"([\w~:]+(?:\s*operator\s*\S+?)?)\s*\(", statement)
            if called and not TYPE_WORDS.match(statement) and "= " not in statement.split("(")[0]:
                depth_in_function, name = 1, called.group(1)
                first_line = source.line_of(start + len(head) - len(statement))
                if name == "TEST_CASE":
                    name = test_name_at(source, first_line)
        start = at + 1


def test_name_at(source: Source, line: int) -> str:
    return "".join(re.findall(r'TEST_CASE\("([^"]*)', source.lines[line - 1]))


def check_function_size(source: Source) -> Iterator[Finding]:
    if not source.is_cpp:
        return
    for name, first, last in functions_of(source):
        size = last - first + 1
        is_case = source.lines[first - 1].startswith("TEST_CASE(")
        limit = TEST_CASE_LINES_MAX if is_case else FUNCTION_LINES_MAX
        if size > limit:
            yield Finding("function_lines", source.path, first,
                          f"{name} has {size} lines, the limit is {limit}", size, name)


def check_virtuals(source: Source) -> Iterator[Finding]:
    for block in re.split(r"\n(?:class|struct) ", source.code)[1:]:
        count = len(re.findall(r"\bvirtual\b(?!\s*~)", block))
        if count > VIRTUALS_MAX:
            name = re.split(r"\W", block, maxsplit=1)[0]
            yield Finding("virtuals", source.path, 1,
                          f"{name} has {count} virtual functions, the limit is {VIRTUALS_MAX}",
                          count, name)


def check_header(source: Source) -> Iterator[Finding]:
    if source.suffix != ".hpp":
        return
    if not source.text.startswith("// "):
        yield Finding("header", source.path, 1, "open with a comment: purpose, thread, owner")
    if not re.search(r"^#pragma once$", source.text, re.M):
        yield Finding("header", source.path, 1, "#pragma once is missing")
    match = re.search(r"\busing\s+namespace\b", source.code)
    if match:
        yield Finding("header", source.path, source.line_of(match.start()),
                      "no `using namespace` in a header")


def check_own_header_first(source: Source) -> Iterator[Finding]:
    first = re.search(r'^#include ["<]([^">]+)', source.text, re.M)
    own = Path(source.path).with_suffix(".hpp")
    if source.suffix != ".cpp" or source.is_test or not first or not (ROOT / own).exists():
        return
    if Path(first.group(1)).name != own.name:
        yield Finding("own_header", source.path, source.line_of(first.start()),
                      f"include {own.name} first")


def check_words(source: Source) -> Iterator[Finding]:
    for match in UNFINISHED.finditer(source.text) if source.suffix in CODE_SUFFIXES else ():
        yield Finding("unfinished", source.path, source.line_of(match.start()),
                      f"a bare {match.group()}: name an issue, as in {match.group()}(#12)")
    if source.is_cpp and source.path.startswith(("tests/unit/", "tests/sim/")):
        for match in SLEEPS.finditer(source.code):
            yield Finding("sleep", source.path, source.line_of(match.start()),
                          "tests own their clock and never sleep")
        for match in re.finditer(r'TEST_CASE\(\s*"(?![\w./ -]+: )', source.text):
            yield Finding("test_name", source.path, source.line_of(match.start()),
                          'name a case "file: what holds"')


def check_whitespace(source: Source) -> Iterator[Finding]:
    if source.suffix not in TEXT_SUFFIXES:
        return
    for number, line in enumerate(source.lines, 1):
        if line != line.rstrip() or ("\t" in line and source.suffix != ".php"):
            yield Finding("whitespace", source.path, number, "trailing space or a tab")
    if source.text and (not source.text.endswith("\n") or source.text.endswith("\n\n")):
        yield Finding("whitespace", source.path, len(source.lines), "end with one line break")


def check_lock_file(source: Source) -> Iterator[Finding]:
    if Path(source.path).name == "package-lock.json" and '"resolved"' in source.text:
        yield Finding("lock_file", source.path, 1, "a lock file names no addresses (see .npmrc)")


RULES = [check_layers, check_libraries, check_banned_words, check_file_size, check_function_size,
         check_virtuals, check_header, check_own_header_first, check_words, check_whitespace,
         check_lock_file]


def check_readmes(paths: list[str]) -> Iterator[Finding]:
    for folder in README_FOLDERS:
        path = f"{folder}/README.md"
        members = [p for p in paths if str(Path(p).parent) == folder]
        if not members:
            continue
        if path not in members:
            yield Finding("readme", path, 1, "every folder says what it is")
            continue
        text = (ROOT / path).read_text()
        if text.count("\n") > README_LINES_MAX:
            yield Finding("readme", path, 1, f"over {README_LINES_MAX} lines")
        stems = sorted({Path(p).stem for p in members if p.endswith((".cpp", ".hpp"))})
        patterns = re.findall(r"[\w*]*\w\*", text)  # one row may stand for all of `schema_*`
        for stem in stems if folder in TABLE_FOLDERS else ():
            named = re.search(rf"\b{stem}\b", text)
            if not named and not any(fnmatch.fnmatchcase(stem, p) for p in patterns):
                yield Finding("readme", path, 1, f"the file table does not name {stem}")


# --- running ---------------------------------------------------------------------------------


def listed_files() -> list[str]:
    command = ["git", "-C", str(ROOT), "ls-files", "-co", "--exclude-standard", "-z"]
    listing = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return sorted({p for p in listing.split("\0") if p and (ROOT / p).is_file()})


def is_checked(path: str) -> bool:
    suffix = Path(path).suffix
    if path.startswith("build") or "/corpus/" in path or "/golden/" in path:
        return False
    return suffix in TEXT_SUFFIXES or path.endswith("-lock.json")


def check_tree() -> list[Finding]:
    paths = listed_files()
    findings = list(check_readmes(paths))
    for path in filter(is_checked, paths):
        source = Source(path, (ROOT / path).read_text(errors="replace"))
        for rule in RULES:
            findings.extend(rule(source))
    return findings


def apply_ratchet(findings: list[Finding], ratchet: dict) -> tuple[list[str], dict]:
    """Returns what to complain about and the ratchet that today's sizes allow."""
    problems, shrunk = [], {}
    for finding in findings:
        allowed = ratchet.get(finding.rule, {}).get(finding.key, 0)
        if finding.size and allowed:
            shrunk.setdefault(finding.rule, {})[finding.key] = min(finding.size, allowed)
        if not finding.size or finding.size > allowed:
            problems.append(f"{finding.path}:{finding.line}: {finding.rule}: {finding.text}")
    if not problems and shrunk != ratchet:
        problems.append("tests/tidy_ratchet.json: lists what has shrunk: tests/tidy.py --shrink")
    return problems, shrunk


def main() -> int:
    if "--self-test" in sys.argv:
        sys.argv.remove("--self-test")
        sys.path.insert(0, str(ROOT / "tests"))
        return 0 if unittest.main(module="tidy_test", exit=False).result.wasSuccessful() else 1
    ratchet = json.loads(RATCHET.read_text()) if RATCHET.exists() else {}
    problems, shrunk = apply_ratchet(check_tree(), ratchet)
    if "--shrink" in sys.argv:
        RATCHET.write_text(json.dumps(shrunk, indent=2, sort_keys=True) + "\n")
        return 0
    for problem in problems:
        print(problem)
    print(f"tidy: {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
