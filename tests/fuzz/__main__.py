"""Run the fuzzers: ``make fuzz ARGS="--inputs 100000 --only scan --engine atheris --seed 7"``."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

#: The values of a valid row.
_RIGHT = ["CREATE", "urn:x", "", "", "", "", "", "NM", "100", "1", "", "", "", "", ""]
_SEEDS = [
    b"CREATE,urn:x,,,,,,NM,100,1,,,,,\n",
    b'UPDATE,,"G, 1",Set,"Na\n""me""",1,,mint,99,0,foil|de,true,"a"b,c\rd,\xc3\xa9\r\n',
    b'\n  \n,,,\n"x"\n',
    b'Name;Set;No.;Price;Qty\nIono;"Paldea; Evolved";185/193;0,35;4\nTotal;;;;4\n',
    b'<worksheet><sheetData><row r="2"><c r="A2" t="str"><v>Qty</v></c><c><v>4.1</v></c></row></sheetData></worksheet>',
    b'DELETE,"urn:\r\n2",,,,,,5" wide,\xc2\x85,\x00,\xff',
]
#: In the format of libFuzzer.
_WORDS = [
    *('\\"', '\\"\\"', '\\",\\"', ",", "|", "\\x0a", "\\x0d", "\\x0d\\x0a", "\\xfe", "\\xff"),
    *("CREATE", "UPDATE", "DELETE", "urn:", "true", "Name", "Price", "sep=", ";", "\\x09", "</c>", "<row>"),
]
#: Number of characters shown of the end of an engine's output when it has found something.
_SHOWN = 40_000
_READING = ("reader", "scan", "validator", "foreign", "converter")
_INSTRUMENTED = ("app.csvfile", "app.imports.foreign")
#: The engines and their targets.
_ENGINES = {"hypothesis": _READING, "atheris": _READING, "schemathesis": ("api",)}


def main() -> int:
    """Run each engine on each target in a separate process. Returns 1 if one has found something."""
    options = argparse.ArgumentParser(prog="make fuzz")
    options.add_argument("--inputs", type=int, default=20_000, help="for each target and engine, the API's roughly")
    options.add_argument("--only", choices=(*_READING, "api"))
    options.add_argument("--engine", choices=_ENGINES)
    options.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    options.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    asked = options.parse_args()
    if asked.here:
        RUNNERS[asked.engine](asked.only, asked.inputs, asked.seed)
        return 0
    print(f"seed {asked.seed}")
    found = False
    for engine in [asked.engine] if asked.engine else _ENGINES:
        if importlib.util.find_spec(engine) is None:
            print(f"{engine}: not installed here")
            continue
        for target in _ENGINES[engine]:
            if asked.only in (None, target):
                found |= not _run(engine, target, asked.inputs, asked.seed)
    return int(found)


def _run(engine: str, target: str, inputs: int, seed: int) -> bool:
    began = time.monotonic()
    command = [sys.executable, "-m", "tests.fuzz", "--here", "--engine", engine, "--only", target]
    ran = subprocess.run([*command, "--inputs", str(inputs), "--seed", str(seed)], capture_output=True, check=False)
    seconds = time.monotonic() - began
    if ran.returncode == 0:
        tally = ran.stdout.decode().strip().splitlines()[-1:] or ["no tally"]
        print(f"{engine} {target}: {tally[0]}, nothing found, {seconds:.0f} s", flush=True)
        return True
    print(f"{engine} {target}: FOUND something after {seconds:.0f} s")
    print((ran.stdout + ran.stderr).decode(errors="replace")[-_SHOWN:], flush=True)
    return False


