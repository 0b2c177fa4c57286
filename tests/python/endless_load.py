# SPDX-License-Identifier: LGPL-2.1-or-later
"""The window of demo/python/heavy_load.py, with a load that is at work until it is cancelled."""

import pathlib
import signal
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / 'demo/python'))
from heavy_load import main  # noqa: E402


def wait():
    while True:
        signal.pause()


if __name__ == '__main__':
    sys.exit(main(load=wait))
