/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * The bytes of a large value in shared memory.
 *
 * Whoever sends them writes them into a memfd, and seals that: nobody can change it any more, nor
 * make it shorter. Whoever receives the descriptor checks the seals and the size, and maps it. So
 * the bytes can be checked once and used for ever, whatever the sender does or whatever becomes of
 * it; and they are copied once, when they are written.
 *
 * They are written by write(), not through a mapping. Each page of a fresh mapping has to be asked
 * for by a fault, and is cleared before it is overwritten: that takes more than twice as long.
 */

#include <gio/gio.h>

G_BEGIN_DECLS

/* Values from this size on go in sealed memory, where descriptors can be passed and nobody has said
 * otherwise, and in slots from that size on, where the worker is trusted. Below them they are as
 * fast in frames, or faster, since those need no fresh memory: architecture.md has the figures. In
 * bytes. */
#define DRAY_PAYLOAD_SEALED_MIN ((gsize) 128 * 1024 * 1024)
#define DRAY_PAYLOAD_SLOT_MIN ((gsize) 256 * 1024)

/* A new memfd of our own, close-on-exec, not one of the standard descriptors. -1 with an error of
 * G_IO_ERROR. */
int dray_payload_create (GError **error);

/* A sealed memfd with these bytes; -1 with an error of G_IO_ERROR: the system has none to give, or
 * no memory. */
int dray_payload_write (const guint8 *data, gsize size, GError **error);

/* The bytes of a memfd that somebody else made, which may be anything; @fd stays the caller's.
 * Errors: DRAY_ERROR_PROTOCOL if it is not sealed, not of that size or not memory; G_IO_ERROR if
 * there is no room for it here. */
GBytes *dray_payload_map (int fd, gsize size, GError **error);

/* Whether @fd is memory whose size won't change any more; with @frozen: nor will its contents.
 * (out) @size: its size in bytes. Error: DRAY_ERROR_PROTOCOL. */
gboolean dray_payload_check (int fd, gboolean frozen, gsize *size, GError **error);

/* Fresh memory that takes nothing before it is touched, and less time to be touched than what
 * malloc() gives, where the system has large pages. NULL: @size is too small for that, or there is
 * no such memory. */
GBytes *dray_payload_reserve (gsize size, gpointer *data);
/* Memory to write @size bytes to, which are to become a payload: like that, or from malloc(). */
GBytes *dray_payload_allocate (gsize size, gpointer *data);

G_END_DECLS
