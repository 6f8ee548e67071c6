"""Someone's Python as a notebook would run it: the last expression is shown."""

from __future__ import annotations

import ast
import importlib
import linecache
import sys
import traceback

NAME = "<code>"
MOST_FRAMES = 8


def run(code: str) -> int:
    """Run the code in a module of its own, in this process; the exit status."""
    sys.argv = [NAME]
    sys.path_importer_cache.clear()
    importlib.invalidate_caches()
    linecache.cache[NAME] = (len(code), None, code.splitlines(keepends=True), NAME)
    try:
        _execute(code)
        status = 0
    except SystemExit as wanted:
        status = _status(wanted)
    except BaseException as error:
        _tell(error)
        status = 1
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            status = status or 1
    return status


def _execute(code: str) -> None:
    tree = ast.parse(code, NAME)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    names = {"__name__": "__main__", "__builtins__": __builtins__}
    exec(compile(tree, NAME, "exec"), names)
    if isinstance(last, ast.Expr):
        value = eval(compile(ast.Expression(last.value), NAME, "eval"), names)
        if value is not None:
            print(repr(value))


def _status(wanted: SystemExit) -> int:
    if wanted.code is None or isinstance(wanted.code, int):
        return (wanted.code or 0) & 255
    print(wanted.code, file=sys.stderr)
    return 1


def _tell(error: BaseException) -> None:
    """The trace of the code's own lines."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename != NAME:
        trace = trace.tb_next
    try:
        lines = traceback.format_exception(type(error), error, trace, -MOST_FRAMES)
    except Exception:
        lines = [f"{type(error).__name__}\n"]
    print("".join(lines), file=sys.stderr, end="")
