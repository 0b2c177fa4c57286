/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "file-model.h"

G_BEGIN_DECLS

struct _DemoFileModel
{
  GObject parent_instance;

  DemoFileStore *store;                 /* (owned) (nullable) */
  cairo_surface_t *icons[DEMO_N_ICONS]; /* (owned) (nullable) */
  DemoArranger *arranger;               /* (owned) */

  /* What is asked for. */
  DemoSort sort;
  gboolean descending;
  char *needle; /* (owned) (nullable) */

  /* What is shown: the files of an arrangement, or without one all in the order in which they were
   * found. */
  DemoArrangement *arrangement; /* (owned) (nullable) */
  guint n_rows;
  guint n_told; /* rows that the view knows of */
  guint tell_source_id;

  guint64 awaited;         /* the serial of the request that is under way, 0 if none is */
  gboolean awaited_is_new; /* it asked for something else than before */
  gboolean is_different;   /* what was asked for has changed since what is shown was arranged */
  int stamp;
};

void demo_file_model_tree_init (GtkTreeModelIface *iface);
/* FALSE if there is no such row. */
gboolean demo_file_model_set_iter (DemoFileModel *self, GtkTreeIter *iter, guint row);

G_END_DECLS
