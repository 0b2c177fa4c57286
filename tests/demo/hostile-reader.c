/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* In the place of the demo's reader, one that answers with a description that it takes a machine
 * long to draw. */

#include "config.h"

#include <dray.h>

#include "reader/reader.h"

#define LENGTH (16 * 1024 * 1024)

static GVariant *
read_file (DrayJob *job, GVariant *arguments, gpointer user_data, GError **error)
{
  g_autofree char *description = g_strnfill (LENGTH, 'x');
  char mime_type[] = "text/plain";
  DemoFacts facts = { .mime_type = mime_type, .description = description };

  return demo_facts_to_variant (&facts);
}

int
main (int argc, char **argv)
{
  g_autoptr (DrayWorker) worker = dray_worker_new ();

  dray_worker_add_typed_function (worker, DEMO_FUNCTION_READ, G_VARIANT_TYPE (DEMO_ARGUMENTS_TYPE),
                                  read_file, NULL, NULL);
  return dray_worker_run (worker);
}
