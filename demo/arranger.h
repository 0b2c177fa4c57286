/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * The arranger: says which files are shown, and in which order. Comparing the names of 100,000
 * files takes longer than a frame, so it has a thread of its own.
 */

#include "file-store.h"

G_BEGIN_DECLS

typedef enum
{
  DEMO_SORT_ARRIVAL, /* in the order in which the files were found */
  DEMO_SORT_NAME,
  DEMO_SORT_FOLDER,
  DEMO_SORT_TYPE,
  DEMO_SORT_SIZE,
  DEMO_SORT_CONTENTS,
  DEMO_N_SORTS
} DemoSort;

/* Whether it depends on more than a file's name. Then files that are not done come last, in either
 * order, as they were found. */
gboolean demo_sort_is_by_facts (DemoSort sort);

/* An arrangement of the first files of a store. */
typedef struct
{
  guint64 serial; /* the number of the request that it answers */
  guint n_files;  /* of so many files … */
  guint n_done;   /* … so many of which were done … */
  guint n_shown;  /* … so many are shown */
  guint32 *shown; /* (owned): their indices */
} DemoArrangement;

void demo_arrangement_free (DemoArrangement *self);

typedef struct _DemoArranger DemoArranger;

/* @arrangement: (transfer full). In the main thread. */
typedef void (*DemoArrangedFunc) (DemoArrangement *arrangement, gpointer user_data);

DemoArranger *demo_arranger_new (DemoArrangedFunc arranged, gpointer user_data);
/* @arranged is not called again. */
void demo_arranger_free (DemoArranger *self);

/* A request takes the place of one that has not been answered. @needle: (nullable): what the path
 * of a file that is shown must contain, regardless of case. Returns the request's number. */
guint64 demo_arranger_request (DemoArranger *self,
                               DemoFileStore *store,
                               guint n_files,
                               guint n_done,
                               DemoSort sort,
                               gboolean descending,
                               const char *needle);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DemoArrangement, demo_arrangement_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DemoArranger, demo_arranger_free)

G_END_DECLS
