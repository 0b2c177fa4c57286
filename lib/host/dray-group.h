/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#if !defined(DRAY_INSIDE) && !defined(DRAY_COMPILATION)
#error "Only <dray.h> can be included directly."
#endif

#include "dray-types.h"

G_BEGIN_DECLS

#define DRAY_TYPE_GROUP (dray_group_get_type ())
DRAY_API
G_DECLARE_FINAL_TYPE (DrayGroup, dray_group, DRAY, GROUP, GObject)

DRAY_API DrayGroup *dray_group_new (void);

DRAY_API void dray_group_add (DrayGroup *self, DrayFuture *future);
DRAY_API DrayFuture *dray_group_submit (DrayGroup *self,
                                        DrayExecutor *executor,
                                        DrayTask *task,
                                        GCancellable *cancellable);
DRAY_API void dray_group_cancel (DrayGroup *self);

DRAY_API gboolean dray_group_is_cancelled (DrayGroup *self);
DRAY_API guint dray_group_get_n_unfinished (DrayGroup *self);
DRAY_API gboolean dray_group_check (DrayGroup *self, GError **error);

DRAY_API gboolean dray_group_wait (DrayGroup *self,
                                   gint64 timeout,
                                   GCancellable *cancellable,
                                   GError **error);
DRAY_API gboolean dray_group_join_sync (DrayGroup *self,
                                        gint64 timeout,
                                        GCancellable *cancellable,
                                        GError **error);
DRAY_API void dray_group_join_async (DrayGroup *self,
                                     GCancellable *cancellable,
                                     GAsyncReadyCallback callback,
                                     gpointer user_data);
DRAY_API gboolean dray_group_join_finish (DrayGroup *self, GAsyncResult *result, GError **error);

G_END_DECLS
