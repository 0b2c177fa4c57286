# SPDX-License-Identifier: LGPL-2.1-or-later

"""Folders for the demo to read."""

import gzip
import io
import os
import pathlib
import struct
import tarfile
import zlib

# What the list says of each file of make_mixed(): its size, or None for one that can't be read, and
# its contents, or why it can't be read.
MIXED = {
    "ascii.txt": ("22 bytes", "3 lines, ASCII"),
    "utf-8.txt": ("18 bytes", "1 line, UTF-8"),
    "utf-16.txt": ("30 bytes", "2 lines, UTF-16LE"),
    "utf-16be.txt": ("30 bytes", "2 lines, UTF-16BE"),
    "latin-1.txt": ("11 bytes", "1 line, ISO-8859-1"),
    "windows.txt": ("14 bytes", "1 line, Windows-1252"),
    "picture.png": (None, "40 × 30"),
    "broken.png": (None, "Not a valid picture"),
    "archive.tar.gz": (None, "3 entries"),
    "broken.zip": (None, "Not a valid archive"),
    "empty": ("0 bytes", ""),
    "dangling": (None, "Broken link"),
    "fifo": (None, "Not a regular file"),
    "invalid-\ufffd.txt": ("2 bytes", "1 line, ASCII"),
    "inner.txt": ("6 bytes", "1 line, ASCII"),
    "link.txt": ("22 bytes", "3 lines, ASCII"),
}
LARGE_SIZE = 32 * 1024 * 1024
FAILED = ("broken.png", "broken.zip", "dangling", "fifo")


def png(width, height):
    """A picture, all blue."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data))
            + kind
            + data
            + struct.pack(">I", zlib.crc32(kind + data))
        )

    rows = (b"\0" + b"\x20\x60\xe0" * width) * height
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def tar_gz(names):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = 4
            archive.addfile(info, io.BytesIO(b"text"))
    return gzip.compress(buffer.getvalue())


def make_mixed(folder):
    """A file of each kind, good ones and bad ones; a folder in it, and links that lead astray."""
    root = pathlib.Path(folder)
    inner = root / "inner"
    inner.mkdir(parents=True)
    (root / "ascii.txt").write_bytes(b"one two\nthree four\nend")
    (root / "utf-8.txt").write_bytes("héllo wörld €\n".encode())
    (root / "utf-16.txt").write_bytes("two\nlines here".encode("utf-16"))
    (root / "utf-16be.txt").write_bytes(b"\xfe\xff" + "two\nlines here".encode("utf-16-be"))
    (root / "latin-1.txt").write_bytes("café crème\n".encode("latin-1"))
    (root / "windows.txt").write_bytes("“quoted” text\n".encode("cp1252"))
    (root / "picture.png").write_bytes(png(40, 30))
    (root / "broken.png").write_bytes(png(400, 300)[:100])
    (root / "archive.tar.gz").write_bytes(tar_gz(["a", "b", "c"]))
    (root / "broken.zip").write_bytes(b"PK\x03\x04 and no more")
    (root / "empty").touch()
    (root / "dangling").symlink_to("nowhere")
    os.mkfifo(root / "fifo")
    with open(os.fsencode(root) + b"/invalid-\xff.txt", "wb") as file:
        file.write(b"x\n")
    (inner / "inner.txt").write_bytes(b"inside")
    (inner / "link.txt").symlink_to("../ascii.txt")
    (inner / "up").symlink_to("..")
    return str(root)


def make_many(folder, n_files, n_large=0):
    """Small texts, a hundred in each folder; before them large files, which hold a reader up for a
    while each, but take no room on the disk."""
    root = pathlib.Path(folder)
    (root / "+large").mkdir(parents=True)
    for i in range(n_large):
        with open(root / "+large" / f"{i:02}", "wb") as file:
            file.truncate(LARGE_SIZE)
    for i in range(n_files - n_large):
        if i % 100 == 0:
            (root / f"{i // 100:04}").mkdir(parents=True)
        (root / f"{i // 100:04}" / f"{i:06}.txt").write_text(f"{i}\n" * (i % 7 + 1))
    return str(root)
