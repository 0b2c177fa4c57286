/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#if !defined (DRAY_INSIDE) && !defined (DRAY_COMPILATION)
#error "Only <dray.h> can be included directly."
#endif

#include <glib.h>

G_BEGIN_DECLS

/**
 * DrayTaskKind:
 * @DRAY_TASK_CALL: a function of a pooled worker, called with a #GVariant
 * @DRAY_TASK_COMMAND: a program, run as a process of its own
 *
 * What a [struct@Task] describes.
 *
 * Since: 0.1
 */
typedef enum
{
  DRAY_TASK_CALL,
  DRAY_TASK_COMMAND,
} DrayTaskKind;

/**
 * DrayFutureState:
 * @DRAY_FUTURE_PENDING: waiting for a worker
 * @DRAY_FUTURE_RUNNING: a worker runs it
 * @DRAY_FUTURE_SUCCEEDED: ended with a result
 * @DRAY_FUTURE_FAILED: ended with an error
 * @DRAY_FUTURE_CANCELLED: ended because somebody cancelled it
 *
 * The state of a [class@Future]. The last three are final.
 *
 * Since: 0.1
 */
typedef enum
{
  DRAY_FUTURE_PENDING,
  DRAY_FUTURE_RUNNING,
  DRAY_FUTURE_SUCCEEDED,
  DRAY_FUTURE_FAILED,
  DRAY_FUTURE_CANCELLED,
} DrayFutureState;

/**
 * DrayCancelMode:
 * @DRAY_CANCEL_IMMEDIATE: the future is cancelled at once; what the worker still says is dropped
 * @DRAY_CANCEL_CONFIRMED: the future ends when the worker has stopped the task, or was ended; a
 *   result or another error that the function returns counts, and a task that was finished first
 *   keeps its result
 *
 * When the future of a running task counts as cancelled.
 *
 * Since: 0.1
 */
typedef enum
{
  DRAY_CANCEL_IMMEDIATE,
  DRAY_CANCEL_CONFIRMED,
} DrayCancelMode;

/**
 * DrayShutdownMode:
 * @DRAY_SHUTDOWN_DRAIN: everything submitted so far is run to its end
 * @DRAY_SHUTDOWN_CANCEL_PENDING: what has not started is cancelled, what runs is run to its end
 * @DRAY_SHUTDOWN_TERMINATE: running tasks are asked to stop, then ended after the grace period
 * @DRAY_SHUTDOWN_KILL: every worker is killed at once
 *
 * How [method@Executor.shutdown_async] treats the tasks that are not finished. Each mode is
 * stronger than the one before; a later shutdown can only make an earlier one stronger.
 *
 * Since: 0.1
 */
typedef enum
{
  DRAY_SHUTDOWN_DRAIN,
  DRAY_SHUTDOWN_CANCEL_PENDING,
  DRAY_SHUTDOWN_TERMINATE,
  DRAY_SHUTDOWN_KILL,
} DrayShutdownMode;

/**
 * DraySplit:
 * @DRAY_SPLIT_NONE: the whole standard output is collected and is the result
 * @DRAY_SPLIT_LINES: an item for each line, without its newline
 * @DRAY_SPLIT_RECORDS: an item for each record that ends in a NUL byte, without the NUL
 * @DRAY_SPLIT_CHUNKS: an item for each piece as it was read, of any size up to 64 KiB
 *
 * How a command's standard output becomes items.
 *
 * Since: 0.1
 */
typedef enum
{
  DRAY_SPLIT_NONE,
  DRAY_SPLIT_LINES,
  DRAY_SPLIT_RECORDS,
  DRAY_SPLIT_CHUNKS,
} DraySplit;

/**
 * DrayEncoding:
 * @DRAY_ENCODING_BYTES: any bytes; values are of type `ay`
 * @DRAY_ENCODING_UTF8: text in UTF-8; values are of type `s`, and output which is not valid
 *   UTF-8, or holds a NUL, fails the task with %DRAY_ERROR_INVALID_TEXT
 *
 * What a command's standard output is made of.
 *
 * Since: 0.1
 */
typedef enum
{
  DRAY_ENCODING_BYTES,
  DRAY_ENCODING_UTF8,
} DrayEncoding;

/**
 * DrayStderr:
 * @DRAY_STDERR_CAPTURE: read by the library, which keeps the last lines for error messages
 * @DRAY_STDERR_INHERIT: goes where the application's own standard error goes
 *
 * What becomes of a worker's standard error.
 *
 * Since: 0.1
 */
