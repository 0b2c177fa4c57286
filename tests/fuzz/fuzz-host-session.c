/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <fcntl.h>
#include <gio/gio.h>
#include <gio/gunixfdlist.h>
#include <unistd.h>

#include "dray.h"
#include "fuzz.h"
#include "scripted-worker.h"
#include "turned-loop.h"

/*
 * A whole session: an application with its executor, whose workers and commands do what the script
 * says. All of the library's host side is there, with real pipes, sockets and shared memory; only
 * that there are no processes, no threads, and no time but the script's.
 *
 * Each step is one of the application's or of a child's. After most of them, everything is let to
 * come to rest; then the next one. In the end the executor is shut down, in the way that the
 * script's last byte says, and what must hold is looked at:
 *
 *   - each future is done, and its callback was called, exactly once; no item came after that
 *   - each call of a map has one outcome at most, in order where that was asked for
 *   - the loop, which is the I/O thread, is gone, and the executor is
 *   - no descriptor is left open (and no memory, which is the leak checker's to find)
 *   - it all came to rest, in a bounded number of turns
 */

#define MAX_STEPS 200
#define MAX_FUTURES 32
#define MAX_MAPS 2
#define MAX_MAP_CALLS 40

/* After so many turns something goes round in circles. */
#define MAX_TURNS 20000

/* In the end, so often is waited for a time limit of some kind. */
#define MAX_TIMERS 12

typedef struct
{
  DrayFuture *future; /* (owned) (nullable): NULL when it was dropped */
  gboolean has_callback;
  guint n_done;
  guint n_freed;
} Submitted;

typedef struct
{
  DrayMap *map; /* (owned) (nullable) */
  guint n_calls;
  guint n_given;
  guint n_outcomes;
  guint64 next_index;
  gboolean ordered;
} Mapped;

typedef struct
{
  DrayExecutor *executor; /* (owned) (nullable) */
  FuzzScript script;
  Submitted futures[MAX_FUTURES];
  guint n_futures;
  Mapped maps[MAX_MAPS];
  guint n_maps;
  gboolean main_asleep;
  gboolean trusted;
  gboolean shut_down;
  gboolean executor_gone;
} Session;

/* --- Coming to rest --- */

static gboolean
let_children_go_on (void)
{
  gboolean busy = FALSE;

  for (GList *link = scripted_children ()->head, *next; link != NULL; link = next)
    {
      next = link->next;
      busy |= scripted_worker_go_on (link->data);
    }
  return busy;
}

static gboolean
iterate_main (Session *self)
{
  gboolean busy = FALSE;

  for (guint i = 0; !self->main_asleep && g_main_context_iteration (NULL, FALSE); i++)
    {
      fuzz_check (i < MAX_TURNS);
      busy = TRUE;
    }
  return busy;
}

static void
come_to_rest (Session *self)
{
  gboolean busy = TRUE;

  for (guint i = 0; busy; i++)
    {
      fuzz_check (i < MAX_TURNS);
      busy = turned_loop_turn ();
      busy |= let_children_go_on ();
      busy |= iterate_main (self);
    }
}

/* --- Futures --- */

static void
item_cb (DrayFuture *future, GVariant *item, gpointer user_data)
{
  Submitted *submitted = user_data;

  fuzz_check (submitted->n_done == 0);
  fuzz_check (item != NULL && !g_variant_is_floating (item));
}

static void
check_outcome (DrayFuture *future)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result = NULL;
  g_autoptr (GUnixFDList) attachments = NULL;
  DrayFutureState state = dray_future_get_state (future);

  fuzz_check (dray_future_is_done (future) && state >= DRAY_FUTURE_SUCCEEDED);
  result = dray_future_dup_result (future, &error);
  fuzz_check ((result != NULL) == (state == DRAY_FUTURE_SUCCEEDED));
  fuzz_check ((result == NULL) == (error != NULL));
  fuzz_check (error == NULL || g_utf8_validate (error->message, -1, NULL));
  attachments = dray_future_dup_attachments (future);
}

static void
done_cb (DrayFuture *future, gpointer user_data)
{
  Submitted *submitted = user_data;

  fuzz_check (submitted->n_done++ == 0);
  check_outcome (future);
}

static void
freed_cb (gpointer user_data)
{
  Submitted *submitted = user_data;

  fuzz_check (submitted->n_freed++ == 0);
}

/* Takes @future. */
static void
follow (Session *self, DrayFuture *future, gboolean has_callback)
{
  Submitted *submitted = &self->futures[self->n_futures++];

  submitted->future = future;
  submitted->has_callback = has_callback;
  if (!has_callback)
    return;

  dray_future_add_done_callback (future, done_cb, submitted, freed_cb);
  if (!dray_task_get_pull (dray_future_get_task (future)))
    g_signal_connect (future, "item", G_CALLBACK (item_cb), submitted);
}

