#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# With 500 MB the window of heavy_load.py hung in the same way; and drained in time, the result was
# copied through a pipe, and for that in the interface's process. Here it comes in shared memory.
"""A window that has a signal of 500 MB computed in a process, and shows its outline."""

import math
import sys
from array import array

from heavy_load import HEIGHT, WIDTH, GdkPixbuf, Window, _, main

SIZE = 500_000_000  # bytes
PERIOD = 100  # samples of two bytes
BLOCK = 2 * PERIOD * 250  # bytes
PAPER, INK = 0xf0faffff, 0x001377ff


def record():
    """In a worker process. Returns samples of a tone that gets louder and fades, on and on."""
    wave = [math.sin(2 * math.pi * i / PERIOD) for i in range(PERIOD)]
    signal = bytearray(SIZE)
    for start in range(0, SIZE, BLOCK):
        time = start / SIZE
        volume = 32767 * time * abs(math.sin(9 * math.pi * time)) ** 0.5
        samples = array('h', [round(volume * sample) for sample in wave])
        signal[start:start + BLOCK] = samples.tobytes() * (BLOCK // (2 * PERIOD))
    return memoryview(signal)


class Outline(Window):

    title = _('Huge Result')

    def picture_of(self, signal):
        """Looks at one period for each column of pixels, where it lies in the shared memory."""
        picture = GdkPixbuf.Pixbuf.new(GdkPixbuf.Colorspace.RGB, False, 8, WIDTH, HEIGHT)
        picture.fill(PAPER)
        samples = signal.cast('h')
        for x in range(WIDTH):
            start = x * len(samples) // WIDTH
            height = max(samples[start:start + PERIOD]) * HEIGHT // 65536
            picture.new_subpixbuf(x, HEIGHT // 2 - height, 1, 2 * height + 1).fill(INK)
        return picture


if __name__ == '__main__':
    sys.exit(main(Outline, record))
