/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-outcome-private.h"

/**
 * DrayOutcome:
 *
 * What became of one call of a [class@Map]: a value or an error, and the number of the call. It
 * never changes; all functions may be called on any thread.
 *
 * Since: 0.1
 */

struct _DrayOutcome
{
  gatomicrefcount ref_count;

  /* set at construction; one of the last two */
  guint64 index;
  GVariant *value; /* (owned) (nullable) (not floating) */
  GError *error;   /* (owned) (nullable) */
};

G_DEFINE_BOXED_TYPE (DrayOutcome, dray_outcome, dray_outcome_ref, dray_outcome_unref)

DrayOutcome *
dray_outcome_new (guint64 index, GVariant *value, GError *error)
{
  DrayOutcome *self = g_new (DrayOutcome, 1);

  g_atomic_ref_count_init (&self->ref_count);
  self->index = index;
  self->value = value;
  self->error = error;

  return self;
}

/**
 * dray_outcome_ref:
 * @self: an outcome
 *
 * Takes another reference.
 *
 * Returns: (transfer full): the outcome
 *
 * Since: 0.1
 */
DrayOutcome *
dray_outcome_ref (DrayOutcome *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

/**
 * dray_outcome_unref:
 * @self: (transfer full): an outcome
 *
 * Drops a reference. The last one frees the outcome.
 *
 * Since: 0.1
 */
void
dray_outcome_unref (DrayOutcome *self)
{
  g_return_if_fail (self != NULL);

  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  g_clear_pointer (&self->value, g_variant_unref);
  g_clear_error (&self->error);
  g_free (self);
}

/**
 * dray_outcome_get_index:
 * @self: an outcome
 *
 * Gets the number of the call: the arguments that the map's source gave first are those of call 0.
 *
 * Returns: the number
 *
 * Since: 0.1
 */
guint64
dray_outcome_get_index (DrayOutcome *self)
{
  g_return_val_if_fail (self != NULL, 0);

  return self->index;
}

/**
 * dray_outcome_get_value:
 * @self: an outcome
 *
 * Gets what the function returned.
 *
 * Returns: (transfer none) (nullable): the value, not floating; %NULL if the call failed
 *
 * Since: 0.1
 */
GVariant *
dray_outcome_get_value (DrayOutcome *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return self->value;
}

/**
 * dray_outcome_get_error:
 * @self: an outcome
 *
 * Gets what the call failed with: the error that the function returned, with its own domain and
 * code, or one of %DRAY_ERROR; %G_IO_ERROR_CANCELLED if the map was cancelled.
 *
 * Returns: (transfer none) (nullable): the error; %NULL if the call succeeded
 *
 * Since: 0.1
 */
const GError *
dray_outcome_get_error (DrayOutcome *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return self->error;
}

/**
 * dray_outcome_dup_result:
 * @self: an outcome
 * @error: return location for what the call failed with
 *
 * Gets what the function returned, or the error, as [method@Future.dup_result] does.
 *
 * Returns: (transfer full): the value, not floating, or %NULL with @error set
 *
 * Since: 0.1
 */
GVariant *
dray_outcome_dup_result (DrayOutcome *self, GError **error)
{
  g_return_val_if_fail (self != NULL, NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  if (self->value != NULL)
    return g_variant_ref (self->value);

  g_propagate_error (error, g_error_copy (self->error));
  return NULL;
}
