/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#if !defined(DRAY_INSIDE) && !defined(DRAY_COMPILATION)
#error "Only <dray.h> can be included directly."
#endif

#include "dray-enums.h"
#include "dray-types.h"

G_BEGIN_DECLS

#define DRAY_TYPE_TASK (dray_task_get_type ())
DRAY_API GType dray_task_get_type (void) G_GNUC_CONST;

DRAY_API DrayTask *dray_task_new_call (const char *function, GVariant *arguments);
DRAY_API DrayTask *dray_task_new_command (const char *const *argv);

DRAY_API DrayTask *dray_task_ref (DrayTask *self);
DRAY_API void dray_task_unref (DrayTask *self);

DRAY_API DrayTaskKind dray_task_get_kind (DrayTask *self);
DRAY_API const char *dray_task_get_function (DrayTask *self);
DRAY_API GVariant *dray_task_get_arguments (DrayTask *self);
DRAY_API const char *const *dray_task_get_argv (DrayTask *self);

DRAY_API void dray_task_set_label (DrayTask *self, const char *label);
DRAY_API const char *dray_task_get_label (DrayTask *self);
DRAY_API void dray_task_set_priority (DrayTask *self, int priority);
DRAY_API int dray_task_get_priority (DrayTask *self);
DRAY_API void dray_task_set_time_limit (DrayTask *self, guint milliseconds);
DRAY_API guint dray_task_get_time_limit (DrayTask *self);
DRAY_API void dray_task_set_max_retries (DrayTask *self, guint max_retries);
DRAY_API guint dray_task_get_max_retries (DrayTask *self);
DRAY_API void dray_task_set_cancel_mode (DrayTask *self, DrayCancelMode mode);
DRAY_API DrayCancelMode dray_task_get_cancel_mode (DrayTask *self);
DRAY_API void dray_task_set_key (DrayTask *self, const char *key);
DRAY_API const char *dray_task_get_key (DrayTask *self);
DRAY_API void dray_task_set_pull (DrayTask *self, gboolean pull);
DRAY_API gboolean dray_task_get_pull (DrayTask *self);

/* Calls only. */
DRAY_API gboolean dray_task_set_attachments (DrayTask *self,
                                             GUnixFDList *attachments,
                                             GError **error);
DRAY_API GUnixFDList *dray_task_get_attachments (DrayTask *self);

/* Commands only. */
DRAY_API void dray_task_set_directory (DrayTask *self, const char *directory);
DRAY_API const char *dray_task_get_directory (DrayTask *self);
DRAY_API void dray_task_set_environment (DrayTask *self, const char *const *environment);
DRAY_API const char *const *dray_task_get_environment (DrayTask *self);
DRAY_API void dray_task_set_input_bytes (DrayTask *self, GBytes *bytes);
DRAY_API GBytes *dray_task_get_input_bytes (DrayTask *self);
DRAY_API gboolean dray_task_set_input_fd (DrayTask *self, int fd, GError **error);
DRAY_API void dray_task_set_split (DrayTask *self, DraySplit split);
DRAY_API DraySplit dray_task_get_split (DrayTask *self);
DRAY_API void dray_task_set_encoding (DrayTask *self, DrayEncoding encoding);
DRAY_API DrayEncoding dray_task_get_encoding (DrayTask *self);
DRAY_API void dray_task_set_max_record_size (DrayTask *self, gsize bytes);
DRAY_API gsize dray_task_get_max_record_size (DrayTask *self);
DRAY_API void dray_task_set_max_output_size (DrayTask *self, gsize bytes);
DRAY_API gsize dray_task_get_max_output_size (DrayTask *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DrayTask, dray_task_unref)

G_END_DECLS
