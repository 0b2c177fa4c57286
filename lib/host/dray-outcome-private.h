/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "dray-outcome.h"

G_BEGIN_DECLS

/* Takes just one of @value and @error. */
DrayOutcome *dray_outcome_new (guint64 index, GVariant *value, GError *error);

G_END_DECLS
