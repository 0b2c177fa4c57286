/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "rig.h"
#include "workshop.h"

#include <signal.h>

/*
 * Each way in which a worker goes wrong, in each place where futures are combined: everybody is
 * told once, of what happened and nothing else, whether he waits without a main loop or not.
 */

typedef struct
{
  const char *name;
  const char *function;
  const char *arguments;
  guint time_limit; /* milliseconds, 0: none */
  DrayError code;
} Death;

static const Death deaths[] = {
  { "exit", "exit", "(3,)", 0, DRAY_ERROR_WORKER_DIED },
  { "signal", "raise", "(11,)", 0, DRAY_ERROR_WORKER_DIED },
  { "garbage", "garbage", "()", 0, DRAY_ERROR_PROTOCOL },
  { "half-a-frame", "half-frame", "()", 0, DRAY_ERROR_WORKER_DIED },
  { "oversized", "oversized", "()", 0, DRAY_ERROR_PROTOCOL },
  { "wrong-id", "wrong-id", "()", 0, DRAY_ERROR_PROTOCOL },
  { "unknown", "no such function", "()", 0, DRAY_ERROR_UNKNOWN_FUNCTION },
  { "bad-arguments", "add", "('one',)", 0, DRAY_ERROR_BAD_ARGUMENTS },
  { "deaf", "ignore-cancel", "()", 20, DRAY_ERROR_TIMED_OUT },
  { "stopped", "stop", "()", 20, DRAY_ERROR_TIMED_OUT },
  { "spinning", "spin", "()", 20, DRAY_ERROR_TIMED_OUT },
  { "deaf-to-handler", "hang-in-handler", "()", 20, DRAY_ERROR_TIMED_OUT },
};

static DrayFuture *
submit_dying (Rig *rig, const Death *death)
{
  DrayTask *task = rig_new_task (death->function, death->arguments);

  dray_task_set_time_limit (task, death->time_limit);
  return rig_submit (rig, task);
}

/* Takes @future. */
static void
expect_death (DrayFuture *future, const Death *death, gboolean waits)
{
  G_GNUC_UNUSED g_autoptr (DrayFuture) owned = future;

  if (waits)
    g_assert_true (dray_future_wait (future, -1, NULL, NULL));
  rig_expect_error (future, DRAY_ERROR, (int) death->code, NULL);
}

static void
start (Rig *rig)
{
  rig_start (rig, 4);
  g_object_set (rig->executor, "grace-period", 10, NULL);
}

static void
test_part (Rig *rig, gconstpointer data)
{
  const Death *death = data;

  g_test_summary ("What is combined of a task that goes wrong ends with its error; any waits for "
                  "what goes well.");

  start (rig);
  for (guint waits = 0; waits <= 1; waits++)
    {
      g_autoptr (DrayFuture) blocked = rig_call (rig, "block", NULL);
      g_autoptr (DrayFuture) good = rig_submit (rig, rig_new_task ("sleep", "(uint32 50,)"));
      g_autoptr (DrayFuture) bad = submit_dying (rig, death);
      g_autoptr (DrayFuture) any = dray_future_any ((DrayFuture *[]){ bad, good }, 2);
      g_autoptr (GVariant) result = NULL;

      expect_death (dray_future_all ((DrayFuture *[]){ good, bad }, 2), death, waits);
      expect_death (dray_future_all_race ((DrayFuture *[]){ blocked, bad }, 2), death, waits);
      expect_death (dray_future_first ((DrayFuture *[]){ blocked, bad }, 2), death, waits);
      expect_death (dray_future_any ((DrayFuture *[]){ bad, bad }, 2), death, waits);
      result = rig_expect_result (any);
      g_assert_nonnull (result);
      dray_future_cancel (blocked);
    }
}

static void
test_chain (Rig *rig, gconstpointer data)
{
  const Death *death = data;
  g_autoptr (DrayTask) echo = rig_new_task ("echo", NULL);
  g_autoptr (DrayTask) dying = rig_new_task (death->function, death->arguments);

  g_test_summary (
    "A chain ends where a task goes wrong: those before have ended well, those behind "
    "never run.");

  start (rig);
  dray_task_set_time_limit (dying, death->time_limit);
  for (guint waits = 0; waits <= 1; waits++)
    {
      g_autoptr (DrayFuture) first = rig_submit (rig, rig_new_task ("echo", "1"));
      g_autoptr (DrayFuture) second = dray_future_and_then (first, rig->executor, dying,
                                                            DRAY_POSITION_NONE);
      g_autoptr (DrayFuture) third = dray_future_and_then (second, rig->executor, echo,
                                                           DRAY_POSITION_WHOLE);

      expect_death (dray_future_and_then (third, rig->executor, echo, DRAY_POSITION_LAST), death,
                    waits);
      expect_death (g_steal_pointer (&third), death, waits);
      expect_death (g_steal_pointer (&second), death, waits);
      rig_expect_text (first, "1");
    }
}

