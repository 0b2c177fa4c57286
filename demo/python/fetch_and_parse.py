#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Pages went from threads to processes through a multiprocessing.Queue. Daemon threads that still
# were blocked in its get() at the end had the pipe closed under them, and printed tracebacks.
"""Fetches pages in threads, which wait for the network, and parses them in processes."""

import argparse
import queue
import sys
import threading
import urllib.request
from html.parser import HTMLParser

import dray

FETCHERS = 8


class Page(HTMLParser):
    """What is of interest of a page."""

    def __init__(self):
        super().__init__()
        self.title = ''
        self.links = []
        self.in_title = False

    def handle_starttag(self, tag, attrs):
        self.in_title = tag == 'title'
        if tag == 'a' and 'href' in dict(attrs):
            self.links.append(dict(attrs)['href'])

    def handle_data(self, data):
        if self.in_title:
            self.title += data.strip()


def parse(text):
    """In a worker process. Returns the title of a page and its links."""
    page = Page()
    page.feed(text.decode(errors='replace'))
    return page.title, page.links


def fetch(urls, pages):
    """In a daemon thread: waits for more in the end, and does not keep the program from ending."""
    while True:
        url = urls.get()
        try:
            with urllib.request.urlopen(url) as response:
                pages.put((url, response.read(), None))
        except (OSError, ValueError) as error:
            pages.put((url, b'', error))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('urls', nargs='+', metavar='URL')
    arguments = parser.parse_args()

    urls, pages, parsing = queue.SimpleQueue(), queue.SimpleQueue(), {}
    for url in arguments.urls:
        urls.put(url)
    for _ in range(FETCHERS):
        threading.Thread(target=fetch, args=(urls, pages), daemon=True).start()
    try:
        with dray.ProcessPoolExecutor() as parsers:
            for _ in arguments.urls:
                url, text, error = pages.get()
                if error is None:
                    parsing[parsers.submit(parse, text)] = url
                else:
                    print(f'{url}: {error}')
            for job in dray.as_completed(parsing):
                title, links = job.result()
                print(f'{parsing[job]}: “{title}”, {len(links)} links')
    except KeyboardInterrupt:
        print('Interrupted.')
        return 130
    return 0


if __name__ == '__main__':
    sys.exit(main())
