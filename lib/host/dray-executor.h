/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#if !defined(DRAY_INSIDE) && !defined(DRAY_COMPILATION)
#error "Only <dray.h> can be included directly."
#endif

#include "dray-enums.h"
#include "dray-types.h"

G_BEGIN_DECLS

#define DRAY_TYPE_EXECUTOR (dray_executor_get_type ())
DRAY_API
G_DECLARE_FINAL_TYPE (DrayExecutor, dray_executor, DRAY, EXECUTOR, GObject)

DRAY_API DrayExecutor *dray_executor_new (DrayLauncher *launcher);
DRAY_API DrayLauncher *dray_executor_get_launcher (DrayExecutor *self);

/* Submitting. */
DRAY_API DrayFuture *
dray_executor_call (DrayExecutor *self, const char *function, GVariant *arguments);
DRAY_API DrayFuture *
dray_executor_submit (DrayExecutor *self, DrayTask *task, GCancellable *cancellable);
DRAY_API void dray_executor_submit_async (DrayExecutor *self,
                                          DrayTask *task,
                                          GCancellable *cancellable,
                                          GAsyncReadyCallback callback,
                                          gpointer user_data);
DRAY_API DrayFuture *
dray_executor_submit_finish (DrayExecutor *self, GAsyncResult *result, GError **error);
DRAY_API void dray_executor_call_async (DrayExecutor *self,
                                        const char *function,
                                        GVariant *arguments,
                                        GCancellable *cancellable,
                                        GAsyncReadyCallback callback,
                                        gpointer user_data);
DRAY_API GVariant *
dray_executor_call_finish (DrayExecutor *self, GAsyncResult *result, GError **error);
DRAY_API void dray_executor_run_async (DrayExecutor *self,
                                       DrayTask *task,
                                       GCancellable *cancellable,
                                       GAsyncReadyCallback callback,
                                       gpointer user_data);
DRAY_API GVariant *
dray_executor_run_finish (DrayExecutor *self, GAsyncResult *result, GError **error);

/* Steering. */
DRAY_API void dray_executor_set_paused (DrayExecutor *self, gboolean paused);
DRAY_API gboolean dray_executor_get_paused (DrayExecutor *self);
DRAY_API void dray_executor_set_max_workers (DrayExecutor *self, guint max_workers);
DRAY_API guint dray_executor_get_max_workers (DrayExecutor *self);
DRAY_API void dray_executor_cancel_all (DrayExecutor *self);

/* Looking. */
DRAY_API GListModel *dray_executor_get_futures (DrayExecutor *self);
DRAY_API GListModel *dray_executor_get_workers (DrayExecutor *self);
DRAY_API char *dray_executor_dup_sandbox_shortfall (DrayExecutor *self);
DRAY_API DrayCounters *dray_executor_dup_counters (DrayExecutor *self);

/* Ending. */
DRAY_API gboolean dray_executor_is_shut_down (DrayExecutor *self);
DRAY_API void dray_executor_shutdown_async (DrayExecutor *self,
                                            DrayShutdownMode mode,
                                            GCancellable *cancellable,
                                            GAsyncReadyCallback callback,
                                            gpointer user_data);
DRAY_API gboolean dray_executor_shutdown_finish (DrayExecutor *self,
                                                 GAsyncResult *result,
                                                 GError **error);
DRAY_API gboolean dray_executor_shutdown_sync (DrayExecutor *self,
                                               DrayShutdownMode mode,
                                               GCancellable *cancellable,
                                               GError **error);

G_END_DECLS
