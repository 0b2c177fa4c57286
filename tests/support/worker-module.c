/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A module for worker processes: what a plugin would ship. It has one function, which says hello,
 * in the language of its initial arguments.
 */

#include <dray.h>
#include <gmodule.h>

void dray_worker_module_init (DrayWorker *worker);

static char *greeting; /* (owned) (nullable) */

static GVariant *
greet (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  const char *name;

  g_variant_get (arguments, "(&s)", &name);

  return g_variant_new_take_string (
    g_strdup_printf ("%s, %s!", greeting != NULL ? greeting : "Hello", name));
}

static gboolean
initialize (DrayWorker *worker, GVariant *arguments, gpointer data, GError **error)
{
  if (arguments != NULL)
    g_variant_get (arguments, "s", &greeting);

  return TRUE;
}

G_MODULE_EXPORT void
dray_worker_module_init (DrayWorker *worker)
{
  dray_worker_add_typed_function (worker, "greet", G_VARIANT_TYPE ("(s)"), greet, NULL, NULL);
  dray_worker_set_initializer (worker, initialize, NULL, NULL);
}
