/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "rig.h"

/*
 * Who waits for a tiny call hears its worker himself for a moment, and the worker need not ring. So
 * each of these tests makes calls that are answered at once, and then something that is not as was
 * expected: nobody may be left who waits for a bell that was not rung.
 */

#define N_QUICK 30
#define N_LIES 12

/* Waits for each in one of two ways; they are the same otherwise. */
#define blocks(data) (GPOINTER_TO_UINT (data) == 1)

static void
settle (DrayFuture *future, gboolean blocking)
{
  g_autoptr (GPtrArray) futures = NULL;

  if (blocking)
    {
      g_assert_true (dray_future_wait (future, -1, NULL, NULL));
      return;
    }

  futures = g_ptr_array_new ();
  g_ptr_array_add (futures, future);
  rig_run_until_all_done (futures);
}

/* After that, the next answer is expected in a moment. */
static void
call_quickly (Rig *rig, gboolean blocking)
{
  for (guint i = 0; i < N_QUICK; i++)
    {
      g_autoptr (DrayFuture) future = rig_call (rig, "null", NULL);

      settle (future, blocking);
      g_assert_cmpint (dray_future_get_state (future), ==, DRAY_FUTURE_SUCCEEDED);
    }
}

static void
test_later (Rig *rig, gconstpointer data)
{
  g_test_summary ("An answer that comes later than expected comes.");

  rig_start (rig, 1);
  for (guint i = 0; i < 20; i++)
    {
      g_autoptr (DrayFuture) future = NULL;

      call_quickly (rig, blocks (data));
      future = rig_call (rig, "sleep", "(u)", i % 3);
      settle (future, blocks (data));
      g_assert_cmpint (dray_future_get_state (future), ==, DRAY_FUTURE_SUCCEEDED);
    }
}

static void
test_more (Rig *rig, gconstpointer data)
{
  g_test_summary (
    "So does one that is preceded by items, or many times as large as shared memory.");

  rig_start (rig, 1);
  for (guint i = 0; i < 20; i++)
    {
      g_autoptr (DrayFuture) stream = NULL;
      g_autoptr (DrayFuture) large = NULL;
      g_autoptr (GVariant) bytes = NULL;

      call_quickly (rig, blocks (data));
      stream = rig_call (rig, "stream", "(uu)", 200, 1000);
      settle (stream, blocks (data));
      rig_expect_text (stream, "uint32 200");
      call_quickly (rig, blocks (data));
      large = rig_call (rig, "bytes", "(u)", 1024 * 1024);
      settle (large, blocks (data));
      bytes = rig_expect_result (large);
      g_assert_cmpuint (g_variant_get_size (bytes), ==, 1024 * 1024);
    }
}

static void
test_deaths (Rig *rig, gconstpointer data)
{
  static const struct
  {
    const char *function;
    int code;
  } vectors[] = {
    { "garbage", DRAY_ERROR_PROTOCOL },
    { "wrong-id", DRAY_ERROR_PROTOCOL },
    { "half-frame", DRAY_ERROR_WORKER_DIED },
  };

  g_test_summary (
    "A worker that dies or writes garbage instead of its answer is heard as by the I/O "
    "thread, and another one goes on.");

  rig_start (rig, 1);
  for (guint i = 0; i < 4 * G_N_ELEMENTS (vectors); i++)
    {
      g_autoptr (DrayFuture) future = NULL;

      call_quickly (rig, blocks (data));
      future = rig_call (rig, vectors[i / 4].function, NULL);
      settle (future, blocks (data));
      rig_expect_error (future, DRAY_ERROR, vectors[i / 4].code, NULL);
    }
}

static void
test_lies (Rig *rig, gconstpointer data)
{
  static const char *const lies[] = { "ring-ahead", "ring-back", "ring-far", "array" };

  g_test_summary (
    "Whoever hears a worker lie himself leaves it to the I/O thread, which finds the lie "
    "there once more: its task fails, and another worker goes on.");

  rig_start (rig, 1);
  g_object_set (rig->executor, "grace-period", 100, NULL);
  for (guint i = 0; i < N_LIES; i++)
    {
      g_autoptr (DrayFuture) future = NULL;

      call_quickly (rig, blocks (data));
      future = rig_call (rig, "lie", "(s)", lies[i % G_N_ELEMENTS (lies)]);
      settle (future, blocks (data));
      rig_expect_error (future, DRAY_ERROR, DRAY_ERROR_PROTOCOL, NULL);
    }
}

static gpointer
cancel_thread (gpointer future)
{
  dray_future_cancel (future);

  return NULL;
}

