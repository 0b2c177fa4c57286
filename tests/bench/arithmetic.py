# SPDX-License-Identifier: LGPL-2.1-or-later
"""From what the programs print to medians, ratios and verdicts."""

import dataclasses
import math
import statistics


class Failure(Exception):
    """A figure could not be measured."""


@dataclasses.dataclass(frozen=True)
class Summary:
    """What came of all rounds of a figure."""

    median: float
    lowest: float
    highest: float
    rounds: int
    unit: str


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What came of a goal."""

    goal: object
    value: float
    must_is_met: bool
    aim_is_met: bool


def parse(output, figure):
    """The value in what a program printed, which must be one line about that figure."""
    lines = output.splitlines()
    if len(lines) != 1:
        raise Failure(f'{figure.name}: one line was expected, not {output!r}')

    words = lines[0].split(' ')
    if len(words) != 3 or words[0] != figure.name or words[2] != figure.unit:
        raise Failure(f'{figure.name}: "{lines[0]}" is not "{figure.name} VALUE {figure.unit}"')
    try:
        value = float(words[1])
    except ValueError:
        raise Failure(f'{figure.name}: "{words[1]}" is no number') from None
    if not math.isfinite(value) or value < 0:
        raise Failure(f'{figure.name}: {value} can\'t be')

    return value


def summarize(values, unit):
    return Summary(statistics.median(values), min(values), max(values), len(values), unit)


def judge(goals, summaries):
    """The verdicts on those goals whose figures were measured. A ratio is one of medians."""
    for goal in goals:
        if goal.left not in summaries or (goal.right and goal.right not in summaries):
            continue
        value = summaries[goal.left].median
        if goal.right:
            below = summaries[goal.right].median
            if below == 0:
                raise Failure(f'{goal.right} is 0')
            value /= below
        yield Verdict(goal, value, goal.is_reached(value, goal.must),
                      goal.is_reached(value, goal.aim))


def show(value):
    """A number as a person likes to read it: four digits that count, none after six before."""
    if value == 0:
        return '0'
    digits = max(0, 3 - math.floor(math.log10(abs(value))))
    return f'{value:.{digits}f}'
