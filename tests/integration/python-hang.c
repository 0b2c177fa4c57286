/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The program of the Python programmer who hangs:
 *
 *   processes = [Process (target=work, args=(queue,)) for i in range (3)]
 *   for process in processes: process.start ()
 *   for process in processes: process.join ()
 *   results = [queue.get () for process in processes]
 *
 * Each result is of 100 KB. A process can't end before what it put into the queue was read, the
 * queue is read only after all have ended, and join() waits for ever.
 *
 * The same over this library, in the same order. It finishes, with all three results.
 */

#include <dray.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define N_PROCESSES 3
#define RESULT_SIZE (100 * 1000)

static GVariant *
work_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  guint32 number;
  g_autofree char *text = g_malloc (RESULT_SIZE + 1);

  g_variant_get (arguments, "(u)", &number);
  memset (text, 'a' + (int) number, RESULT_SIZE);
  text[RESULT_SIZE] = '\0';

  return g_variant_new_string (text);
}

static int
work (void)
{
  g_autoptr (DrayWorker) worker = dray_worker_new ();

  dray_worker_add_typed_function (worker, "work", G_VARIANT_TYPE ("(u)"), work_cb, NULL, NULL);

  return dray_worker_run (worker);
}

/* Returns whether the result of process @number is what it should be. */
static gboolean
check (DrayFuture *future, guint number)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result = dray_future_dup_result (future, &error);
  const char *text;

  if (result == NULL)
    {
      g_printerr ("process %u failed: %s\n", number, error->message);
      return FALSE;
    }

  text = g_variant_get_string (result, NULL);
  g_print ("process %u: %zu bytes, from '%c' to '%c'\n", number, strlen (text), text[0],
           text[strlen (text) - 1]);

  return strlen (text) == RESULT_SIZE && strspn (text, (char[]) { 'a' + (char) number, '\0' })
                                           == RESULT_SIZE;
}

int
main (int argc, char **argv)
{
  g_autoptr (DrayLauncher) launcher = NULL;
  g_autoptr (DrayExecutor) executor = NULL;
  DrayFuture *futures[N_PROCESSES];
  guint n_right = 0;

  if (dray_worker_is_requested (argc, argv))
    return work ();

  /* Where this program hangs after all, it is ended with an error. */
  alarm (60);

  launcher = dray_launcher_new_self ();
  executor = dray_executor_new (launcher);
  dray_executor_set_max_workers (executor, N_PROCESSES);

  for (guint i = 0; i < N_PROCESSES; i++)
    futures[i] = dray_executor_call (executor, "work", g_variant_new ("(u)", i));
  for (guint i = 0; i < N_PROCESSES; i++)
    dray_future_wait (futures[i], -1, NULL, NULL);

  for (guint i = 0; i < N_PROCESSES; i++)
    {
      n_right += check (futures[i], i);
      g_object_unref (futures[i]);
    }

  return n_right == N_PROCESSES ? EXIT_SUCCESS : EXIT_FAILURE;
}
