/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#if !defined(DRAY_INSIDE) && !defined(DRAY_COMPILATION)
#error "Only <dray.h> can be included directly."
#endif

#include "dray-types.h"

G_BEGIN_DECLS

#define DRAY_TYPE_OUTCOME (dray_outcome_get_type ())
DRAY_API GType dray_outcome_get_type (void) G_GNUC_CONST;

DRAY_API DrayOutcome *dray_outcome_ref (DrayOutcome *self);
DRAY_API void dray_outcome_unref (DrayOutcome *self);

DRAY_API guint64 dray_outcome_get_index (DrayOutcome *self);
DRAY_API GVariant *dray_outcome_get_value (DrayOutcome *self);
DRAY_API const GError *dray_outcome_get_error (DrayOutcome *self);
DRAY_API GVariant *dray_outcome_dup_result (DrayOutcome *self, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DrayOutcome, dray_outcome_unref)

G_END_DECLS
