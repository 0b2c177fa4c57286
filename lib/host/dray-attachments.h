/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * Attachments that have come from workers: open files that nobody asked for. All of them together
 * may take a half of the descriptors that this process can have, so that no worker leaves it
 * without.
 */

#include <gio/gio.h>

G_BEGIN_DECLS

/* Counts @attachments (nullable) for as long as they live. FALSE with DRAY_ERROR_ATTACHMENTS: there
 * are too many already. Any thread. */
gboolean dray_attachments_hold (GUnixFDList *attachments, GError **error);

G_END_DECLS
