/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-launcher-private.h"

#include "dray-enum-types.h"
#include "dray-payload.h"

/**
 * DrayLauncher:
 *
 * How a worker process is started.
 *
 * There are three ways to have a worker:
 *
 * - this same program, started anew with the argument `--dray-worker`
 *   ([ctor@Launcher.new_self]). Its `main()` asks [func@Worker.is_requested] before it does
 *   anything else. This is the simplest for a C or Vala application;
 * - any program ([ctor@Launcher.new_argv]) that calls [method@Worker.run]. A script's interpreter
 *   is such a program;
 * - a loadable module ([ctor@Launcher.new_module]), run by a program that is installed with the
 *   library. This is for plugins, which have no program of their own.
 *
 * Around that, a launcher says in which environment and directory workers start, what their
 * initialiser is given, what they are kept from ([method@Launcher.set_sandbox]), and through which
 * other program they are reached: a prefix such as `nice`, `flatpak-spawn --host` or `ssh host`
 * puts them anywhere that standard input and output lead to.
 *
 * ## Lifetime and threads
 *
 * A launcher may be used on any thread. An executor takes a picture of it when it is made, so
 * that a later change touches only executors that are made later; what a launcher describes is
 * the same for all workers of one executor. Notifications are emitted on the thread that made
 * the change.
 *
 * ## Errors
 *
 * Nothing here is tried out. A program that is missing, or a directory that can't be entered,
 * shows as %DRAY_ERROR_LAUNCH of the tasks that wait for the worker.
 *
 * ## Example
 *
 * Workers that can't reach the network, and are told where the collection is:
 *
 * ```c
 * g_autoptr (DrayLauncher) launcher = dray_launcher_new_self ();
 * g_autoptr (DrayExecutor) executor = NULL;
 *
 * dray_launcher_set_sandbox (launcher, DRAY_SANDBOX_NO_NETWORK);
 * dray_launcher_setenv (launcher, "LC_ALL", "C.UTF-8");
 * dray_launcher_set_initial_arguments (launcher, g_variant_new ("(s)", collection));
 * executor = dray_executor_new (launcher);
 * ```
 *
 * Since: 0.1
 */

#define MODULE_PROGRAM "dray-worker-1"

enum
{
  PROP_ARGV = 1,
  PROP_PREFIX,
  PROP_ENVIRONMENT,
  PROP_DIRECTORY,
  PROP_INITIAL_ARGUMENTS,
  PROP_STDERR,
  PROP_TRUSTED,
  PROP_SHARED_SIZE,
  PROP_NICENESS,
  PROP_SANDBOX,
  PROP_SANDBOX_NEED,
  N_PROPERTIES,
};

static GParamSpec *properties[N_PROPERTIES];

G_DEFINE_FINAL_TYPE (DrayLauncher, dray_launcher, G_TYPE_OBJECT)

/* (nullable): NULL and an empty one are for this same program */
static void
set_argv (DrayLauncher *self, const char *const *argv)
{
  if (argv == NULL || argv[0] == NULL)
    return;

  g_return_if_fail (*argv[0] != '\0');

  self->argv = g_strdupv ((char **) argv);
}

static void
dray_launcher_set_property (GObject *object,
                            guint property_id,
                            const GValue *value,
                            GParamSpec *pspec)
{
  DrayLauncher *self = DRAY_LAUNCHER (object);

  switch (property_id)
    {
    case PROP_ARGV:
      set_argv (self, g_value_get_boxed (value));
      break;
    case PROP_PREFIX:
      dray_launcher_set_prefix (self, g_value_get_boxed (value));
      break;
    case PROP_ENVIRONMENT:
      dray_launcher_set_environment (self, g_value_get_boxed (value));
      break;
    case PROP_DIRECTORY:
      dray_launcher_set_directory (self, g_value_get_string (value));
      break;
    case PROP_INITIAL_ARGUMENTS:
      dray_launcher_set_initial_arguments (self, g_value_get_variant (value));
      break;
    case PROP_STDERR:
      dray_launcher_set_stderr (self, g_value_get_enum (value));
      break;
    case PROP_TRUSTED:
      dray_launcher_set_trusted (self, g_value_get_boolean (value));
      break;
    case PROP_SHARED_SIZE:
      dray_launcher_set_shared_size (self, g_value_get_uint64 (value));
      break;
    case PROP_NICENESS:
      dray_launcher_set_niceness (self, g_value_get_int (value));
      break;
    case PROP_SANDBOX:
      dray_launcher_set_sandbox (self, g_value_get_enum (value));
      break;
    case PROP_SANDBOX_NEED:
      dray_launcher_set_sandbox_need (self, g_value_get_enum (value));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, property_id, pspec);
    }
}

