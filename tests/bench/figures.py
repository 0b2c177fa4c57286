# SPDX-License-Identifier: LGPL-2.1-or-later
"""All figures, with the sizes and rounds that they are measured with, and what they must reach.

A figure is measured by a program that does it once and prints `name value unit`: dray-bench, or
peers.py for what is Python's, or executors.py for both in Python. What it does is told where it is
done, and in lib/doc/benchmarks.md.
"""

import dataclasses

MIB = 1024 * 1024
GIB = 1024 * MIB

# How often each figure is measured; its value is the median. With --quick, and as a test that
# only shows that everything works.
ROUNDS = {'full': 7, 'quick': 3, 'tiny': 1}

# Of what takes long: large parents have to be filled, and each of their measurements holds several
# anyway; and what memory a long map needs hardly differs.
LONG_ROUNDS = {'full': 5, 'quick': 1, 'tiny': 1}

# Starts differ by a third among themselves, and what is asked is which of two that are alike is the
# faster.
START_ROUNDS = {'full': 31, 'quick': 11, 'tiny': 1}

BENCH = 'dray-bench'
PEERS = 'peers.py'
EXECUTORS = 'executors.py'
MORE, LESS = 'more', 'less'


@dataclasses.dataclass(frozen=True)
class Figure:
    name: str
    unit: str
    better: str       # MORE or LESS
    program: str
    sizes: dict       # how: the options of the program, without their dashes
    rounds: dict = dataclasses.field(default_factory=lambda: ROUNDS)

    @property
    def family(self):
        return self.name.partition('.')[0]

    @property
    def variant(self):
        return self.name.partition('.')[2]

    def arguments(self, how):
        """What the program is to be called with."""
        options = [['--' + option, str(value)] for option, value in self.sizes[how].items()]
        return ['--figure', self.name, *sum(options, [])]


def sizes(option, full, quick, tiny, **others):
    """The sizes of a figure that differ in one option."""
    return {how: {option: value, **others}
            for how, value in (('full', full), ('quick', quick), ('tiny', tiny))}


def tasks(variant, full, quick, program=BENCH):
    return Figure('tasks_per_second.' + variant, 'tasks/s', MORE, program,
                  sizes('count', full, quick, 50, workers=2))


def round_trip(variant, full, quick, program=BENCH):
    return Figure('round_trip_us.' + variant, 'us', LESS, program,
                  sizes('count', full, quick, 10))


def result(variant, program=BENCH):
    return Figure('result_64mib_gib_per_second.' + variant, 'GiB/s', MORE, program, {
        'full': {'count': 16, 'bytes': 64 * MIB},
        'quick': {'count': 6, 'bytes': 64 * MIB},
        'tiny': {'count': 2, 'bytes': 2 * MIB + 5000},
    })


def small_stream(variant):
    return Figure('stream_16b_items_per_second.' + variant, 'items/s', MORE, BENCH,
                  sizes('count', 1_000_000, 200_000, 100))


