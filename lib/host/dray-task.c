/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-task-private.h"

#include <string.h>

/**
 * DrayTask:
 *
 * The description of a piece of work: a *call* or a *command*.
 *
 * A call ([ctor@Task.new_call]) names a function of the executor's workers and the arguments for
 * it. It runs in a worker of the pool, which runs many calls one after another. A command
 * ([ctor@Task.new_command]) is the argument vector of a program, which runs as a process of its
 * own; what it writes to its standard output becomes the items, or the result, of the future.
 *
 * A task says only what is to be done, and [method@Executor.submit] has it done. The same task
 * can be submitted many times, to several executors, and each time gives a [class@Future] of its
 * own.
 *
 * ## Lifetime and threads
 *
 * A task is set up by one thread. The first submit seals it: from then on it can't be changed,
 * and so is safe to use on any thread without a lock. A setter that is called on a sealed task
 * is a programmer error; it logs a critical message and changes nothing. What the getters return
 * belongs to the task.
 *
 * ## Example
 *
 * The names of all files in a folder that `find` comes by, as they come:
 *
 * ```c
 * const char *const argv[] = { "find", folder, "-type", "f", "-print0", NULL };
 * g_autoptr (DrayTask) task = dray_task_new_command (argv);
 * g_autoptr (DrayFuture) future = NULL;
 *
 * dray_task_set_split (task, DRAY_SPLIT_RECORDS);
 * dray_task_set_time_limit (task, 60 * 1000);
 * future = dray_executor_submit (executor, task, NULL);
 * g_signal_connect (future, "item", G_CALLBACK (on_file_name), self);
 * dray_future_add_done_callback (future, on_done, self, NULL); // and keeps it alive until then
 * ```
 *
 * Since: 0.1
 */

#define DEFAULT_MAX_RECORD_SIZE ((gsize) 1024 * 1024)
#define DEFAULT_MAX_OUTPUT_SIZE ((gsize) 64 * 1024 * 1024)

G_DEFINE_BOXED_TYPE (DrayTask, dray_task, dray_task_ref, dray_task_unref)

/* Calls have none: it is the function's name. */
static char *
make_default_label (DrayTask *self)
{
  return self->kind == DRAY_TASK_COMMAND ? g_filename_display_basename (self->argv[0]) : NULL;
}

/* With room behind it. */
static DrayTask *
new_task (DrayTaskKind kind, gsize room)
{
  DrayTask *self = g_malloc0 (sizeof (DrayTask) + room);

  g_atomic_ref_count_init (&self->ref_count);
  self->kind = kind;
  self->cancel_mode = DRAY_CANCEL_IMMEDIATE;
  self->input_fd = -1;
  self->split = DRAY_SPLIT_NONE;
  self->encoding = DRAY_ENCODING_BYTES;
  self->max_record_size = DEFAULT_MAX_RECORD_SIZE;
  self->max_output_size = DEFAULT_MAX_OUTPUT_SIZE;
  return self;
}

static void
free_task (DrayTask *self)
{
  dray_task_clear_input (self);
  g_free (self->label);
  g_free (self->key);
  g_clear_pointer (&self->arguments, g_variant_unref);
  g_clear_object (&self->attachments);
  g_strfreev (self->argv);
  g_free (self->directory);
  g_strfreev (self->environment);
  g_free (self);
}

/**
 * dray_task_new_call:
 * @function: the name of a function of the executor's workers, not empty
 * @arguments: (nullable): what to call it with, of any type; %NULL stands for `()`
 *
 * Makes a task that calls a function of a pooled worker.
 *
 * Which functions there are, and of which types their arguments must be, is known to the workers
 * alone; a name or a type that is wrong shows as %DRAY_ERROR_UNKNOWN_FUNCTION or
 * %DRAY_ERROR_BAD_ARGUMENTS of the future. A floating @arguments is consumed.
 *
 * Returns: (transfer full): a task
 *
 * Since: 0.1
 */
