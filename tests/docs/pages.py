# SPDX-License-Identifier: LGPL-2.1-or-later
"""The README and the pages in lib/doc, taken apart."""

import re

BLOCK = re.compile(r'^```(\w*)\n(.*?)^```$', re.MULTILINE | re.DOTALL)
HEADING = re.compile(r'^#+ +(.*)$', re.MULTILINE)


class Page:
    def __init__(self, root, path):
        self.path = path
        self.name = str(path.relative_to(root))
        self.text = path.read_text(encoding='utf-8')
        self.blocks = BLOCK.findall(self.text)
        self.prose = BLOCK.sub('', self.text)

    def anchors(self):
        """What the headings are called in links."""
        titles = (title.lower().replace('`', '') for title in HEADING.findall(self.prose))
        return {re.sub(r'[^\w -]', '', title).strip().replace(' ', '-') for title in titles}

    def blocks_in(self, language):
        return [text for name, text in self.blocks if name == language]


def list_pages(root):
    paths = [root / 'README.md', *sorted((root / 'lib/doc').glob('*.md'))]
    return {path: Page(root, path) for path in paths}


def find_example(root, language):
    """The README's example, as it stands there."""
    blocks = Page(root, root / 'README.md').blocks_in(language)
    if len(blocks) != 1:
        raise SystemExit(f'README.md has {len(blocks)} examples in {language}')
    return blocks[0]
