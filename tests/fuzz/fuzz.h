/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * What the fuzz targets share. A target is one function, which is called with bytes again and again
 * in one process: by libFuzzer, which makes them up, or by replay.c, which reads them from files.
 *
 * The bytes are read as a script: what to do, with what, how it is cut in pieces. Where they are at
 * an end, all that is read is zero. So any bytes are a script, those that libFuzzer has changed in
 * one place mostly do the same before that, and what makes sense (a frame with the right magic, a
 * value that fits its type) needs no luck to be found.
 *
 * A target that finds something wrong aborts: the sanitizers do, critical messages of GLib do, and
 * fuzz_check() does.
 */

#include <glib.h>

G_BEGIN_DECLS

/* What libFuzzer calls. */
int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);
int LLVMFuzzerInitialize (int *argc, char ***argv);

typedef struct
{
  const guint8 *data; /* (unowned) */
  gsize size;         /* what is left */
} FuzzScript;

/* All that is left; what is said to be taken is always there. */
guint8 fuzz_take_byte (FuzzScript *self);
guint fuzz_take_up_to (FuzzScript *self, guint max); /* 0 to max */
gboolean fuzz_take_boolean (FuzzScript *self);
guint64 fuzz_take_number (FuzzScript *self); /* any, small ones more often */
/* A length, of one byte, and so many bytes, or what is left. (unowned) */
const guint8 *fuzz_take_bytes (FuzzScript *self, gsize *size);
/* All that is left. (unowned) */
const guint8 *fuzz_take_rest (FuzzScript *self, gsize *size);

/* (transfer full), not floating: a value, of whatever type the script says. */
GVariant *fuzz_take_value (FuzzScript *self);

void fuzz_fail (const char *file, int line, const char *what) G_GNUC_NORETURN;

#define fuzz_check(condition)                     \
  G_STMT_START                                    \
  {                                               \
    if (!(condition))                             \
      fuzz_fail (__FILE__, __LINE__, #condition); \
  }                                               \
  G_STMT_END

G_END_DECLS
