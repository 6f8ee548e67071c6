"""Words that say how English asks and binds, not what about."""

from __future__ import annotations

_ALL = """
a about after all also am an and any are as at be because been before being between both but by
can could did do does doing during each for from further get give had has have having he her here
hers him his how i if in into is it its itself just me more most my name named no nor not of off
on once one only or other our out over own same she should so some such tell than that the their
theirs them then there these they this those through to too two under until up us very was we were
what when where which while who whom whose why will with would you your s t
"""
STOP = frozenset(_ALL.split())
