# SPDX-License-Identifier: LGPL-2.1-or-later
"""The report of a run: one HTML file that needs no other."""

import base64
import html

import arithmetic
import figures
import plots

STYLE = '''
body { color: #241f31; background: white; font: 15px/1.5 sans-serif; max-width: 900px;
       margin: 2em auto; padding: 0 1em; }
h1 { font-size: 1.7em; } h2 { font-size: 1.25em; margin-top: 2em; font-family: monospace; }
table { border-collapse: collapse; margin: 1em 0; }
th, td { padding: .25em .8em; border-bottom: 1px solid #deddda; text-align: left; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
.yes { color: #1b7340; } .no { color: #a51d2d; font-weight: bold; } .almost { color: #9c4a00; }
img { display: block; max-width: 100%; }
.quiet { color: #5e5c64; }
'''


def escape(text):
    return html.escape(str(text))


def cell(text, kind=''):
    return f'<td class="{kind}">{escape(text)}</td>' if kind else f'<td>{escape(text)}</td>'


def number(value):
    return cell(arithmetic.show(value), 'number')


def table(headings, rows):
    head = ''.join(f'<th>{escape(heading)}</th>' for heading in headings)
    body = ''.join(f'<tr>{"".join(row)}</tr>\n' for row in rows)
    return f'<table>\n<tr>{head}</tr>\n{body}</table>\n'


def picture(svg, description):
    """As an image, so that what one drawing defines means nothing in another."""
    data = base64.b64encode(svg.encode('utf-8')).decode('ascii')
    return f'<img alt="{escape(description)}" src="data:image/svg+xml;base64,{data}">\n'


def group(names):
    """The variants of each family, both in the order that they come in."""
    families = {}
    for name in names:
        family, _, variant = name.partition('.')
        families.setdefault(family, []).append(variant)
    return families


def write_goals(verdicts):
    def answer(verdict):
        if not verdict.must_is_met:
            return cell('must not met', 'no')
        if not verdict.aim_is_met:
            return cell('must met, aim not', 'almost')
        return cell('aim met', 'yes')

    sign = {figures.MORE: '≥ ', figures.LESS: '≤ '}
    return table(['figure, or ratio of medians', 'value', 'must', 'aim', ''], [
        [cell(verdict.goal.name), number(verdict.value),
         cell(f'{sign[verdict.goal.better]}{verdict.goal.must:g}', 'number'),
         cell(f'{sign[verdict.goal.better]}{verdict.goal.aim:g}', 'number'),
         answer(verdict)]
        for verdict in verdicts
    ])


def write_history(family, variants, runs, unit):
    """How the figures were in all runs; nothing if there is but one."""
    if len(runs) < 2:
        return ''
    series = {}
    for variant in variants:
        summaries = [run.summaries.get(f'{family}.{variant}') for run in runs]
        series[variant] = [summary.median if summary else None for summary in summaries]
    labels = [f'{run.date.partition(" ")[0]} {run.commit}' for run in runs]
    return picture(plots.draw_history(series, labels, unit), f'{family} in the runs so far')


def write_family(family, variants, run, runs):
    summaries = {variant: run.summaries[f'{family}.{variant}'] for variant in variants}
    unit = next(iter(summaries.values())).unit
    return ''.join([
        f'<h2>{escape(family)}</h2>\n',
        picture(plots.draw_comparison(summaries, unit), f'{family}, by variant'),
        table(['', f'median, {unit}', 'lowest', 'highest', 'rounds'], [
            [cell(variant), number(summary.median), number(summary.lowest),
             number(summary.highest), cell(summary.rounds, 'number')]
            for variant, summary in summaries.items()
        ]),
        write_history(family, variants, runs, unit),
    ])


def write(run, earlier, verdicts):
    """The report of a run, with earlier ones (runs.Run) for comparison."""
    runs = [*earlier, run]
    families = group(run.summaries)
    machine = ' · '.join(f'{what}: {value}' for what, value in run.machine.items())
    quick = ' (quick: fewer rounds of less, so less exact)' if run.how != 'full' else ''

    return ''.join([
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n',
        f'<title>Dray: measurements of {escape(run.date)}</title>\n',
        f'<style>{STYLE}</style>\n</head>\n<body>\n',
        '<h1>Dray: measurements</h1>\n',
        f'<p>{escape(run.date)} UTC, commit {escape(run.commit)}{quick}<br>\n',
        f'<span class="quiet">{escape(machine)}</span></p>\n',
        '<p>What each figure is, and how it is measured, is told in lib/doc/benchmarks.md. '
        'Points are medians, whiskers go from the lowest to the highest round, and all scales are '
        'logarithmic.</p>\n',
        write_goals(verdicts),
        *(write_family(family, variants, run, runs) for family, variants in families.items()),
        '</body>\n</html>\n',
    ])
