/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * What a process has: descriptors, threads, children, shared memory, temporary files, and sources
 * of the default main context. It is looked at twice, and the differences are told in words. This
 * is for any program: it knows nothing of the library.
 *
 * The folder for temporary files is the program's own, so that any that was left there is found.
 */

#include <gio/gio.h>

G_BEGIN_DECLS

/* Each table maps a description of a thing to its short name. */
typedef struct
{
  /* set before all else */
  gboolean is_strict; /* GLib's own threads, which it starts when it likes, count as well */

  /* how it was when it was looked at */
  GHashTable *descriptors; /* (owned) */
  GHashTable *threads;     /* (owned) */
  GHashTable *children;    /* (owned): zombies too */
  GHashTable *mappings;    /* (owned): memory that is shared, or could be */
  GHashTable *files;       /* (owned): temporary ones */
  guint first_source;      /* sources from here on were attached later */
} Belongings;

void belongings_look (Belongings *self);
void belongings_clear (Belongings *self);

/* The name of a source which never counts. */
#define BELONGINGS_UNSEEN "unseen"

/* (transfer full) (element-type utf8): what is different now. Things go away a little after the
 * call that lets them go: a joined thread is still listed for a moment, and a child is reaped by
 * another thread. So who asks should do so until there is nothing, or the time is over. */
GPtrArray *belongings_find_differences (Belongings *self);
void belongings_tell (GPtrArray *differences);

/* Finds the state and the parent of a process. @name: (out) (optional) (transfer full).
 * FALSE: there is none */
gboolean belongings_read_process (const char *pid, char *state, int *parent, char **name);

G_END_DECLS
