/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#if !defined(DRAY_INSIDE) && !defined(DRAY_COMPILATION)
#error "Only <dray.h> can be included directly."
#endif

#include "dray-enums.h"
#include "dray-types.h"

G_BEGIN_DECLS

/**
 * DrayFutureCallback:
 * @future: a future that is done
 * @user_data: the data given with the callback
 *
 * Called once, in the main context that was the thread's default when the task was submitted,
 * after the last item was delivered; in that of the thread which adds it, where the end was
 * delivered before.
 *
 * Since: 0.1
 */
typedef void (*DrayFutureCallback) (DrayFuture *future, gpointer user_data);

/**
 * DRAY_POSITION_NONE:
 *
 * For [method@Future.and_then]: the result is not passed on; its task only comes after.
 *
 * Since: 0.1
 */
#define DRAY_POSITION_NONE (-3)

/**
 * DRAY_POSITION_WHOLE:
 *
 * For [method@Future.and_then]: the result is what the function is called with, in place of the
 * task's arguments; or what a command reads from its standard input.
 *
 * Since: 0.1
 */
#define DRAY_POSITION_WHOLE (-2)

/**
 * DRAY_POSITION_LAST:
 *
 * For [method@Future.and_then]: the result comes after the task's arguments.
 *
 * Since: 0.1
 */
#define DRAY_POSITION_LAST (-1)

#define DRAY_TYPE_FUTURE (dray_future_get_type ())
DRAY_API
G_DECLARE_FINAL_TYPE (DrayFuture, dray_future, DRAY, FUTURE, GObject)

DRAY_API guint64 dray_future_get_id (DrayFuture *self);
DRAY_API DrayTask *dray_future_get_task (DrayFuture *self);
DRAY_API DrayFutureState dray_future_get_state (DrayFuture *self);
DRAY_API gboolean dray_future_is_done (DrayFuture *self);
DRAY_API double dray_future_get_progress (DrayFuture *self);
DRAY_API char *dray_future_dup_status (DrayFuture *self);

DRAY_API gboolean dray_future_set_priority (DrayFuture *self, int priority);
DRAY_API int dray_future_get_priority (DrayFuture *self);

DRAY_API GVariant *dray_future_dup_result (DrayFuture *self, GError **error);
DRAY_API GUnixFDList *dray_future_dup_attachments (DrayFuture *self);
DRAY_API void dray_future_add_done_callback (DrayFuture *self,
                                             DrayFutureCallback callback,
                                             gpointer user_data,
                                             GDestroyNotify destroy);
DRAY_API void dray_future_cancel (DrayFuture *self);

DRAY_API gboolean dray_future_wait (DrayFuture *self,
                                    gint64 timeout,
                                    GCancellable *cancellable,
                                    GError **error);
DRAY_API GVariant *dray_future_wait_result (DrayFuture *self,
                                            gint64 timeout,
                                            GCancellable *cancellable,
                                            GError **error);
DRAY_API void dray_future_result_async (DrayFuture *self,
                                        GCancellable *cancellable,
                                        GAsyncReadyCallback callback,
                                        gpointer user_data);
DRAY_API GVariant *
dray_future_result_finish (DrayFuture *self, GAsyncResult *result, GError **error);

/* Of tasks whose items are pulled. */
DRAY_API void dray_future_next_item_async (DrayFuture *self,
                                           GCancellable *cancellable,
                                           GAsyncReadyCallback callback,
                                           gpointer user_data);
DRAY_API GVariant *
dray_future_next_item_finish (DrayFuture *self, GAsyncResult *result, GError **error);
DRAY_API void dray_future_next_items_async (DrayFuture *self,
                                            guint max,
                                            GCancellable *cancellable,
                                            GAsyncReadyCallback callback,
                                            gpointer user_data);
DRAY_API GPtrArray *
dray_future_next_items_finish (DrayFuture *self, GAsyncResult *result, GError **error);
DRAY_API GVariant *dray_future_wait_next_item (DrayFuture *self,
                                               gint64 timeout,
                                               GCancellable *cancellable,
                                               GError **error);
DRAY_API GPtrArray *dray_future_wait_next_items (
  DrayFuture *self, guint max, gint64 timeout, GCancellable *cancellable, GError **error);
DRAY_API void dray_future_discard_items (DrayFuture *self);

/* Combined ones; and one after another. */
DRAY_API DrayFuture *dray_future_all (DrayFuture *const *futures, gsize n_futures);
DRAY_API DrayFuture *dray_future_all_race (DrayFuture *const *futures, gsize n_futures);
DRAY_API DrayFuture *dray_future_any (DrayFuture *const *futures, gsize n_futures);
DRAY_API DrayFuture *dray_future_first (DrayFuture *const *futures, gsize n_futures);
DRAY_API DrayFuture *
dray_future_and_then (DrayFuture *self, DrayExecutor *executor, DrayTask *task, int position);

G_END_DECLS
