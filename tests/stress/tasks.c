/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "stress.h"

#include <fcntl.h>
#include <gio/gio.h>
#include <gio/gunixfdlist.h>
#include <unistd.h>

/* What is submitted: calls and commands, short ones, each with what comes of it by itself. */

typedef struct
{
  const char *name;
  guint weight; /* how often, among the others */
  /* What comes of it is in @fate already, but for what depends on the arguments. */
  DrayTask *(*make) (StressActor *actor, StressFate *fate);
  guint ends;       /* SoakEnd */
  gboolean shares;  /* all of one name are the same, and may share a run */
  gboolean streams; /* items */
  gboolean lingers; /* until its time is over */
} Kind;

static DrayTask *
make_add (StressActor *actor, StressFate *fate)
{
  int a = (int) stress_random (actor, 1000), b = (int) stress_random (actor, 1000);

  fate->expected = g_variant_ref_sink (g_variant_new_int32 (a + b));
  return dray_task_new_call ("add", g_variant_new ("(ii)", a, b));
}

static DrayTask *
make_numbers (StressActor *actor, StressFate *fate)
{
  fate->n_items = stress_random (actor, stress_chance (actor, 20) ? 3000 : 40);
  fate->numbered = TRUE;
  fate->stops = TRUE;
  fate->expected = g_variant_ref_sink (g_variant_new_uint32 (fate->n_items));
  return dray_task_new_call ("numbers", g_variant_new ("(ub)", fate->n_items, FALSE));
}

static DrayTask *
make_stream (StressActor *actor, StressFate *fate)
{
  guint n = 1 + stress_random (actor, 30);

  fate->stops = TRUE;
  fate->expected = g_variant_ref_sink (g_variant_new_uint32 (n));
  return dray_task_new_call ("stream", g_variant_new ("(uu)", n, stress_random (actor, 30000)));
}

static DrayTask *
make_sleep (StressActor *actor, StressFate *fate)
{
  return dray_task_new_call ("sleep", g_variant_new ("(u)", stress_random (actor, 25)));
}

static DrayTask *
make_progress (StressActor *actor, StressFate *fate)
{
  return dray_task_new_call ("progress", g_variant_new ("(u)", stress_random (actor, 50)));
}

/* More than a pipe has room for; sometimes as memory of its own. */
static DrayTask *
make_bytes (StressActor *actor, StressFate *fate)
{
  guint size = stress_random (actor, stress_chance (actor, 10) ? 4000000 : 300000);

  if (stress_chance (actor, 50))
    return dray_task_new_call ("bytes", g_variant_new ("(u)", size));
  return dray_task_new_call ("allocate", g_variant_new ("(uy)", size, 0));
}

/* What the library lets go of is the application's to free, on whatever thread that is: also by
 * calling the library. */
static void
free_and_call (gpointer data)
{
  g_free (data);
  stress_executors_resume ();
}

/* Back and forth. */
static DrayTask *
make_echo (StressActor *actor, StressFate *fate)
{
  gsize size = stress_random (actor, 200000);
  guint8 *data = g_malloc0 (size + 1);
  GVariant *bytes;

  data[size / 2] = (guint8) stress_random (actor, 256);
  bytes = g_variant_new_from_data (G_VARIANT_TYPE_BYTESTRING, data, size, TRUE, free_and_call,
                                   data);
  fate->expected = g_variant_ref_sink (g_variant_new_tuple (&bytes, 1));
  return dray_task_new_call ("echo", fate->expected);
}

static DrayTask *
make_fail (StressActor *actor, StressFate *fate)
{
  return dray_task_new_call (
    "fail", g_variant_new ("(sis)", "g-io-error-quark", G_IO_ERROR_FAILED, "As it was told"));
}

static DrayTask *
make_exit (StressActor *actor, StressFate *fate)
{
  return dray_task_new_call ("exit", g_variant_new ("(i)", 3));
}

static DrayTask *
make_block (StressActor *actor, StressFate *fate)
{
  return dray_task_new_call ("block", NULL);
}

static DrayTask *
make_ignore_cancel (StressActor *actor, StressFate *fate)
{
  return dray_task_new_call ("ignore-cancel", NULL);
}

/* Open files come with the task, or with its result. */
static DrayTask *
make_read_attachments (StressActor *actor, StressFate *fate)
{
  int fd = open ("/dev/null", O_RDONLY | O_CLOEXEC);
  g_autoptr (GUnixFDList) attachments = g_unix_fd_list_new_from_array (&fd, 1);
  const char *const texts[] = { "" };
  DrayTask *task = dray_task_new_call ("read-attachments", NULL);

  if (!dray_task_set_attachments (task, attachments, NULL))
    soak_violation ("An attachment is refused");
  fate->expected = g_variant_ref_sink (g_variant_new_strv (texts, 1));
  return task;
}

static DrayTask *
make_return_attachments (StressActor *actor, StressFate *fate)
{
  const char *const texts[] = { "one", "two", NULL };

  fate->expected = g_variant_ref_sink (g_variant_new_uint32 (2));
  return dray_task_new_call ("return-attachments", g_variant_new ("(^as)", texts));
}

