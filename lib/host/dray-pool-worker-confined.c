/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the host hears of a worker's sandbox, before it hears of the worker; see
 * dray-confinement.h. */

#include "config.h"

#include "dray-pool-worker-private.h"

#include "dray-confinement.h"
#include "dray-error-private.h"
#include "dray-shortfall.h"

#include <glib/gi18n-lib.h>
#include <string.h>

G_STATIC_ASSERT (DRAY_CONFINEMENT_MAGIC == DRAY_FRAME_MAGIC);
G_STATIC_ASSERT (DRAY_CONFINEMENT_VERSION == DRAY_PROTOCOL_VERSION);
G_STATIC_ASSERT ((int) DRAY_CONFINEMENT_TYPE == (int) DRAY_FRAME_CONFINED);
G_STATIC_ASSERT (G_STRUCT_OFFSET (DrayConfinementFrame, confinement) == DRAY_FRAME_HEADER_SIZE);
G_STATIC_ASSERT (sizeof (DrayConfinement) % 8 == 0);

static guint32
get_wanted (DraySandbox sandbox)
{
  const guint32 basis = 1u << DRAY_LAYER_NAMESPACES | 1u << DRAY_LAYER_SECCOMP;

  return sandbox == DRAY_SANDBOX_NO_NETWORK ? basis : basis | 1u << DRAY_LAYER_LANDLOCK;
}

/* (transfer full) */
static char *
describe_namespaces (guint32 lack, gint32 error)
{
  switch (lack)
    {
    case DRAY_LACK_MISSING:
      /* Translators: bwrap is the name of a program. Then what the system says about the reason. */
      return g_strdup_printf (_ ("the program “bwrap” could not be started: %s"),
                                 dray_strerror_of_start (error));
    case DRAY_LACK_ENDED:
      /* Translators: bwrap is the name of a program. */
      return g_strdup (_ ("the program “bwrap” could not set up namespaces"));
    default:
      /* Translators: what the system says about the reason. */
      return g_strdup_printf (_ ("namespaces could not be set up: %s"),
                              dray_strerror_of_start (error));
    }
}

/* (transfer full) */
static char *
describe_lack (guint layer, guint32 lack, gint32 error)
{
  if (layer == DRAY_LAYER_NAMESPACES)
    return describe_namespaces (lack, error);

  if (lack == DRAY_LACK_NOT_BUILT)
    return g_strdup (_ ("this copy of Dray was built without a filter of system calls"));
  if (layer == DRAY_LAYER_SECCOMP)
    /* Translators: what the system says about the reason. */
    return g_strdup_printf (_ ("system calls could not be filtered: %s"), dray_strerror (error));

  /* Translators: what the system says about the reason. */
  return g_strdup_printf (_ ("access to files could not be limited: %s"), dray_strerror (error));
}

/* (transfer full): all that is missing, one after the other */
static char *
describe_lacks (const DrayConfinement *confinement, guint32 missing)
{
  g_autoptr (GString) text = g_string_new (NULL);

  for (guint i = 0; i < DRAY_LAYER_PROGRAM; i++)
    if ((missing & 1u << i) != 0
        && (confinement->lacks[i] != DRAY_LACK_NONE || confinement->started))
      {
        g_autofree char *lack
          = describe_lack (i, confinement->lacks[i], confinement->errors[i]);

        if (text->len > 0)
          g_string_append (text, "; ");
        g_string_append (text, lack);
      }
  return g_string_free (g_steal_pointer (&text), FALSE);
}

/* It is on its way out already, and has nothing to say but, on standard error, why. */
static void
give_up (DrayPoolWorker *self)
{
  dray_pool_worker_set_state (self, DRAY_POOL_WORKER_FAILED);
  dray_process_close_input (&self->process);
  dray_process_end (&self->process, self->pool->now.grace_period);
  dray_pool_worker_settle (self);
}

static void
hear_of_no_program (DrayPoolWorker *self, const DrayConfinement *confinement)
{
  g_set_error (&self->failure, DRAY_ERROR, DRAY_ERROR_LAUNCH,
               _ ("Could not start “%s”: %s"), self->pool->plan->display_name,
                  dray_strerror_of_start (confinement->errors[DRAY_LAYER_PROGRAM]));
  give_up (self);
}

static void
hear_of_no_sandbox (DrayPoolWorker *self, const DrayConfinement *confinement, guint32 missing)
{
  g_autofree char *lacks = describe_lacks (confinement, missing);

  g_set_error (&self->failure, DRAY_ERROR, DRAY_ERROR_SANDBOX,
               /* Translators: the worker's program, then what is wrong. */
               _ ("The worker “%s” can’t be put into its sandbox: %s"),
                  self->pool->plan->display_name, lacks);
  give_up (self);
}

void
dray_pool_worker_hear_confined (DrayPoolWorker *self, GBytes *payload, GError **error)
{
  const DrayLaunchPlan *plan = self->pool->plan;
  DrayConfinement confinement;
  guint32 missing;

  if (g_bytes_get_size (payload) != sizeof confinement)
    {
      g_propagate_error (error, dray_pool_worker_unexpected (DRAY_FRAME_CONFINED));
      return;
    }

  memcpy (&confinement, g_bytes_get_data (payload, NULL), sizeof confinement);
  missing = get_wanted (plan->sandbox) & ~confinement.in_force;
  if (confinement.lacks[DRAY_LAYER_PROGRAM] != DRAY_LACK_NONE)
    hear_of_no_program (self, &confinement);
  else if (!confinement.started || (missing != 0 && plan->sandbox_need == DRAY_SANDBOX_REQUIRED))
    hear_of_no_sandbox (self, &confinement, missing);
  else if (missing != 0)
    dray_shortfall_note (self->pool, describe_lacks (&confinement, missing));

  self->is_confined = self->state == DRAY_POOL_WORKER_STARTING;
}

gboolean
dray_pool_worker_expects_confinement (DrayPoolWorker *self)
{
  return self->pool->plan->sandbox != DRAY_SANDBOX_NONE && !self->is_confined;
}