class _Tally:
    """The number of inputs, and of those that were accepted as files."""

    def __init__(self, target: str) -> None:
        from tests.fuzz import properties

        properties.make_small()
        self.inputs = self.taken = 0
        self._check: Callable[[bytes, list[int]], bool] = {
            "reader": properties.check_reader,
            "scan": properties.check_scan,
            "foreign": properties.check_foreign,
            "validator": lambda data, cuts: properties.check_validator(_rows_of(data), cuts[0]),
            "converter": lambda data, cuts: properties.check_converter(cuts[0], _changes_of(data, properties.WORDS)),
        }[target]

    def check(self, data: bytes) -> None:
        """Check one input: where the file is cut, and the file."""
        self.inputs += 1
        self.taken += self._check(data[2:], [*data[:2].ljust(2, b"\0")])

    def tell(self) -> None:
        print(f"{self.inputs:,} inputs, {self.taken:,} of them right", flush=True)


def _rows_of(data: bytes) -> list[list[str]]:
    """Valid rows except for single values; or, if the first byte says so, arbitrary ones."""
    rows: list[list[str]] = []
    for one in data.split(b"\xfe"):
        parts = one.split(b"\xff")
        if one[:1] == b"*":
            rows.append([_text(part) for part in parts])
            continue
        row = list(_RIGHT)
        for part in parts:
            if part:
                row[part[0] % len(row)] = _text(part[1:])
        rows.append(row)
    return rows


def _changes_of(data: bytes, words: Sequence[str]) -> list[list[tuple[int, str]]]:
    """For each row the columns that have another cell than usual: a word, which a byte stands for, or some text."""
    return [
        [
            (part[0], words[part[1] % len(words)] if len(part) == 2 else _text(part[1:]))
            for part in one.split(b"\xff")
            if part
        ]
        for one in data.split(b"\xfe")
    ]


def _text(value: bytes) -> str:
    # Text that the reader accepts.
    return value.decode(errors="replace").replace("\0", "")


def _run_hypothesis(target: str, inputs: int, seed: int) -> None:
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import seed as seeded
    from hypothesis import strategies as st

    tally = _Tally(target)
    pieces = st.one_of(
        st.sampled_from([*_SEEDS, b'"', b'""', b",", b"\n", b"\r\n", b"\r", b"CREATE", b"\xfe", b"\xff", b"*", b" "]),
        st.text(max_size=6).map(lambda text: text.encode(errors="replace")),
        st.binary(max_size=6),
    )
    cuts = st.binary(min_size=2, max_size=2)
    inputs_of = st.builds(lambda cuts, parts: cuts + b"".join(parts), cuts, st.lists(pieces))

    @seeded(seed)
    @settings(
        max_examples=inputs,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(inputs_of)
    def check(data: bytes) -> None:
        tally.check(data)

    check()
    tally.tell()


def _run_atheris(target: str, inputs: int, seed: int) -> None:
    import atexit

    import atheris

    # The imports of the application's package must not be instrumented.
    importlib.import_module("app")
    for name in [name for name in sys.modules if name.startswith(_INSTRUMENTED)]:
        del sys.modules[name]
    with atheris.instrument_imports(include=[*_INSTRUMENTED]):
        tally = _Tally(target)
    # The fuzzer ends the process.
    atexit.register(tally.tell)
    with tempfile.TemporaryDirectory() as folder:
        words, corpus = Path(folder, "words"), Path(folder, "corpus")
        words.write_text("".join(f'"{word}"\n' for word in _WORDS))
        corpus.mkdir()
        for number, seen in enumerate(_SEEDS):
            Path(corpus, str(number)).write_bytes(b"\x05\x20" + seen)
        Path(corpus, "all").write_bytes(b"\x05\x20" + b"".join(_SEEDS[:3]))
        limits = [f"-atheris_runs={inputs}", f"-seed={seed}", "-max_len=600", "-rss_limit_mb=0", "-verbosity=0"]
        atheris.Setup([sys.argv[0], *limits, f"-dict={words}", f"-artifact_prefix={folder}/", str(corpus)], tally.check)
        atheris.Fuzz()


def _run_schemathesis(_: str, inputs: int, seed: int) -> None:
    from tests.fuzz import api

    print(f"{api.run(inputs, seed)} requests", flush=True)


RUNNERS = {"hypothesis": _run_hypothesis, "atheris": _run_atheris, "schemathesis": _run_schemathesis}

if __name__ == "__main__":
    sys.exit(main())