def large_stream(variant):
    return Figure('stream_64kib_gib_per_second.' + variant, 'GiB/s', MORE, BENCH,
                  sizes('bytes', 2 * GIB, GIB // 2, MIB))


def stall(variant, option, full, quick, tiny):
    return Figure('loop_stall_ms.' + variant, 'ms', LESS, BENCH,
                  sizes(option, full, quick, tiny))


def spawn(family, variant):
    return Figure(f'{family}_ms_parent_3gib.{variant}', 'ms', LESS, BENCH, {
        'full': {'count': 10, 'bytes': 3 * GIB},
        'quick': {'count': 10, 'bytes': 3 * GIB},
        'tiny': {'count': 2, 'bytes': MIB},
    }, LONG_ROUNDS)


def commands(variant):
    return Figure('commands_per_second.' + variant, 'commands/s', MORE, BENCH,
                  sizes('count', 1000, 200, 5, workers=2))


def cold_start(variant):
    return Figure(f'python_cold_start_ms.{variant}', 'ms', LESS, EXECUTORS,
                  sizes('count', 1, 1, 1), START_ROUNDS)


def executor(family, unit, better, full, quick, tiny, **others):
    return [Figure(f'python_{family}.{variant}', unit, better, EXECUTORS,
                   sizes('count', full, quick, tiny, **others)) for variant in ('dray', 'ppe')]


def executor_results(family):
    return [dataclasses.replace(figure, name=f'python_{family}.{figure.variant}')
            for figure in (result('dray', EXECUTORS), result('ppe', EXECUTORS))]


FIGURES = [
    tasks('dray', 300_000, 50_000),
    tasks('dray_map', 1_000_000, 200_000),
    tasks('gtask', 500_000, 100_000),
    tasks('gthreadpool_idle', 1_000_000, 200_000),
    tasks('ppe_submit', 20_000, 4_000, PEERS),
    tasks('pool_imap', 50_000, 10_000, PEERS),
    tasks('pool_imap_chunks_of_64', 500_000, 100_000, PEERS),

    round_trip('dray_async', 20_000, 3_000),
    round_trip('dray_wait', 20_000, 3_000),
    round_trip('pipe_limit', 20_000, 3_000),
    round_trip('pipe_limit_apart', 20_000, 3_000),
    round_trip('ppe', 5_000, 1_000, PEERS),

    result('dray'),
    result('dray_recycled'),
    result('ppe', PEERS),
    result('memfd_limit'),
    result('memfd_mapped_limit'),
    result('pipe_limit'),

    small_stream('dray'),
    small_stream('dray_pulled'),

    large_stream('dray'),
    large_stream('dray_pulled'),
    large_stream('pipe_limit'),

    stall('dray_results', 'count', 1_000_000, 100_000, 50),
    stall('dray_stream', 'bytes', 4 * GIB, GIB, MIB),
    stall('idle_add', 'count', 1_000_000, 100_000, 50),
    stall('nothing', 'count', 1000, 300, 5),

    spawn('spawn', 'dray'),
    spawn('spawn', 'gsubprocess'),
    spawn('spawn_stall', 'dray'),
    spawn('spawn_stall', 'gsubprocess'),
    spawn('spawn_stall', 'nothing'),

    Figure('host_end_ms.dray', 'ms', LESS, BENCH, sizes('count', 10, 3, 1), LONG_ROUNDS),

    Figure('map_rss_growth_mib.dray', 'MiB', LESS, BENCH,
           sizes('count', 10_000_000, 2_000_000, 50, workers=2), LONG_ROUNDS),

    commands('dray'),
    commands('gsubprocess_async'),
    commands('xargs'),

    *executor('tasks_per_second', 'tasks/s', MORE, 20_000, 4_000, 50, workers=2),
    *executor('round_trip_us', 'us', LESS, 5_000, 1_000, 10),
    *executor('map_chunked', 'calls/s', MORE, 1_000_000, 200_000, 200, workers=2),
    *executor_results('result_64mib'),
    *executor_results('result_64mib_numpy'),
    cold_start('dray'),
    cold_start('spawn'),
]


@dataclasses.dataclass(frozen=True)
class Goal:
    """What a figure, or the ratio of two, must reach, and what it should."""

    left: str
    right: str        # or None, where the figure itself is meant
    better: str       # MORE: at least so much; LESS: at most
    must: float
    aim: float

    @property
    def name(self):
        return f'{self.left}/{self.right}' if self.right else self.left

    def is_reached(self, value, wanted):
        return value >= wanted if self.better == MORE else value <= wanted


TASKS = 'tasks_per_second.'
TRIP = 'round_trip_us.'
RESULT = 'result_64mib_gib_per_second.'
PYTHON = 'python_'
STREAM = 'stream_64kib_gib_per_second.'

GOALS = [
    Goal(TASKS + 'dray', TASKS + 'gtask', MORE, 0.5, 1.0),
    Goal(TASKS + 'dray', TASKS + 'ppe_submit', MORE, 20, 40),
    Goal(TASKS + 'dray_map', TASKS + 'pool_imap', MORE, 10, 20),
    Goal(TRIP + 'dray_async', TRIP + 'pipe_limit_apart', LESS, 1.5, 1.2),
    Goal(TRIP + 'dray_wait', TRIP + 'pipe_limit_apart', LESS, 1.5, 1.2),
    Goal(RESULT + 'dray', RESULT + 'memfd_limit', MORE, 0.85, 0.95),
    Goal(RESULT + 'dray', RESULT + 'ppe', MORE, 3, 4),
    Goal(RESULT + 'dray_recycled', RESULT + 'memfd_limit', MORE, 5, 20),
    Goal(STREAM + 'dray', STREAM + 'pipe_limit', MORE, 0.7, 0.9),
    Goal('stream_16b_items_per_second.dray', TASKS + 'gthreadpool_idle', MORE, 1, 3),
    Goal('loop_stall_ms.dray_results', None, LESS, 12, 6),
    Goal('loop_stall_ms.dray_stream', None, LESS, 12, 6),
    Goal('spawn_ms_parent_3gib.dray', None, LESS, 5, 2),
    Goal('spawn_stall_ms_parent_3gib.dray', None, LESS, 12, 6),
    Goal('host_end_ms.dray', None, LESS, 2000, 1200),
    Goal('map_rss_growth_mib.dray', None, LESS, 32, 8),
    Goal(PYTHON + 'tasks_per_second.dray', PYTHON + 'tasks_per_second.ppe', MORE, 1, 2),
    Goal(PYTHON + 'round_trip_us.dray', PYTHON + 'round_trip_us.ppe', LESS, 0.8, 0.5),
    Goal(PYTHON + 'map_chunked.dray', PYTHON + 'map_chunked.ppe', MORE, 1, 1),
    Goal(PYTHON + 'result_64mib.dray', PYTHON + 'result_64mib.ppe', MORE, 4, 4),
    Goal(PYTHON + 'result_64mib_numpy.dray', PYTHON + 'result_64mib_numpy.ppe', MORE, 4, 20),
    Goal(PYTHON + 'cold_start_ms.dray', PYTHON + 'cold_start_ms.spawn', LESS, 1, 1),
    Goal('commands_per_second.dray', 'commands_per_second.xargs', MORE, 0.9, 1.2),
]
