"""Checks the documentation: `python3 tests/docs.py [PROGRAM]`, from any folder. Standard library only.

Fails where
- README.md has more than 150 lines,
- a relative link or its anchor points nowhere, in README.md, docs/*.md and the other pages beside it,
- a path into the repository, in inline code, is not there,
- a reason of the code is not in docs/reasons.md, or a reason there is not in the code,
- with PROGRAM, the built `pairgate`: a command of a ```sh block, or in inline code, names a subcommand or
  an option that the program's help does not know.
"""

import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MOST_README_LINES = 150
BESIDE_README = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"]
DECISIONS = ["crates/core/src/decision.rs"]

LINK = re.compile(r"!?\[(?:[^\]\[]|\[[^\]]*\])*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
REFERENCE = re.compile(r"^\s{0,3}\[[^\]]+\]:\s*<?(\S+?)>?(?:\s|$)")
ATTRIBUTE = re.compile(r"<(?:img|a)\b[^>]*?\b(?:src|href)=\"([^\"]+)\"", re.DOTALL)
EXPLICIT_ANCHOR = re.compile(r"<[a-z]+\b[^>]*?\b(?:id|name)=\"([^\"]+)\"")
PATH = re.compile(r"`((?:src|crates|tests|models|benches|examples|docs|firmware-config|fuzz|\.ci)/[\w./*{},-]*)")
REASON = re.compile(r"^\s*\w+ = \d+, (?:Good|Poor|Faulty), \"([a-z0-9_]+)\";", re.MULTILINE)
ARGUMENT = "<>"  # stands among the subcommands of a command that takes arguments too
REASON_ROW = re.compile(r"^\| `([a-z0-9_]+)` \|", re.MULTILINE)


def fenced(text):
    """Each line with its number, and the language of the block that it is in (None outside)."""
    language, fence = None, ""
    for number, line in enumerate(text.splitlines(), 1):
        mark = re.match(r"\s*(`{3,}|~{3,})\s*(\S*)", line)
        if mark and language is None:
            language, fence = mark[2] or "text", mark[1]
        elif mark and mark[1].startswith(fence) and not mark[2]:
            language = None
        else:
            yield number, line, language


def prose(text):
    """The text outside blocks, line by line, inline code blanked out."""
    for number, line, language in fenced(text):
        yield number, line if language is None else ""


def slug(heading):
    """The anchor that a heading gets on GitHub."""
    heading = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
    kept = re.sub(r"[^\w\- ]", "", heading.strip().lower())
    return kept.replace(" ", "-")


@cache
def anchors(page):
    found, seen = set(), {}
    for _, line in prose(page.read_text()):
        heading = re.match(r"#{1,6}\s+(.*?)\s*#*\s*$", line)
        if heading:
            name = slug(heading[1])
            count = seen.get(name, 0)
            seen[name] = count + 1
            found.add(f"{name}-{count}" if count else name)
        found.update(EXPLICIT_ANCHOR.findall(line))
    return found


def links(text):
    # Links in inline code are no links. A paragraph is looked at as a whole: links may span lines.
    lines = [(number, re.sub(r"`[^`]*`", lambda code: "x" * len(code[0]), line)) for number, line in prose(text)]
    for number, line in lines:
        reference = REFERENCE.match(line)
        if reference:
            yield number, reference[1]
    whole = "\n".join(line for _, line in lines)
    for pattern in (LINK, ATTRIBUTE):
        for match in pattern.finditer(whole):
            yield lines[whole.count("\n", 0, match.start())][0], match[1]


def check_links(page):
    for number, target in links(page.read_text()):
        if re.match(r"[a-z][a-z0-9+.-]*:", target, re.IGNORECASE) or target.startswith("//"):
            continue
        path, _, anchor = target.partition("#")
        where = (page.parent / path).resolve() if path else page
        place = f"{page.relative_to(ROOT)}:{number}: {target}"
        if not where.is_relative_to(ROOT):
            yield f"{place}: leads out of the repository"
        elif not where.exists():
            yield f"{place}: there is no such file"
        elif anchor and where.suffix == ".md" and anchor not in anchors(where):
            yield f"{place}: there is no such heading"


def check_paths(page):
    """Paths in inline code; braces and stars stand for several."""
    for number, line, language in fenced(page.read_text()):
        for path in PATH.findall(line) if language is None else []:
            choices = re.search(r"\{([^}]*)\}", path)
            several = choices[1].split(",") if choices else [""]
            for choice in several:
                one = (path.replace(choices[0], choice) if choices else path).replace("NAME", "*")
                if not any(ROOT.glob(one.rstrip("/."))):
                    yield f"{page.relative_to(ROOT)}:{number}: there is no {one}"


def check_length():
    lines = len((ROOT / "README.md").read_text().splitlines())
    if lines > MOST_README_LINES:
        yield f"README.md: {lines} lines, more than {MOST_README_LINES}"


def check_reasons():
    sources = [ROOT / name for name in DECISIONS if (ROOT / name).exists()]
    known = {reason for source in sources for reason in REASON.findall(source.read_text())}
    if not known:
        yield f"no reasons found in {' or '.join(DECISIONS)}"
    page = ROOT / "docs/reasons.md"
    told = set(REASON_ROW.findall(page.read_text())) if page.exists() else set()
    for reason in sorted(known - told):
        yield f"docs/reasons.md: no row for `{reason}`"
    # Rows of other tables on the page begin with other things than a reason's name.
    for reason in sorted(told - known):
        yield f"docs/reasons.md: `{reason}` is no reason of the code"


def shell_lines(text):
    """Lines of ```sh blocks, and pieces of inline code that have a `pairgate` command."""
    for number, line, language in fenced(text):
        if language == "sh":
            yield number, line
        elif language is None:
            for code in re.findall(r"`([^`]+)`", line):
                if re.search(r"\bpairgate [a-z-]", code):
                    yield number, code.replace("\\|", "|").replace("...", "")


def commands(text):
    """The `pairgate` commands of a page: line number and words behind the program's name."""
    number, pending = 0, ""
    for at, line in shell_lines(text):
        number = number if pending else at
        pending += line
        if pending.endswith("\\"):
            pending = pending[:-1] + " "
            continue
        line, pending = pending, ""
        try:
            lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;()<>")
            lexer.whitespace_split = True
            words = list(lexer)
        except ValueError:
            continue  # A quote that goes on in the next line: another program's.
        command = []
        for word in [*words, ";"]:
            if word and set(word) <= set("|&;()"):
                if "pairgate" in command:
                    yield number, command[command.index("pairgate") + 1 :]
                command = []
            else:
                command.append(word)


@cache
def help_of(program, subcommand):
    """Subcommands and options that the help of `program subcommand...` names; None where it fails."""
    ran = subprocess.run([program, *subcommand, "--help"], capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        return None
    # Options stand in the list, not only in an example.
    options = set(re.findall(r"^\s+(?:-\w, )?(--[a-z][a-z0-9-]*)", ran.stdout, re.MULTILINE))
    options |= set(re.findall(r"^\s+(-\w)\b", ran.stdout, re.MULTILINE))
    listed = re.search(r"^Commands:\n((?:\s+.*\n)+?)\n", ran.stdout, re.MULTILINE)
    names = re.findall(r"^  ([a-z-]+)\b", listed[1], re.MULTILINE) if listed else []
    if listed and "\nArguments:\n" in ran.stdout:
        names.append(ARGUMENT)
    return set(names), options


def check_commands(page, program):
    for number, words in commands(page.read_text()):
        fault = fault_of(program, words)
        if fault:
            yield f"{page.relative_to(ROOT)}:{number}: {fault}"


def fault_of(program, words):
    """What the program's help does not know of a command."""
    path = ()
    names, options = help_of(program, path) or (set(), set())
    while names and words and not words[0].startswith("-"):
        if ARGUMENT in names and words[0] not in names:
            break
        path, words = (*path, words[0]), words[1:]
        known = path[-1] in names and help_of(program, path)
        if not known:
            return f"there is no `pairgate {' '.join(path)}`"
        names, options = known
    for word in words:
        option = re.match(r"(--[a-z][a-z0-9-]*|-[a-zA-Z])(?:=|$)", word)
        if option and option[1] not in options:
            return f"`{' '.join(('pairgate', *path))}` has no option {option[1]}"
    return None


def main():
    program = sys.argv[1] if len(sys.argv) > 1 else None
    if program and "/" in program:
        program = str(Path(program).resolve())
    beside = [ROOT / name for name in BESIDE_README if (ROOT / name).exists()]
    pages = [*beside, *sorted((ROOT / "docs").glob("*.md"))]
    faults = [*check_length(), *check_reasons()]
    for page in pages:
        faults += check_links(page)
        faults += check_paths(page) if page.name != "CHANGELOG.md" else []
        if program:
            faults += check_commands(page, program)
    for fault in faults:
        print(fault)
    told = "with commands" if program else "without commands: no program was given"
    print(f"{len(pages)} pages, {told}: {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