/* (transfer none) (nullable) */
static DrayFuture *
take_future (Session *self)
{
  guint index = fuzz_take_byte (&self->script);

  return self->n_futures > 0 ? self->futures[index % self->n_futures].future : NULL;
}

/* --- Submitting --- */

static GVariant *
take_arguments (FuzzScript *script)
{
  guint how = fuzz_take_byte (script);
  gsize size;
  g_autofree guint8 *zeros = NULL;
  g_autoptr (GVariant) value = NULL;

  if (how < 128)
    return g_variant_new_uint32 (how);
  if (how < 192)
    {
      value = fuzz_take_value (script);
      return g_variant_new_tuple (&value, 1);
    }

  size = ((gsize) how - 191) * 2048;
  zeros = g_malloc0 (size);
  return g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, zeros, size, 1);
}

static void
attach_something (DrayTask *task)
{
  int fd = open ("/dev/null", O_RDONLY | O_CLOEXEC);
  g_autoptr (GUnixFDList) attachments = g_unix_fd_list_new_from_array (&fd, 1);

  dray_task_set_attachments (task, attachments, NULL);
}

static void
set_options (DrayTask *task, FuzzScript *script)
{
  guint how = fuzz_take_byte (script);

  dray_task_set_pull (task, (how & 1) != 0);
  dray_task_set_cancel_mode (task, (how & 2) != 0 ? DRAY_CANCEL_CONFIRMED : DRAY_CANCEL_IMMEDIATE);
  dray_task_set_max_retries (task, (how >> 2) & 1);
  dray_task_set_time_limit (task, (how & 8) != 0 ? 100 : 0);
  dray_task_set_priority (task, (how & 16) != 0 ? 10 : 0);
  if ((how & 32) != 0)
    dray_task_set_key (task, (how & 64) != 0 ? "one" : "other");
  if ((how & 128) != 0 && dray_task_get_kind (task) == DRAY_TASK_CALL)
    attach_something (task);
}

static void
submit_task (Session *self, DrayTask *task)
{
  gboolean has_callback = fuzz_take_byte (&self->script) < 192;

  follow (self, dray_executor_submit (self->executor, task, NULL), has_callback);
}

static void
submit_calls (Session *self, guint n_calls)
{
  for (guint i = 0; i < n_calls && self->n_futures < MAX_FUTURES; i++)
    follow (self, dray_executor_call (self->executor, "function", NULL), TRUE);
}

static void
submit_call (Session *self)
{
  g_autoptr (DrayTask) task = NULL;

  if (self->n_futures == MAX_FUTURES)
    return;

  task = dray_task_new_call ("function", take_arguments (&self->script));
  set_options (task, &self->script);
  submit_task (self, task);
}

static void
submit_command (Session *self)
{
  const char *const argv[] = { "/scripted/command", NULL };
  g_autoptr (DrayTask) task = NULL;
  guint how;

  if (self->n_futures == MAX_FUTURES)
    return;

  task = dray_task_new_command (argv);
  set_options (task, &self->script);
  how = fuzz_take_byte (&self->script);
  dray_task_set_split (task, how & 3);
  dray_task_set_encoding (task, (how & 4) != 0 ? DRAY_ENCODING_UTF8 : DRAY_ENCODING_BYTES);
  if ((how & 8) != 0)
    dray_task_set_max_record_size (task, 64);
  if ((how & 16) != 0)
    dray_task_set_max_output_size (task, 64);
  submit_task (self, task);
}

/* --- Maps --- */

static GVariant *
generate_cb (gpointer user_data)
{
  Mapped *mapped = user_data;

  return mapped->n_given < mapped->n_calls ? g_variant_new_uint32 (mapped->n_given++) : NULL;
}

static void
outcome_cb (DrayMap *map, DrayOutcome *outcome, gpointer user_data)
{
  Mapped *mapped = user_data;
  guint64 index = dray_outcome_get_index (outcome);

  fuzz_check (index < mapped->n_given && mapped->n_outcomes < mapped->n_given);
  fuzz_check (!mapped->ordered || index == mapped->next_index);
  mapped->next_index = index + 1;
  mapped->n_outcomes++;
}

static void
map_over_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Mapped *mapped = user_data;
  guint64 n_outcomes = 0;
  g_autoptr (GError) error = NULL;

  if (dray_map_for_each_finish (DRAY_MAP (source), result, &n_outcomes, &error))
    fuzz_check (mapped->n_outcomes == mapped->n_calls);
  else
    fuzz_check (error != NULL);
}

