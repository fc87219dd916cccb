"""Fusing: neighbours of one kind become one action."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from augfn.core.actions import Action, Blend, Color, Geometric, Occlusion
from augfn.math.maps import Map


def fuse(actions: list[Action]) -> list[Action]:
    """Neighbours of one kind become one: maps compose to one resample, colour maps multiply, occlusions unite."""
    out: list[Action] = []
    for run in runs(actions):
        if isinstance(run[0], Blend):
            out += [replace(a, branches=tuple(tuple(fuse(list(b))) for b in a.branches)) for a in run]
        elif not isinstance(run[0], Geometric | Color | Occlusion) or (
            isinstance(run[0], Geometric) and all(a.map.gather for a in run)
        ):
            out += run
        else:
            out.append(run[0] if len(run) == 1 else merged(run))
    return out


def merged(run: list[Any]) -> Action:
    first = run[0]
    for second in run[1:]:
        first = first.then(second)
    return first


def runs(actions: list[Action]) -> list[list[Any]]:
    """Maximal runs of neighbours that may become one."""
    out: list[list[Any]] = []
    for a in actions:
        if out and type(out[-1][-1]) is type(a) and all(joins(b, a) for b in out[-1]):
            out[-1].append(a)
        else:
            out.append([a])
    return out


def turns_in_place(m: Map) -> bool:
    """True if it copies, but not from an upright window: quarter turns."""
    return m.exact and not m.axis_aligned


def joins(a: Action, b: Action) -> bool:
    if isinstance(a, Geometric) and isinstance(b, Geometric):
        if a.map.torn or b.map.torn:
            return False
        free, antialiased = a.map.exact or b.map.exact, a.sampling.antialias or b.sampling.antialias
        if antialiased and any(turns_in_place(m) and n.axis_aligned for m, n in ((a.map, b.map), (b.map, a.map))):
            return False  # together they would be no window, which is read better, and to copy costs little
        if antialiased and a.map.exact != b.map.exact and (b if a.map.exact else a).gate is not None:
            return False  # samples that only the copy meets are not averaged over
        return not b.map.flush and (free or a.sampling is b.sampling or a.sampling == b.sampling)
    if isinstance(a, Color) and isinstance(b, Color):
        return a.clip == b.clip == "none" and a.channels == b.channels
    if isinstance(a, Occlusion) and isinstance(b, Occlusion):
        return (a.fill, a.fill_mask) == (b.fill, b.fill_mask)
    return True
