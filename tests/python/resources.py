# SPDX-License-Identifier: LGPL-2.1-or-later
"""What this process has of the system."""

import os


def descriptors():
    """What each open descriptor leads to, sorted. Other threads may open and close some
    meanwhile."""
    names = []
    for descriptor in os.listdir('/proc/self/fd'):
        try:
            names.append(os.readlink(f'/proc/self/fd/{descriptor}'))
        except FileNotFoundError:
            pass  # it has just been closed, as that of the folder itself
    return sorted(names)