static void
map_something (Session *self)
{
  Mapped *mapped;
  guint how;

  if (self->n_maps == MAX_MAPS)
    return;

  mapped = &self->maps[self->n_maps++];
  mapped->n_calls = fuzz_take_up_to (&self->script, MAX_MAP_CALLS);
  how = fuzz_take_byte (&self->script);
  mapped->ordered = (how & 1) != 0;
  mapped->map = dray_executor_map (self->executor, "function", generate_cb, mapped, NULL);
  dray_map_set_ordered (mapped->map, mapped->ordered);
  dray_task_set_max_retries (dray_map_get_task (mapped->map), (how >> 1) & 1);
  if ((how & 4) != 0)
    dray_task_set_time_limit (dray_map_get_task (mapped->map), 100);
  dray_map_for_each_async (mapped->map, outcome_cb, mapped, NULL, NULL, map_over_cb, mapped);
}

/* --- Steering --- */

static void
cancel_something (Session *self)
{
  guint index = fuzz_take_byte (&self->script);
  DrayFuture *future;

  if (index >= 192 && self->n_maps > 0)
    {
      dray_map_cancel (self->maps[index % self->n_maps].map);
      return;
    }

  future = self->n_futures > 0 ? self->futures[index % self->n_futures].future : NULL;
  if (future != NULL)
    dray_future_cancel (future);
}

static void
drop_something (Session *self)
{
  guint index = fuzz_take_byte (&self->script);

  if (self->n_futures > 0)
    g_clear_object (&self->futures[index % self->n_futures].future);
}

static void
items_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) items = dray_future_next_items_finish (DRAY_FUTURE (source), result,
                                                               &error);

  fuzz_check (items != NULL || error != NULL || dray_future_is_done (DRAY_FUTURE (source)));
}

static void
pull_something (Session *self)
{
  DrayFuture *future = take_future (self);
  guint n_items = 1 + fuzz_take_byte (&self->script);

  if (future != NULL && dray_task_get_pull (dray_future_get_task (future)))
    dray_future_next_items_async (future, n_items, NULL, items_cb, NULL);
}

static void
steer (Session *self)
{
  guint how = fuzz_take_byte (&self->script);
  DrayFuture *future;

  switch (how & 7)
    {
    case 0:
      dray_executor_set_paused (self->executor, (how & 8) != 0);
      break;
    case 1:
      dray_executor_set_max_workers (self->executor, 1 + (how >> 3) % 4);
      break;
    case 2:
      dray_executor_cancel_all (self->executor);
      break;
    case 3:
      future = take_future (self);
      if (future != NULL)
        dray_future_set_priority (future, (how >> 3) - 16);
      break;
    case 4:
      scripted_children_fail ((how >> 3) % 8);
      break;
    case 5:
      dray_executor_get_workers (self->executor);
      break;
    case 6:
      dray_executor_get_futures (self->executor);
      break;
    default:
      future = take_future (self);
      if (future != NULL)
        dray_future_wait (future, 0, NULL, NULL);
    }
}

static void
let_time_pass (Session *self)
{
  guint how = fuzz_take_byte (&self->script);

  if (how < 64)
    turned_loop_skip_to_timer ();
  else
    turned_loop_let_time_pass ((gint64) (how - 64) * (how - 64) * 100);
}

static void
let_child_act (Session *self)
{
  GQueue *children = scripted_children ();
  guint index = fuzz_take_byte (&self->script);

  if (children->length > 0)
    scripted_worker_act (g_queue_peek_nth (children, index % children->length), &self->script);
}

static void
shut_down_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  dray_executor_shutdown_finish (DRAY_EXECUTOR (source), result, NULL);
}

static void
shut_down (Session *self, DrayShutdownMode mode)
{
  dray_executor_shutdown_async (self->executor, mode, NULL, shut_down_cb, self);
  self->shut_down = TRUE;
}

static void
take_step (Session *self)
{
  guint8 first = fuzz_take_byte (&self->script);

  switch (first & 0x1f)
    {
    case 0:
      submit_call (self);
      break;
    case 1:
      submit_calls (self, 1 + fuzz_take_byte (&self->script) % 8);
      break;
    case 2:
      submit_command (self);
      break;
    case 3:
      map_something (self);
      break;
    case 4:
      cancel_something (self);
      break;
    case 5:
      drop_something (self);
      break;
    case 6:
      pull_something (self);
      break;
    case 7:
      steer (self);
      break;
    case 8:
      let_time_pass (self);
      break;
    case 9:
      self->main_asleep = !self->main_asleep;
      break;
    case 10:
      shut_down (self, fuzz_take_up_to (&self->script, DRAY_SHUTDOWN_KILL));
      break;
    default:
      let_child_act (self);
    }

  if ((first & 0x80) == 0)
    come_to_rest (self);
}

/* --- Beginning and end --- */