static void
test_cancelled (Rig *rig, gconstpointer data)
{
  int pid;

  g_test_summary (
    "Where the task is cancelled meanwhile, its worker is heard when it confirms that, "
    "and lives on.");

  rig_start (rig, 1);
  g_object_set (rig->executor, "grace-period", 60000, NULL);
  pid = rig_ask_pid (rig);
  for (guint i = 0; i < 20; i++)
    {
      g_autoptr (DrayFuture) future = NULL;
      GThread *thread;

      call_quickly (rig, blocks (data));
      future = rig_call (rig, "block", NULL);
      thread = g_thread_new ("cancels", cancel_thread, future);
      settle (future, blocks (data));
      g_thread_join (thread);
      g_assert_cmpint (dray_future_get_state (future), ==, DRAY_FUTURE_CANCELLED);
    }
  g_assert_cmpint (rig_ask_pid (rig), ==, pid);
}

static gpointer
call_thread (gpointer data)
{
  Rig *rig = data;

  for (guint i = 0; i < 500; i++)
    {
      g_autoptr (DrayFuture) future = i % 50 == 49 ? rig_call (rig, "sleep", "(u)", 1)
                                                   : rig_call (rig, "null", NULL);

      g_assert_true (dray_future_wait (future, -1, NULL, NULL));
      g_assert_cmpint (dray_future_get_state (future), ==, DRAY_FUTURE_SUCCEEDED);
    }

  return NULL;
}

static void
test_company (Rig *rig, gconstpointer data)
{
  GThread *threads[3];

  g_test_summary (
    "Several threads that wait for tiny calls are all answered, with a worker for each "
    "and with one for all; and so are tasks that nobody waits for.");

  for (guint n_workers = 1; n_workers <= 3; n_workers += 2)
    {
      g_autoptr (GPtrArray) futures = g_ptr_array_new_with_free_func (g_object_unref);

      rig_start (rig, n_workers);
      for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
        threads[i] = g_thread_new ("calls", call_thread, rig);
      for (guint i = 0; i < 200; i++)
        {
          g_ptr_array_add (futures, rig_call (rig, "null", NULL));
          if (i % 10 == 0)
            settle (futures->pdata[i], blocks (data));
        }
      rig_run_until_all_done (futures);
      for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
        g_thread_join (threads[i]);
      rig_shut_down (rig, DRAY_SHUTDOWN_DRAIN);
    }
}

static void
then_cb (DrayFuture *future, gpointer user_data)
{
  gboolean *told = user_data;

  *told = TRUE;
}

static void
test_what_follows (Rig *rig, gconstpointer data)
{
  g_test_summary ("What waits for the end of the call, and what was put behind it, goes on.");

  rig_start (rig, 1);
  for (guint i = 0; i < 50; i++)
    {
      g_autoptr (DrayTask) task = rig_new_task ("echo", NULL);
      g_autoptr (DrayFuture) first = NULL;
      g_autoptr (DrayFuture) second = NULL;
      g_autoptr (DrayFuture) third = NULL;
      gboolean told = FALSE;

      call_quickly (rig, blocks (data));
      first = rig_call (rig, "add", "(ii)", 1, 1);
      if (i % 2)
        third = rig_call (rig, "null", NULL);
      second = dray_future_and_then (first, rig->executor, task, DRAY_POSITION_WHOLE);
      dray_future_add_done_callback (second, then_cb, &told, NULL);
      settle (first, blocks (data));
      rig_expect_text (second, "2");
      if (third != NULL)
        rig_expect_text (third, "()");
      fixture_iterate_until_true (&told, "the callback is called");
    }
}

static void
test_shut_down (Rig *rig, gconstpointer data)
{
  g_test_summary ("An executor that is dropped right after an answer that was expected ends.");

  for (guint i = 0; i < 10; i++)
    {
      g_autoptr (DrayFuture) future = NULL;

      rig_start (rig, 1);
      call_quickly (rig, blocks (data));
      future = rig_call (rig, "null", NULL);
      if (i % 2)
        settle (future, blocks (data));
      rig_shut_down (rig, i % 4 < 2 ? DRAY_SHUTDOWN_DRAIN : DRAY_SHUTDOWN_TERMINATE);
    }
}

static void
add (const char *name, void (*test) (Rig *rig, gconstpointer data))
{
  g_autofree char *blocking = g_strdup_printf ("/expecting/%s/blocking", name);
  g_autofree char *iterating = g_strdup_printf ("/expecting/%s/iterating", name);

  rig_add (blocking, GUINT_TO_POINTER (1), test);
  rig_add (iterating, GUINT_TO_POINTER (0), test);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  add ("later", test_later);
  add ("more", test_more);
  add ("deaths", test_deaths);
  add ("lies", test_lies);
  add ("cancelled", test_cancelled);
  add ("company", test_company);
  add ("what-follows", test_what_follows);
  add ("shut-down", test_shut_down);

  return g_test_run ();
}