static void
test_group (Rig *rig, gconstpointer data)
{
  const Death *death = data;

  g_test_summary ("A group whose member goes wrong is cancelled, with its error.");

  start (rig);
  for (guint i = 0; i < 2; i++)
    {
      g_autoptr (DrayGroup) group = dray_group_new ();
      g_autoptr (DrayFuture) blocked = rig_call (rig, "block", NULL);
      g_autoptr (DrayFuture) bad = submit_dying (rig, death);
      g_autoptr (GError) error = NULL;

      dray_group_add (group, blocked);
      dray_group_add (group, bad);
      g_assert_true (dray_group_wait (group, -1, NULL, NULL));
      g_assert_false (dray_group_check (group, &error));
      g_assert_error (error, DRAY_ERROR, (int) death->code);
      rig_expect_cancelled (blocked);
    }
}

static void
test_queue (Rig *rig, gconstpointer data)
{
  const Death *death = data;
  g_autoptr (DrayCompletionQueue) queue = dray_completion_queue_new ();
  guint n_bad = 0, n_good = 0;
  DrayFuture *next;

  g_test_summary (
    "What goes wrong comes out of a completion queue like what goes well, and does not "
    "hold that up.");

  start (rig);
  for (guint i = 0; i < 4; i++)
    {
      g_autoptr (DrayFuture) good = rig_call (rig, "null", NULL);
      g_autoptr (DrayFuture) bad = submit_dying (rig, death);

      dray_completion_queue_add (queue, bad);
      dray_completion_queue_add (queue, good);
    }

  while ((next = dray_completion_queue_wait_next (queue, -1, NULL, NULL)) != NULL)
    {
      if (dray_future_get_state (next) == DRAY_FUTURE_SUCCEEDED)
        n_good++;
      else
        n_bad++;
      g_object_unref (next);
    }
  g_assert_cmpuint (n_good, ==, 4);
  g_assert_cmpuint (n_bad, ==, 4);
}

static void
test_launch (Rig *rig, gconstpointer data)
{
  const char *const argv[] = { "/no/such/program", NULL };
  const Death death = { .code = DRAY_ERROR_LAUNCH };
  g_autoptr (DrayExecutor) other = workshop_new (1);
  g_autoptr (DrayTask) task = rig_new_task ("echo", NULL);
  g_autoptr (DrayFuture) good = dray_executor_call (other, "add", g_variant_new ("(ii)", 1, 2));
  g_autoptr (DrayFuture) lost = NULL;

  g_test_summary ("Where no worker can be started, all that depends on it fails with the reason.");

  rig_start_with (rig, dray_launcher_new_argv (argv), 1);
  lost = dray_future_and_then (good, rig->executor, task, DRAY_POSITION_WHOLE);
  expect_death (dray_future_all ((DrayFuture *[]){ good, lost }, 2), &death, TRUE);
  expect_death (dray_future_and_then (lost, other, task, DRAY_POSITION_WHOLE), &death, FALSE);
  rig_expect_text (good, "3");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  for (guint i = 0; i < G_N_ELEMENTS (deaths); i++)
    {
      g_autofree char *part = g_strdup_printf ("/combine-deaths/part/%s", deaths[i].name);
      g_autofree char *chain = g_strdup_printf ("/combine-deaths/chain/%s", deaths[i].name);
      g_autofree char *group = g_strdup_printf ("/combine-deaths/group/%s", deaths[i].name);
      g_autofree char *queue = g_strdup_printf ("/combine-deaths/queue/%s", deaths[i].name);

      rig_add (part, &deaths[i], test_part);
      rig_add (chain, &deaths[i], test_chain);
      rig_add (group, &deaths[i], test_group);
      rig_add (queue, &deaths[i], test_queue);
    }
  rig_add ("/combine-deaths/launch", NULL, test_launch);

  return g_test_run ();
}