static DrayTask *
make_seq (StressActor *actor, StressFate *fate)
{
  g_autofree char *last = g_strdup_printf ("%u", stress_random (actor, 3000));
  const char *const argv[] = { "seq", last, NULL };
  DrayTask *task = dray_task_new_command (argv);

  dray_task_set_split (task, stress_chance (actor, 50) ? DRAY_SPLIT_LINES : DRAY_SPLIT_CHUNKS);
  return task;
}

static DrayTask *
make_cat (StressActor *actor, StressFate *fate)
{
  const char *const argv[] = { "cat", NULL };
  gsize size = stress_random (actor, 100000);
  gpointer data = g_malloc0 (size);
  g_autoptr (GBytes) input = g_bytes_new_with_free_func (data, size, free_and_call, data);
  DrayTask *task = dray_task_new_command (argv);

  dray_task_set_input_bytes (task, input);
  return task;
}

static DrayTask *
make_dying_command (StressActor *actor, StressFate *fate)
{
  const char *script = stress_chance (actor, 50) ? "kill -9 $$" : "exit 3";
  const char *const argv[] = { "sh", "-c", script, NULL };

  return dray_task_new_command (argv);
}

static const Kind kinds[] = {
  { "add", 20, make_add, SOAK_SUCCEEDED, FALSE, FALSE, FALSE },
  { "numbers", 20, make_numbers, SOAK_SUCCEEDED, FALSE, TRUE, FALSE },
  { "stream", 5, make_stream, SOAK_SUCCEEDED, FALSE, TRUE, FALSE },
  { "sleep", 9, make_sleep, SOAK_SUCCEEDED, TRUE, FALSE, FALSE },
  { "progress", 5, make_progress, SOAK_SUCCEEDED, TRUE, FALSE, FALSE },
  { "bytes", 5, make_bytes, SOAK_SUCCEEDED, FALSE, FALSE, FALSE },
  { "echo", 5, make_echo, SOAK_SUCCEEDED, FALSE, FALSE, FALSE },
  { "fail", 5, make_fail, SOAK_OWN_ERROR, TRUE, FALSE, FALSE },
  { "exit", 4, make_exit, SOAK_DIED, TRUE, FALSE, FALSE },
  { "block", 5, make_block, SOAK_TIMED_OUT, TRUE, FALSE, TRUE },
  { "ignore-cancel", 5, make_ignore_cancel, SOAK_TIMED_OUT, TRUE, FALSE, TRUE },
  { "read-attachments", 4, make_read_attachments, SOAK_SUCCEEDED, FALSE, FALSE, FALSE },
  { "return-attachments", 4, make_return_attachments, SOAK_SUCCEEDED, FALSE, FALSE, FALSE },
  { "seq", 5, make_seq, SOAK_SUCCEEDED, FALSE, TRUE, FALSE },
  { "cat", 5, make_cat, SOAK_SUCCEEDED, FALSE, FALSE, FALSE },
  { "a command that dies", 3, make_dying_command, SOAK_OWN_ERROR | SOAK_SIGNALLED, FALSE, FALSE,
    FALSE },
};

/* Who joins a run hears only the rest of its items, and shares its time limit and its end. */
static void
share (DrayTask *task, StressFate *fate)
{
  g_autofree char *key = g_strdup_printf ("%s %u %d", fate->what, fate->n_items, fate->pulled);

  dray_task_set_key (task, key);
  fate->shared = TRUE;
  stress_fate_add (fate, SOAK_TIMED_OUT | SOAK_DIED);
}

static void
set_options (DrayTask *task, StressActor *actor, const Kind *kind, StressFate *fate)
{
  if (kind->lingers || stress_chance (actor, 10))
    {
      dray_task_set_time_limit (task, 1 + stress_random (actor, 50));
      stress_fate_add (fate, SOAK_TIMED_OUT);
    }
  if (stress_chance (actor, 20))
    dray_task_set_priority (task, (int) stress_random (actor, 7) - 3);
  if (stress_chance (actor, 25))
    dray_task_set_cancel_mode (task, DRAY_CANCEL_CONFIRMED);
  if (kind->streams && stress_chance (actor, 40))
    {
      dray_task_set_pull (task, TRUE);
      fate->pulled = TRUE;
    }

  if ((kind->shares || fate->numbered) && stress_chance (actor, 20))
    {
      share (task, fate);
    }
  else if (dray_task_get_kind (task) == DRAY_TASK_CALL && stress_chance (actor, 15))
    {
      dray_task_set_max_retries (task, 1 + stress_random (actor, 2));
      fate->numbered = FALSE; /* each attempt begins anew */
    }
}

DrayTask *
stress_task_new (StressActor *actor, StressExecutor *executor, StressFate **fate)
{
  const Kind *kind = &kinds[SOAK_PICK (actor->rand, kinds, G_N_ELEMENTS (kinds))];
  DrayTask *task;

  *fate = stress_fate_new (kind->name, executor->risks, kind->ends);
  (*fate)->lost = actor->lost;
  task = kind->make (actor, *fate);
  set_options (task, actor, kind, *fate);

  return task;
}

DrayTask *
stress_task_for_any (StressActor *actor, StressExecutor **executor, StressFate **fate)
{
  *executor = stress_executor_pick (actor);
  return *executor != NULL ? stress_task_new (actor, *executor, fate) : NULL;
}