DrayTask *
dray_task_new_call (const char *function, GVariant *arguments)
{
  g_return_val_if_fail (dray_task_is_function_name (function), NULL);

  gsize size = strlen (function) + 1;
  DrayTask *self = new_task (DRAY_TASK_CALL, size);

  self->function = memcpy (self + 1, function, size);
  self->arguments = arguments != NULL ? g_variant_ref_sink (arguments) : NULL;
  self->has_large_arguments = arguments != NULL
                              && g_variant_get_size (arguments) >= DRAY_TASK_LARGE;
  return self;
}

/**
 * dray_task_new_command:
 * @argv: (array zero-terminated=1) (element-type filename): the program and its arguments
 *
 * Makes a task that runs a program in a process of its own.
 *
 * No shell is involved: each string reaches the program as it is. A program without a `/` in its
 * name is searched in the `PATH` of the environment that the command gets. One with a `/` that
 * is not absolute is looked for from the directory that the command starts in
 * ([method@Task.set_directory]).
 *
 * The command's standard input is empty unless [method@Task.set_input_bytes] or
 * [method@Task.set_input_fd] says otherwise. Its standard output is split as
 * [method@Task.set_split] says. The end of its standard error goes into the message of the error
 * when it fails. A command that exits with a status other than 0 fails with
 * %G_SPAWN_EXIT_ERROR and the status as the code, and one that a signal ends with
 * %DRAY_SIGNAL_ERROR and the signal's number.
 *
 * Returns: (transfer full): a task
 *
 * Since: 0.1
 */
DrayTask *
dray_task_new_command (const char *const *argv)
{
  g_return_val_if_fail (argv != NULL && argv[0] != NULL && *argv[0] != '\0', NULL);

  DrayTask *self = new_task (DRAY_TASK_COMMAND, 0);

  self->argv = g_strdupv ((char **) argv);
  self->label = make_default_label (self);
  return self;
}

/**
 * dray_task_ref:
 * @self: a task
 *
 * Adds a reference. Any thread.
 *
 * Returns: (transfer full): @self
 *
 * Since: 0.1
 */
