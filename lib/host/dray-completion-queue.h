/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#if !defined(DRAY_INSIDE) && !defined(DRAY_COMPILATION)
#error "Only <dray.h> can be included directly."
#endif

#include "dray-types.h"

G_BEGIN_DECLS

#define DRAY_TYPE_COMPLETION_QUEUE (dray_completion_queue_get_type ())
DRAY_API
G_DECLARE_FINAL_TYPE (DrayCompletionQueue, dray_completion_queue, DRAY, COMPLETION_QUEUE, GObject)

DRAY_API DrayCompletionQueue *dray_completion_queue_new (void);

DRAY_API void dray_completion_queue_add (DrayCompletionQueue *self, DrayFuture *future);
DRAY_API DrayFuture *dray_completion_queue_submit (DrayCompletionQueue *self,
                                                   DrayExecutor *executor,
                                                   DrayTask *task,
                                                   GCancellable *cancellable);
DRAY_API guint dray_completion_queue_get_length (DrayCompletionQueue *self);

DRAY_API DrayFuture *dray_completion_queue_wait_next (DrayCompletionQueue *self,
                                                      gint64 timeout,
                                                      GCancellable *cancellable,
                                                      GError **error);
DRAY_API GPtrArray *dray_completion_queue_wait_next_many (
  DrayCompletionQueue *self, guint max, gint64 timeout, GCancellable *cancellable, GError **error);
DRAY_API void dray_completion_queue_next_async (DrayCompletionQueue *self,
                                                GCancellable *cancellable,
                                                GAsyncReadyCallback callback,
                                                gpointer user_data);
DRAY_API DrayFuture *
dray_completion_queue_next_finish (DrayCompletionQueue *self, GAsyncResult *result, GError **error);
DRAY_API void dray_completion_queue_next_many_async (DrayCompletionQueue *self,
                                                     guint max,
                                                     GCancellable *cancellable,
                                                     GAsyncReadyCallback callback,
                                                     gpointer user_data);
DRAY_API GPtrArray *dray_completion_queue_next_many_finish (DrayCompletionQueue *self,
                                                            GAsyncResult *result,
                                                            GError **error);

G_END_DECLS
