"""What the Python programs of this folder are told, and how they say what they found: as place.mjs beside it."""

import json
import pathlib
import sys
import traceback

PLACE = json.loads(pathlib.Path(sys.argv[1]).read_text())

_results = []


def check(name):
    """Runs the decorated function as one check, at once; what it returns takes its place."""

    def run(assertions):
        try:
            result = assertions()
        except Exception as error:  # noqa: BLE001: whatever one check does, the next one still runs
            where = traceback.extract_tb(error.__traceback__)[-1]
            told = f"{type(error).__name__}: {error} ({where.filename}:{where.lineno})"
            print(f"not ok {name}: {told}".replace("\n", " ")[:1500])
            _results.append(False)
            return None
        print(f"ok {name}")
        _results.append(True)
        return result

    return run


def conclude(program):
    """The count, as the last line; the exit status is 0 only if all held."""
    print(f"{program}: {sum(_results)} of {len(_results)}")
    sys.exit(0 if _results and all(_results) else 1)


def refused(kinds, call):
    """Wants one of these errors, and gives it."""
    try:
        result = call()
    except kinds as error:
        return error
    raise AssertionError(f"not refused: {result!r}")