static DrayLauncher *
make_launcher (Session *self, guint how)
{
  const char *const argv[] = { SCRIPTED_WORKER, NULL };
  const char *const environment[] = { NULL };
  DrayLauncher *launcher = dray_launcher_new_argv (argv);

  self->trusted = (how & 1) != 0;
  dray_launcher_set_environment (launcher, environment);
  dray_launcher_set_trusted (launcher, self->trusted);
  if ((how & 2) != 0)
    dray_launcher_set_shared_size (launcher, 4096);
  if ((how & 4) != 0)
    dray_launcher_set_initial_arguments (launcher, g_variant_new_string ("arguments"));
  return launcher;
}

static void
executor_gone_cb (gpointer data, GObject *where_it_was)
{
  ((Session *) data)->executor_gone = TRUE;
}

static void
begin (Session *self)
{
  guint how = fuzz_take_byte (&self->script);
  g_autoptr (DrayLauncher) launcher = make_launcher (self, how);

  self->executor = dray_executor_new (launcher);
  g_object_weak_ref (G_OBJECT (self->executor), executor_gone_cb, self);
  g_object_set (self->executor, "max-workers", 1 + ((how >> 3) & 1), "max-message-size",
                (guint64) 1 << 20, "grace-period", 1000, "launch-timeout", 10000,
                "max-tasks-per-worker", (how & 16) != 0 ? 3 : 0, NULL);
  if ((how & 32) != 0)
    g_object_set (self->executor, "max-undelivered-items", 8, "max-undelivered-items-per-future", 4,
                  NULL);
  if ((how & 64) != 0)
    g_object_set (self->executor, "max-undelivered-bytes", (guint64) 4096, "idle-timeout", 500,
                  NULL);
  if ((how & 128) != 0)
    g_object_set (self->executor, "max-pending-tasks", 4, NULL);
}

/* Until the loop is gone. A child may never do what is waited for: then all are killed. */
static void
run_to_end (Session *self)
{
  gboolean killed = FALSE;

  for (guint i = 0; turned_loop_exists (); i++)
    {
      gboolean waits;

      come_to_rest (self);
      waits = i < MAX_TIMERS && turned_loop_skip_to_timer ();
      if (waits || !turned_loop_exists ())
        continue;

      fuzz_check (!killed);
      shut_down (self, DRAY_SHUTDOWN_KILL);
      killed = TRUE;
      i = 0;
    }
  come_to_rest (self);
}

static void
check_futures (Session *self)
{
  for (guint i = 0; i < self->n_futures; i++)
    {
      Submitted *submitted = &self->futures[i];

      if (submitted->future != NULL)
        check_outcome (submitted->future);
      g_clear_object (&submitted->future);
      fuzz_check (submitted->n_done == (submitted->has_callback ? 1 : 0));
      fuzz_check (submitted->n_freed == submitted->n_done);
    }
}

/* What nobody answers is tried with worker after worker, which takes most of the time: so no more
 * of them can be started in most sessions. */
static void
end (Session *self, guint how)
{
  self->main_asleep = FALSE;
  if ((how & 0x38) != 0)
    scripted_children_fail (G_MAXUINT);
  for (GList *link = scripted_children ()->head; link != NULL && (how & 4) != 0; link = link->next)
    if (((DrayChild *) link->data)->is_worker)
      scripted_worker_answer_all (link->data);
  shut_down (self, how & 3);
  run_to_end (self);

  check_futures (self);
  for (guint i = 0; i < self->n_maps; i++)
    g_clear_object (&self->maps[i].map);
  g_clear_object (&self->executor);
  come_to_rest (self);

  fuzz_check (self->executor_gone);
  fuzz_check (g_queue_is_empty (scripted_children ()));
}

/* The next descriptor that would be made, from @first on. */
static int
look_for_descriptor (int first)
{
  int fd = fcntl (STDIN_FILENO, F_DUPFD_CLOEXEC, first);

  fuzz_check (fd >= 0);
  close (fd);
  return fd;
}

static void
run_session (const guint8 *data, gsize size)
{
  const gsize length = MAX (size, 1) - 1;
  Session self = { .script = { .data = data, .size = length } };

  scripted_children_fail (0);
  begin (&self);
  for (guint i = 0; self.script.size > 0 && i < MAX_STEPS; i++)
    take_step (&self);
  end (&self, size > 0 ? data[length] : 0);
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  static gboolean warm = FALSE;
  int low, high;

  /* GLib makes descriptors of its own, once. */
  if (!warm)
    run_session (NULL, 0);
  warm = TRUE;

  low = look_for_descriptor (3);
  high = look_for_descriptor (100);
  run_session (data, size);
  fuzz_check (look_for_descriptor (3) == low && look_for_descriptor (100) == high);
  return 0;
}
