/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#if !defined(DRAY_INSIDE) && !defined(DRAY_COMPILATION)
#error "Only <dray.h> can be included directly."
#endif

#include "dray-types.h"

#include "dray-outcome.h"

G_BEGIN_DECLS

/**
 * DrayMapGenerator:
 * @user_data: the data given with the generator
 *
 * Gives the arguments of one more call. It is asked only when there is room for them, so it need
 * not come to an end.
 *
 * Returns: (transfer full) (nullable): the arguments; a floating value is taken. %NULL if there are
 *   no more: then it is not asked again.
 *
 * Since: 0.1
 */
typedef GVariant *(*DrayMapGenerator) (gpointer user_data);

/**
 * DrayMapItemFunction:
 * @item: (type GObject): an item of the list
 * @user_data: the data given with the function
 *
 * Turns an item of a list into the arguments of a call.
 *
 * Returns: (transfer full) (nullable): the arguments; a floating value is taken. %NULL ends the map
 *   before this item.
 *
 * Since: 0.1
 */
typedef GVariant *(*DrayMapItemFunction) (gpointer item, gpointer user_data);

/**
 * DrayMapFunction:
 * @map: the map
 * @outcome: what became of a call; the library's, so that who keeps it needs a reference
 * @user_data: the data given with the function
 *
 * Takes the outcome of one call.
 *
 * Since: 0.1
 */
typedef void (*DrayMapFunction) (DrayMap *map, DrayOutcome *outcome, gpointer user_data);

#define DRAY_TYPE_MAP (dray_map_get_type ())
DRAY_API
G_DECLARE_FINAL_TYPE (DrayMap, dray_map, DRAY, MAP, GObject)

/* Making. */
DRAY_API DrayMap *dray_executor_map (DrayExecutor *executor,
                                     const char *function,
                                     DrayMapGenerator generator,
                                     gpointer user_data,
                                     GDestroyNotify destroy);
DRAY_API DrayMap *dray_executor_map_values (DrayExecutor *executor,
                                            const char *function,
                                            GVariant **values,
                                            gsize n_values);
DRAY_API DrayMap *dray_executor_map_model (DrayExecutor *executor,
                                           const char *function,
                                           GListModel *model,
                                           DrayMapItemFunction to_arguments,
                                           gpointer user_data,
                                           GDestroyNotify destroy);

/* Before the first outcome is asked for. */
DRAY_API DrayTask *dray_map_get_task (DrayMap *self);
DRAY_API void dray_map_set_ordered (DrayMap *self, gboolean ordered);
DRAY_API gboolean dray_map_get_ordered (DrayMap *self);
DRAY_API void dray_map_set_max_in_flight (DrayMap *self, guint max_in_flight);
DRAY_API guint dray_map_get_max_in_flight (DrayMap *self);

/* Taking outcomes. */
DRAY_API void dray_map_for_each_async (DrayMap *self,
                                       DrayMapFunction function,
                                       gpointer function_data,
                                       GDestroyNotify function_destroy,
                                       GCancellable *cancellable,
                                       GAsyncReadyCallback callback,
                                       gpointer user_data);
DRAY_API gboolean dray_map_for_each_finish (DrayMap *self,
                                            GAsyncResult *result,
                                            guint64 *n_outcomes,
                                            GError **error);
DRAY_API void dray_map_next_async (DrayMap *self,
                                   GCancellable *cancellable,
                                   GAsyncReadyCallback callback,
                                   gpointer user_data);
DRAY_API DrayOutcome *dray_map_next_finish (DrayMap *self, GAsyncResult *result, GError **error);
DRAY_API void dray_map_next_many_async (DrayMap *self,
                                        guint max,
                                        GCancellable *cancellable,
                                        GAsyncReadyCallback callback,
                                        gpointer user_data);
DRAY_API GPtrArray *dray_map_next_many_finish (DrayMap *self, GAsyncResult *result, GError **error);
DRAY_API DrayOutcome *
dray_map_wait_next (DrayMap *self, gint64 timeout, GCancellable *cancellable, GError **error);
DRAY_API GPtrArray *dray_map_wait_next_many (
  DrayMap *self, guint max, gint64 timeout, GCancellable *cancellable, GError **error);

/* Ending. */
DRAY_API void dray_map_cancel (DrayMap *self);
DRAY_API gboolean dray_map_is_over (DrayMap *self);

G_END_DECLS