typedef enum
{
  DRAY_STDERR_CAPTURE,
  DRAY_STDERR_INHERIT,
} DrayStderr;

/**
 * DrayLimit:
 * @DRAY_LIMIT_ADDRESS_SPACE: the memory that a worker may have mapped, in bytes, programs and
 *   libraries included
 * @DRAY_LIMIT_CPU_TIME: the processor time that a task may use, in seconds, of all threads of its
 *   worker
 * @DRAY_LIMIT_OPEN_FILES: how many files a worker may have open
 * @DRAY_LIMIT_CORE_SIZE: how large the memory image of a worker that crashes may be, in bytes; with
 *   0 there is none
 *
 * What [method@Launcher.set_limit] can limit.
 *
 * Since: 0.1
 */
typedef enum
{
  DRAY_LIMIT_ADDRESS_SPACE,
  DRAY_LIMIT_CPU_TIME,
  DRAY_LIMIT_OPEN_FILES,
  DRAY_LIMIT_CORE_SIZE,
} DrayLimit;

/**
 * DrayIoClass:
 * @DRAY_IO_CLASS_NONE: as the application
 * @DRAY_IO_CLASS_BEST_EFFORT: by a level from 0, which goes first, to 7
 * @DRAY_IO_CLASS_IDLE: only when nobody else uses the disk
 *
 * How a worker's reading and writing of disks stands back behind that of others.
 *
 * Since: 0.1
 */
typedef enum
{
  DRAY_IO_CLASS_NONE,
  DRAY_IO_CLASS_BEST_EFFORT,
  DRAY_IO_CLASS_IDLE,
} DrayIoClass;

/**
 * DraySandbox:
 * @DRAY_SANDBOX_NONE: workers may do what the application may
 * @DRAY_SANDBOX_NO_NETWORK: as the application, but there is no network, and no process outside
 *   that could be seen or sent a signal
 * @DRAY_SANDBOX_READ_ONLY: the system can be read and nothing of it changed. There are no homes, no
 *   temporary files but the worker's own, no network, no connections to other programs
 * @DRAY_SANDBOX_STRICT: only what programs need to run: the system's programs and libraries, and
 *   the worker's own. No files of anybody's but those that come open with a task, no new sockets,
 *   processes or programs
 *
 * What workers are kept from: see [method@Launcher.set_sandbox]. Each is stricter than the one
 * before.
 *
 * Since: 0.1
 */
typedef enum
{
  DRAY_SANDBOX_NONE,
  DRAY_SANDBOX_NO_NETWORK,
  DRAY_SANDBOX_READ_ONLY,
  DRAY_SANDBOX_STRICT,
} DraySandbox;

/**
 * DraySandboxNeed:
 * @DRAY_SANDBOX_REQUIRED: tasks fail where the sandbox can't be set up
 * @DRAY_SANDBOX_PREFERRED: workers run with as much of it as can be set up
 *
 * Whether workers may run with less of a sandbox than was asked for: see
 * [method@Launcher.set_sandbox_need].
 *
 * Since: 0.1
 */
typedef enum
{
  DRAY_SANDBOX_REQUIRED,
  DRAY_SANDBOX_PREFERRED,
} DraySandboxNeed;

/**
 * DrayAccess:
 * @DRAY_ACCESS_READ: to read it
 * @DRAY_ACCESS_READ_WRITE: to read and to change it
 *
 * What a worker in a sandbox may do with a file or a folder that it was granted.
 *
 * Since: 0.1
 */
typedef enum
{
  DRAY_ACCESS_READ,
  DRAY_ACCESS_READ_WRITE,
} DrayAccess;

/**
 * DrayWorkerState:
 * @DRAY_WORKER_STARTING: the process exists; it has not yet said that it is ready
 * @DRAY_WORKER_IDLE: ready, with nothing to do
 * @DRAY_WORKER_BUSY: runs a task, also while it is made to stop
 * @DRAY_WORKER_STOPPING: asked to end, with nothing to do any more; or it is being ended, since it
 *   has failed to become ready or said what makes no sense
 * @DRAY_WORKER_GONE: ended
 *
 * The state of a [class@WorkerProcess].
 *
 * Since: 0.1
 */
typedef enum
{
  DRAY_WORKER_STARTING,
  DRAY_WORKER_IDLE,
  DRAY_WORKER_BUSY,
  DRAY_WORKER_STOPPING,
  DRAY_WORKER_GONE,
} DrayWorkerState;

G_END_DECLS