DrayTask *
dray_task_ref (DrayTask *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

/**
 * dray_task_unref:
 * @self: (transfer full): a task
 *
 * Drops a reference, and frees the task with the last one. Any thread.
 *
 * Since: 0.1
 */
void
dray_task_unref (DrayTask *self)
{
  g_return_if_fail (self != NULL);

  if (g_atomic_ref_count_dec (&self->ref_count))
    free_task (self);
}

void
dray_task_seal (DrayTask *self)
{
  g_return_if_fail (self != NULL);

  /* Submitting one task a million times must not write to its memory a million times. */
  if (!dray_task_is_sealed (self))
    g_atomic_int_set (&self->sealed, TRUE);
}

/**
 * dray_task_get_kind:
 * @self: a task
 *
 * Tells a call from a command.
 *
 * Returns: what the task describes
 *
 * Since: 0.1
 */
DrayTaskKind
dray_task_get_kind (DrayTask *self)
{
  g_return_val_if_fail (self != NULL, DRAY_TASK_CALL);

  return self->kind;
}

/**
 * dray_task_get_function:
 * @self: a task
 *
 * Gets the name of the function that is called.
 *
 * Returns: (nullable): the name, or %NULL for a command
 *
 * Since: 0.1
 */
const char *
dray_task_get_function (DrayTask *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return self->function;
}

/**
 * dray_task_get_arguments:
 * @self: a task
 *
 * Gets what the function is called with.
 *
 * Returns: (transfer none) (nullable): the arguments, or %NULL if none were given and for a
 *   command
 *
 * Since: 0.1
 */
GVariant *
dray_task_get_arguments (DrayTask *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return self->arguments;
}

/**
 * dray_task_get_argv:
 * @self: a task
 *
 * Gets the program and its arguments.
 *
 * Returns: (transfer none) (nullable) (array zero-terminated=1) (element-type filename): the
 *   strings, or %NULL for a call
 *
 * Since: 0.1
 */
const char *const *
dray_task_get_argv (DrayTask *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return (const char *const *) self->argv;
}

/**
 * dray_task_set_label:
 * @self: a task
 * @label: (nullable): a short name in UTF-8, or %NULL for the default
 *
 * Sets the name by which lists of tasks and messages show this one. The default is the name of
 * the function, or the base name of the command's program.
 *
 * Since: 0.1
 */
void
dray_task_set_label (DrayTask *self, const char *label)
{
  g_return_if_fail (self != NULL);
  g_return_if_fail (!dray_task_is_sealed (self));
  g_return_if_fail (label == NULL || g_utf8_validate (label, -1, NULL));

  char *copy = label != NULL ? g_strdup (label) : make_default_label (self);

  g_free (self->label);
  self->label = copy;
}

/**
 * dray_task_get_label:
 * @self: a task
 *
 * Gets the name by which the task is shown.
 *
 * Returns: the label
 *
 * Since: 0.1
 */
const char *
dray_task_get_label (DrayTask *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return self->label != NULL ? self->label : self->function;
}

/**
 * dray_task_set_priority:
 * @self: a task
 * @priority: any number
 *
 * Sets how soon the task has its turn among those that are pending. As everywhere in GLib a
 * lower number comes first; the default is 0. Tasks of one priority run in the order in which
 * they were submitted. What runs already is never interrupted.
 *
 * A worker that is busy may have been sent what it runs next: one call, or as many as it is
 * expected to run in a millisecond. A task that is submitted after that comes behind those, however
 * urgent it is. To come before them it has to be raised once it is pending:
 * [method@Future.set_priority] changes the priority of what was submitted.
 *
 * Since: 0.1
 */
void
dray_task_set_priority (DrayTask *self, int priority)
{
  g_return_if_fail (self != NULL);
  g_return_if_fail (!dray_task_is_sealed (self));

  self->priority = priority;
}

/**
 * dray_task_get_priority:
 * @self: a task
 *
 * Gets the priority.
 *
 * Returns: the priority; a lower one comes first
 *
 * Since: 0.1
 */
int
dray_task_get_priority (DrayTask *self)
{
  g_return_val_if_fail (self != NULL, 0);

  return self->priority;
}

/**
 * dray_task_set_time_limit:
 * @self: a task
 * @milliseconds: the longest that the task may run, or 0 for no limit
 *
 * Limits how long the task may run, counted from its start; the time that it is pending does not
 * count. A task that runs longer is ended and fails with %DRAY_ERROR_TIMED_OUT. The default is
 * no limit.
 *
 * A task runs until its end was heard. As long as a limit of the executor on what is undelivered
 * keeps its worker from being heard, the time goes on.
 *
 * Since: 0.1
 */
void
dray_task_set_time_limit (DrayTask *self, guint milliseconds)
{
  g_return_if_fail (self != NULL);
  g_return_if_fail (!dray_task_is_sealed (self));

  self->time_limit = milliseconds;
}

/**
 * dray_task_get_time_limit:
 * @self: a task
 *
 * Gets the longest that the task may run.
 *
 * Returns: milliseconds, or 0 for no limit
 *
 * Since: 0.1
 */
guint
dray_task_get_time_limit (DrayTask *self)
{
  g_return_val_if_fail (self != NULL, 0);

  return self->time_limit;
}

/**
 * dray_task_set_max_retries:
 * @self: a task
 * @max_retries: how often to run it again, 0 for never
 *
 * Sets how often the task is run again if its worker dies while it runs. Only a worker's death
 * is worth another try: an error that a function returns, or a status that a command exits with,
 * is an answer. The default is 0, since a task which has done half its work may not like to
 * begin anew.
 *
 * Since: 0.1
 */
void
dray_task_set_max_retries (DrayTask *self, guint max_retries)
{
  g_return_if_fail (self != NULL);
  g_return_if_fail (!dray_task_is_sealed (self));

  self->max_retries = max_retries;
}

/**
 * dray_task_get_max_retries:
 * @self: a task
 *
 * Gets how often the task is run again if its worker dies.
 *
 * Returns: the number of further tries
 *
 * Since: 0.1
 */
guint
dray_task_get_max_retries (DrayTask *self)
{
  g_return_val_if_fail (self != NULL, 0);

  return self->max_retries;
}

/**
 * dray_task_set_cancel_mode:
 * @self: a task
 * @mode: when a running task counts as cancelled
 *
 * Sets whether the future is cancelled at once, which is the default, or when the worker has
 * confirmed that it stopped. In the latter case what the function then returns counts: with a
 * result the future succeeds, and with an error other than %G_IO_ERROR_CANCELLED it fails.
 *
 * Since: 0.1
 */
void
dray_task_set_cancel_mode (DrayTask *self, DrayCancelMode mode)
{
  g_return_if_fail (self != NULL);
  g_return_if_fail (!dray_task_is_sealed (self));
  g_return_if_fail (mode == DRAY_CANCEL_IMMEDIATE || mode == DRAY_CANCEL_CONFIRMED);

  self->cancel_mode = mode;
}

/**
 * dray_task_get_cancel_mode:
 * @self: a task
 *
 * Gets when the task counts as cancelled once it runs.
 *
 * Returns: the mode
 *
 * Since: 0.1
 */
DrayCancelMode
dray_task_get_cancel_mode (DrayTask *self)
{
  g_return_val_if_fail (self != NULL, DRAY_CANCEL_IMMEDIATE);

  return self->cancel_mode;
}

/**
 * dray_task_set_pull:
 * @self: a task
 * @pull: whether its items are pulled
 *
 * Sets whether the items of the task's future are pulled by whoever wants them
 * ([method@Future.next_item_async], [method@Future.wait_next_item]), instead of being pushed
 * through [signal@Future::item]. What nobody pulls stays in the pipe, but for a few items that are
 * read ahead, and the worker, or the command, waits until somebody does. So the task may not end,
 * nor its done callbacks come, before enough was pulled; [method@Future.wait] reads all of it.
 * Progress is told as ever. The default is %FALSE.
 *
 * Since: 0.1
 */
void
dray_task_set_pull (DrayTask *self, gboolean pull)
{
  g_return_if_fail (self != NULL);
  g_return_if_fail (!dray_task_is_sealed (self));

  self->pull = !!pull;
}

/**
 * dray_task_get_pull:
 * @self: a task
 *
 * Tells whether the items of the task's future are pulled.
 *
 * Returns: whether they are
 *
 * Since: 0.1
 */
gboolean
dray_task_get_pull (DrayTask *self)
{
  g_return_val_if_fail (self != NULL, FALSE);

  return self->pull;
}

/**
 * dray_task_set_key:
 * @self: a task
 * @key: (nullable): what stands for the work, in UTF-8, or %NULL for work of its own
 *
 * Lets the task share a run with others of the same key, so that work which is asked for twice
 * meanwhile is done once. Two tasks share one if they were submitted to the same executor, the
 * second before the first was done or cancelled; if both call the same function, or both run the
 * same program; and if both are pulled ([method@Task.set_pull]) or neither is. That their arguments
 * mean the same is up to whoever makes the key: those of the first are used.
 *
 * Each task has a future of its own. All of them get the result, or the error, and the same list of
 * open files that came with the result. A future that joins later gets the items and the progress
 * from then on, and knows the progress as it is; the number of items that a command results in is
 * that of all. Cancelling a future, or its cancellable, ends that one at once, and the run goes on
 * for the others. Only with the last of them the run is cancelled, and that one ends as its cancel
 * mode says. Dropping one means nothing to the others.
 *
 * A task that follows another one ([method@Future.and_then]) has arguments of its own, and shares
 * with nobody.
 *
 * The run has the label, the time limit and the retries of the first task, and the most urgent
 * priority of all. It is held up by the slowest reader among them: see
 * [property@Executor:max-undelivered-bytes-per-future]. Each future counts as a task that is
 * pending while it waits for the run of another.
 *
 * Since: 0.1
 */
void
dray_task_set_key (DrayTask *self, const char *key)
{
  g_return_if_fail (self != NULL);
  g_return_if_fail (!dray_task_is_sealed (self));
  g_return_if_fail (key == NULL || g_utf8_validate (key, -1, NULL));

  char *copy = g_strdup (key);

  g_free (self->key);
  self->key = copy;
}

/**
 * dray_task_get_key:
 * @self: a task
 *
 * Gets what stands for the work where it may be shared.
 *
 * Returns: (nullable): the key, or %NULL if it is never shared
 *
 * Since: 0.1
 */
const char *
dray_task_get_key (DrayTask *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return self->key;
}