static void
dray_launcher_get_property (GObject *object, guint property_id, GValue *value, GParamSpec *pspec)
{
  DrayLauncher *self = DRAY_LAUNCHER (object);

  switch (property_id)
    {
    case PROP_ARGV:
      g_value_take_boxed (value, dray_launcher_dup_argv (self));
      break;
    case PROP_PREFIX:
      g_value_take_boxed (value, dray_launcher_dup_prefix (self));
      break;
    case PROP_ENVIRONMENT:
      g_value_take_boxed (value, dray_launcher_dup_environment (self));
      break;
    case PROP_DIRECTORY:
      g_value_take_string (value, dray_launcher_dup_directory (self));
      break;
    case PROP_INITIAL_ARGUMENTS:
      g_value_take_variant (value, dray_launcher_dup_initial_arguments (self));
      break;
    case PROP_STDERR:
      g_value_set_enum (value, dray_launcher_get_stderr (self));
      break;
    case PROP_TRUSTED:
      g_value_set_boolean (value, dray_launcher_get_trusted (self));
      break;
    case PROP_SHARED_SIZE:
      g_value_set_uint64 (value, dray_launcher_get_shared_size (self));
      break;
    case PROP_NICENESS:
      g_value_set_int (value, dray_launcher_get_niceness (self));
      break;
    case PROP_SANDBOX:
      g_value_set_enum (value, dray_launcher_get_sandbox (self));
      break;
    case PROP_SANDBOX_NEED:
      g_value_set_enum (value, dray_launcher_get_sandbox_need (self));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, property_id, pspec);
    }
}

static void
dray_launcher_finalize (GObject *object)
{
  DrayLauncher *self = DRAY_LAUNCHER (object);

  g_strfreev (self->argv);
  g_free (self->display_name);
  g_free (self->module);
  g_strfreev (self->prefix);
  g_strfreev (self->environment);
  g_hash_table_unref (self->changes);
  g_hash_table_unref (self->grants);
  g_free (self->directory);
  g_clear_pointer (&self->arguments, g_variant_unref);
  dray_fork_guard_remove (&self->guard);
  g_mutex_clear (&self->lock);

  G_OBJECT_CLASS (dray_launcher_parent_class)->finalize (object);
}

static void
install_sandbox_properties (void)
{
  const GParamFlags flags = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;

  /**
   * DrayLauncher:sandbox: (getter get_sandbox) (setter set_sandbox)
   *
   * What workers are kept from; see [method@Launcher.set_sandbox].
   *
   * Since: 0.1
   */
  properties[PROP_SANDBOX] = g_param_spec_enum ("sandbox", NULL, NULL, DRAY_TYPE_SANDBOX,
                                                DRAY_SANDBOX_NONE, flags);

  /**
   * DrayLauncher:sandbox-need: (getter get_sandbox_need) (setter set_sandbox_need)
   *
   * Whether workers may run with less of a sandbox than was asked for; see
   * [method@Launcher.set_sandbox_need].
   *
   * Since: 0.1
   */
  properties[PROP_SANDBOX_NEED]
    = g_param_spec_enum ("sandbox-need", NULL, NULL, DRAY_TYPE_SANDBOX_NEED, DRAY_SANDBOX_REQUIRED,
                         flags);
}

