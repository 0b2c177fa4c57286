# SPDX-License-Identifier: LGPL-2.1-or-later
"""Plots as SVG, drawn by gnuplot.

All have a logarithmic scale: what is compared here differs by factors. So there are points, not
bars, which would need a zero to stand on.
"""

import math
import subprocess

import arithmetic

WIDTH = 820
COLOURS = ['#1c71d8', '#e66100', '#2ec27e', '#813d9c', '#a51d2d', '#63452c', '#9a9996']
OURS, OTHERS = '#1c71d8', '#77767b'
TIMEOUT = 60

MAX_TICS = 8
MAX_LABELS = 12


def quote(text):
    """A string of gnuplot's."""
    return '"' + str(text).replace('\\', '\\\\').replace('"', '\\"') + '"'


def draw(height, commands):
    """Returns SVG."""
    head = [
        f'set terminal svg size {WIDTH},{height} font "sans-serif,13" background "white"',
        'set encoding utf8',
        'set termoption noenhanced',
        'set border 3 linecolor "#9a9996"',
        'set tics nomirror textcolor "#3d3846"',
        'set grid linecolor "#deddda" linetype 1',
        'unset key',
    ]
    result = subprocess.run(['gnuplot'], input='\n'.join(head + commands) + '\n', text=True,
                            capture_output=True, timeout=TIMEOUT, check=False)
    if result.returncode != 0 or '<svg' not in result.stdout:
        raise arithmetic.Failure(f'gnuplot: {result.stderr}')

    return result.stdout


def surround(values):
    """A range with room around values, some of which may be 0."""
    positive = [value for value in values if value > 0] or [1]
    return min(positive) / 1.6, max(positive) * 3


def choose_tics(low, high):
    """The round numbers that belong on a logarithmic scale."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1, 2, 5), (1,)):
        tics = [step * 10.0 ** decade for decade in decades for step in steps]
        tics = [tic for tic in tics if low <= tic <= high]
        if len(tics) <= MAX_TICS:
            break
    return ', '.join(f'"{tic:.12g}" {tic:.12g}' for tic in tics)


def draw_comparison(summaries, unit):
    """A line for each variant, with its median and, as whiskers, its lowest and highest value.

    summaries: by variant
    """
    low, high = surround([number for summary in summaries.values()
                          for number in (summary.lowest, summary.highest)])
    tics = ', '.join(f'{quote(variant)} {row}' for row, variant in enumerate(summaries))
    commands = [
        'set logscale x',
        f'set xrange [{low:g}:{high:g}]',
        f'set xtics ({choose_tics(low, high)})',
        f'set yrange [{len(summaries) - 0.5}:-0.5]',
        f'set ytics ({tics})',
        f'set xlabel {quote(unit)} textcolor "#3d3846"',
        '$data << END',
    ]
    for row, (variant, summary) in enumerate(summaries.items()):
        median, lowest, highest = (max(number, low) for number in
                                   (summary.median, summary.lowest, summary.highest))
        colour = int((OURS if variant.startswith('dray') else OTHERS)[1:], 16)
        commands.append(f'{row} {median:g} {lowest:g} {highest:g} {colour} '
                        f'{quote(arithmetic.show(summary.median))}')
    commands += [
        'END',
        'plot $data using 2:1:3:4:5 with xerrorbars linecolor rgb variable pointtype 7 '
        'pointsize 0.9 linewidth 2, '
        '"" using 4:1:6 with labels left offset 1,0 textcolor "#3d3846"',
    ]
    return draw(90 + 30 * len(summaries), commands)


def draw_history(series, labels, unit):
    """A line for each variant over the runs.

    series: for each variant its median in each run, None where there is none
    labels: of the runs
    """
    low, high = surround([value for values in series.values() for value in values if value])
    step = math.ceil(len(labels) / MAX_LABELS)
    tics = ', '.join(f'{quote(label)} {i}' for i, label in enumerate(labels) if i % step == 0)
    commands = [
        'set logscale y',
        f'set yrange [{low:g}:{high:g}]',
        f'set ytics ({choose_tics(low, high)})',
        f'set xrange [-0.3:{len(labels) - 0.7}]',
        f'set xtics ({tics}) rotate by -30',
        f'set ylabel {quote(unit)} textcolor "#3d3846"',
        'set key outside right top',
        'set rmargin 32',
    ]
    lines = []
    for number, (variant, values) in enumerate(series.items()):
        commands.append(f'$data{number} << END')
        commands += [f'{i} {value:g}' for i, value in enumerate(values) if value]
        commands.append('END')
        if any(values):
            lines.append(f'$data{number} using 1:2 with linespoints linewidth 2 pointtype 7 '
                         f'pointsize 0.6 linecolor "{COLOURS[number % len(COLOURS)]}" '
                         f'title {quote(variant)}')
    commands.append('plot ' + ', '.join(lines))
    return draw(300, commands)
