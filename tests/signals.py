from __future__ import annotations

import signal


def heeds_ctrl_c() -> None:
    """Before a program of a test starts: a test run in the background was started with SIGINT
    ignored, and would hand that on."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
