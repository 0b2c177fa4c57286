/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * What a program needs of the file system to be executed: itself, the interpreter of a script, its
 * dynamic linker, and the libraries that it is linked with, where they are in a place of their own
 * and not the system's, as in a build tree.
 *
 * It is found in the files themselves, as the dynamic linker does: names from the program's
 * headers, places from its run path. Nothing is executed for it. What a program loads later, by a
 * name of its own making, is not found. A file that can't be understood has no needs.
 */

#include <glib.h>

G_BEGIN_DECLS

typedef struct
{
  GPtrArray *programs;  /* (owned): paths of what is executed: program, interpreter, linker */
  GPtrArray *libraries; /* (owned): paths of libraries that were found in a run path */
} DrayLinkedFiles;

DrayLinkedFiles *dray_linked_files_new (void);
void dray_linked_files_free (DrayLinkedFiles *self);

/* @path: absolute. */
void dray_linked_files_add_program (DrayLinkedFiles *self, const char *path);
void dray_linked_files_add_library (DrayLinkedFiles *self, const char *path);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DrayLinkedFiles, dray_linked_files_free)

G_END_DECLS
