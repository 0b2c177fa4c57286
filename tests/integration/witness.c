/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "witness.h"

#include "rig.h"
#include "workshop.h"

#define LOOK_INTERVAL_MS 5

static gboolean
look_cb (gpointer user_data)
{
  Witness *self = user_data;

  self->peak = MAX (self->peak, fixture_get_resident ());
  return G_SOURCE_CONTINUE;
}

/* At the priority of what is delivered: on a busy machine it is always due, and would keep all that
 * comes after it from being dispatched. */
void
witness_begin (Witness *self)
{
  self->executor = workshop_new (1);
  witness_ask (self);

  self->start = self->peak = fixture_get_resident ();
  self->source = g_timeout_source_new (LOOK_INTERVAL_MS);
  g_source_set_priority (self->source, G_PRIORITY_DEFAULT_IDLE);
  g_source_set_callback (self->source, look_cb, self, NULL);
  g_source_attach (self->source, NULL);
}

void
witness_ask (Witness *self)
{
  g_autoptr (DrayFuture) future = dray_executor_call (self->executor, "add",
                                                      g_variant_new ("(ii)", 2, 3));

  rig_expect_text (future, "5");
}

void
witness_end (Witness *self, gsize bound)
{
  witness_ask (self);
  look_cb (self);
  g_test_message ("It took up to %.1f MB", (double) (self->peak - self->start) / 1000000);
#ifndef __SANITIZE_ADDRESS__ /* which keeps what was freed */
  g_assert_cmpuint (self->peak, <, self->start + bound);
#endif

  g_source_destroy (self->source);
  g_clear_pointer (&self->source, g_source_unref);
  g_assert_true (dray_executor_shutdown_sync (self->executor, DRAY_SHUTDOWN_DRAIN, NULL, NULL));
  g_clear_object (&self->executor);
}