static void
dray_launcher_class_init (DrayLauncherClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags flags = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;

  object_class->set_property = dray_launcher_set_property;
  object_class->get_property = dray_launcher_get_property;
  object_class->finalize = dray_launcher_finalize;

  /**
   * DrayLauncher:argv: (getter dup_argv)
   *
   * The worker's program, which has a name, and its arguments, without the prefix. Where it was
   * constructed with %NULL or an empty array, it is this same program.
   *
   * Since: 0.1
   */
  properties[PROP_ARGV] = g_param_spec_boxed ("argv", NULL, NULL, G_TYPE_STRV,
                                              G_PARAM_READWRITE | G_PARAM_CONSTRUCT_ONLY
                                                | G_PARAM_STATIC_STRINGS);

  /**
   * DrayLauncher:prefix: (getter dup_prefix) (setter set_prefix)
   *
   * The program, which has a name, and its arguments, through which workers are started, or %NULL.
   *
   * Since: 0.1
   */
  properties[PROP_PREFIX] = g_param_spec_boxed ("prefix", NULL, NULL, G_TYPE_STRV, flags);

  /**
   * DrayLauncher:environment: (getter dup_environment) (setter set_environment)
   *
   * The environment of the workers: the application's, unless another was set.
   *
   * Since: 0.1
   */
  properties[PROP_ENVIRONMENT] = g_param_spec_boxed ("environment", NULL, NULL, G_TYPE_STRV, flags);

  /**
   * DrayLauncher:directory: (getter dup_directory) (setter set_directory)
   *
   * The directory that workers start in, or %NULL for the application's current one.
   *
   * Since: 0.1
   */
  properties[PROP_DIRECTORY] = g_param_spec_string ("directory", NULL, NULL, NULL, flags);

  /**
   * DrayLauncher:initial-arguments: (getter dup_initial_arguments) (setter set_initial_arguments)
   *
   * What the initialiser of each worker is given, or %NULL.
   *
   * Since: 0.1
   */
  properties[PROP_INITIAL_ARGUMENTS] = g_param_spec_variant ("initial-arguments", NULL, NULL,
                                                             G_VARIANT_TYPE_ANY, NULL, flags);

  /**
   * DrayLauncher:stderr: (getter get_stderr) (setter set_stderr)
   *
   * What becomes of the workers' standard error.
   *
   * Since: 0.1
   */
  properties[PROP_STDERR] = g_param_spec_enum ("stderr", NULL, NULL, DRAY_TYPE_STDERR,
                                               DRAY_STDERR_CAPTURE, flags);

  /**
   * DrayLauncher:trusted: (getter get_trusted) (setter set_trusted)
   *
   * Whether workers may share memory with the application that they can go on writing to.
   *
   * Since: 0.1
   */
  properties[PROP_TRUSTED] = g_param_spec_boolean ("trusted", NULL, NULL, FALSE, flags);

  /**
   * DrayLauncher:shared-size: (getter get_shared_size) (setter set_shared_size)
   *
   * The size in bytes from which on values travel in shared memory.
   *
   * Since: 0.1
   */
  properties[PROP_SHARED_SIZE]
    = g_param_spec_uint64 ("shared-size", NULL, NULL, 1, G_MAXUINT64, DRAY_PAYLOAD_SEALED_MIN,
                           flags);

  /**
   * DrayLauncher:niceness: (getter get_niceness) (setter set_niceness)
   *
   * How much nicer workers are to others than the application is.
   *
   * Since: 0.1
   */
  properties[PROP_NICENESS] = g_param_spec_int ("niceness", NULL, NULL, -20, 19, 0, flags);

  install_sandbox_properties ();

  g_object_class_install_properties (object_class, N_PROPERTIES, properties);
}

static void
dray_launcher_init (DrayLauncher *self)
{
  g_mutex_init (&self->lock);
  dray_fork_guard_add (&self->guard, &self->lock);
  self->changes = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  self->grants = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  self->stderr_mode = DRAY_STDERR_CAPTURE;
  self->shared_size = DRAY_PAYLOAD_SEALED_MIN;
  dray_launcher_init_limits (self);
}

/**
 * dray_launcher_new_self:
 *
 * Makes a launcher that starts this same program as the worker, with the one argument
 * `--dray-worker`.
 *
 * It is the very file that this process runs, even after an upgrade has put another in its place.
 * (Only where a prefix or a sandbox is set it has to be the one that is there now.) A program that
 * is run by an interpreter, such as a Python script, is not what this process runs: use
 * [ctor@Launcher.new_argv] for it.
 *
 * Returns: (transfer full): a launcher
 *
 * Since: 0.1
 */
DrayLauncher *
dray_launcher_new_self (void)
{
  return g_object_new (DRAY_TYPE_LAUNCHER, NULL);
}

/**
 * dray_launcher_new_argv:
 * @argv: (array zero-terminated=1) (element-type filename): the program and its arguments
 *
 * Makes a launcher that starts a program which calls [method@Worker.run].
 *
 * A program without a `/` in its name is searched in the application's `PATH`. One with a `/`
 * that is not absolute is looked for from the directory that the worker starts in
 * ([method@Launcher.set_directory]), or else from the application's own as it is when the executor
 * is made.
 *
 * Returns: (transfer full): a launcher
 *
 * Since: 0.1
 */
DrayLauncher *
dray_launcher_new_argv (const char *const *argv)
{
  g_return_val_if_fail (argv != NULL && argv[0] != NULL && *argv[0] != '\0', NULL);

  return g_object_new (DRAY_TYPE_LAUNCHER, "argv", argv, NULL);
}

/**
 * dray_launcher_new_module:
 * @filename: (type filename): a loadable module; a relative name is looked for from the current
 *   directory, as it is now
 *
 * Makes a launcher whose workers are a program of the library, which loads a module and calls its
 * function `dray_worker_module_init` (see [callback@WorkerModuleInit]).
 *
 * Returns: (transfer full): a launcher
 *
 * Since: 0.1
 */
DrayLauncher *
dray_launcher_new_module (const char *filename)
{
  g_return_val_if_fail (filename != NULL && *filename != '\0', NULL);

  g_autofree char *program = dray_launch_find_program (MODULE_PROGRAM);
  g_autofree char *module = g_canonicalize_filename (filename, NULL);
  const char *const argv[] = { program, module, NULL };
  DrayLauncher *self = dray_launcher_new_argv (argv);

  self->display_name = g_filename_display_basename (module);
  self->module = g_steal_pointer (&module);
  return self;
}
