/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "dray-worker.h"

G_BEGIN_DECLS

/* Shared by the files of the worker's object: one has what it is told, the other one runs it. */

/* A function of the user's, of any kind. Reference counted (g_rc_box): it may be replaced while it
 * runs. */
typedef struct
{
  GCallback callback;
  GVariantType *type; /* (owned) (nullable): of the arguments */
  gpointer user_data;
  GDestroyNotify destroy; /* (nullable): of user_data */
} DrayClosure;

void dray_closure_unref (DrayClosure *closure);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DrayClosure, dray_closure_unref)

struct _DrayWorker
{
  GObject parent_instance;

  GHashTable *functions;    /* (owned): name → DrayClosure (owned) */
  DrayClosure *initializer; /* (owned) (nullable) */
  DrayClosure *finalizer;   /* (owned) (nullable) */
  int cancel_signal;        /* 0: none */
  gboolean runs;            /* or did */
};

G_END_DECLS
