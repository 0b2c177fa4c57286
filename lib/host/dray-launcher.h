/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#if !defined(DRAY_INSIDE) && !defined(DRAY_COMPILATION)
#error "Only <dray.h> can be included directly."
#endif

#include "dray-enums.h"
#include "dray-types.h"

G_BEGIN_DECLS

#define DRAY_TYPE_LAUNCHER (dray_launcher_get_type ())
DRAY_API
G_DECLARE_FINAL_TYPE (DrayLauncher, dray_launcher, DRAY, LAUNCHER, GObject)

DRAY_API DrayLauncher *dray_launcher_new_self (void);
DRAY_API DrayLauncher *dray_launcher_new_argv (const char *const *argv);
DRAY_API DrayLauncher *dray_launcher_new_module (const char *filename);

DRAY_API char **dray_launcher_dup_argv (DrayLauncher *self);
DRAY_API void dray_launcher_set_prefix (DrayLauncher *self, const char *const *prefix);
DRAY_API char **dray_launcher_dup_prefix (DrayLauncher *self);
DRAY_API void dray_launcher_set_environment (DrayLauncher *self, const char *const *environment);
DRAY_API char **dray_launcher_dup_environment (DrayLauncher *self);
DRAY_API void dray_launcher_setenv (DrayLauncher *self, const char *name, const char *value);
DRAY_API void dray_launcher_unsetenv (DrayLauncher *self, const char *name);
DRAY_API void dray_launcher_set_directory (DrayLauncher *self, const char *directory);
DRAY_API char *dray_launcher_dup_directory (DrayLauncher *self);
DRAY_API void dray_launcher_set_initial_arguments (DrayLauncher *self, GVariant *arguments);
DRAY_API GVariant *dray_launcher_dup_initial_arguments (DrayLauncher *self);
DRAY_API void dray_launcher_set_stderr (DrayLauncher *self, DrayStderr mode);
DRAY_API DrayStderr dray_launcher_get_stderr (DrayLauncher *self);
DRAY_API void dray_launcher_set_trusted (DrayLauncher *self, gboolean trusted);
DRAY_API gboolean dray_launcher_get_trusted (DrayLauncher *self);
DRAY_API void dray_launcher_set_shared_size (DrayLauncher *self, guint64 bytes);
DRAY_API guint64 dray_launcher_get_shared_size (DrayLauncher *self);
DRAY_API void dray_launcher_set_limit (DrayLauncher *self, DrayLimit limit, guint64 value);
DRAY_API guint64 dray_launcher_get_limit (DrayLauncher *self, DrayLimit limit);
DRAY_API void dray_launcher_set_niceness (DrayLauncher *self, int niceness);
DRAY_API int dray_launcher_get_niceness (DrayLauncher *self);
DRAY_API void
dray_launcher_set_io_class (DrayLauncher *self, DrayIoClass io_class, guint level);
DRAY_API DrayIoClass dray_launcher_get_io_class (DrayLauncher *self, guint *level);
DRAY_API void dray_launcher_set_sandbox (DrayLauncher *self, DraySandbox sandbox);
DRAY_API DraySandbox dray_launcher_get_sandbox (DrayLauncher *self);
DRAY_API void dray_launcher_set_sandbox_need (DrayLauncher *self, DraySandboxNeed need);
DRAY_API DraySandboxNeed dray_launcher_get_sandbox_need (DrayLauncher *self);
DRAY_API void
dray_launcher_grant_path (DrayLauncher *self, const char *path, DrayAccess access);
DRAY_API char **dray_launcher_dup_granted_paths (DrayLauncher *self, DrayAccess access);

G_END_DECLS
