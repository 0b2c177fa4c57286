/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <signal.h>

#include "dray-types.h"

G_BEGIN_DECLS

/**
 * DrayError:
 * @DRAY_ERROR_FAILED: a function returned an error of a domain that could not be carried over,
 *   or failed without saying why; or nobody knows how a command ended
 * @DRAY_ERROR_LAUNCH: no worker, or not the command, could be started
 * @DRAY_ERROR_WORKER_DIED: the worker ended while it ran the task
 * @DRAY_ERROR_PROTOCOL: the worker sent something that is not Dray's protocol
 * @DRAY_ERROR_UNKNOWN_FUNCTION: the worker has no function of this name
 * @DRAY_ERROR_BAD_ARGUMENTS: the arguments are not of the type that the function takes, or a
 *   command can't be given what the task before it returned
 * @DRAY_ERROR_TIMED_OUT: the task ran longer than its time limit
 * @DRAY_ERROR_QUEUE_FULL: the executor's queue of pending tasks was full
 * @DRAY_ERROR_SHUT_DOWN: the executor was shut down before the task was finished
 * @DRAY_ERROR_TOO_LARGE: a value, a record or an output is larger than the limit for it, or than
 *   the memory there is
 * @DRAY_ERROR_INVALID_TEXT: a command's output is not the UTF-8 text that was asked for
 * @DRAY_ERROR_ATTACHMENTS: open files can't be passed to this worker or from it, or there are too
 *   many of them
 * @DRAY_ERROR_FORKED: the executor belongs to the process that this one was forked from
 * @DRAY_ERROR_LIMIT_EXCEEDED: the task needed more than its worker may use, see
 *   [method@Launcher.set_limit]
 * @DRAY_ERROR_SANDBOX: the sandbox that was required could not be set up
 *
 * What can go wrong between an application and its workers. Cancellation is always
 * %G_IO_ERROR_CANCELLED, and an error that a function returned keeps its own domain and code.
 *
 * Since: 0.1
 */
typedef enum
{
  DRAY_ERROR_FAILED,
  DRAY_ERROR_LAUNCH,
  DRAY_ERROR_WORKER_DIED,
  DRAY_ERROR_PROTOCOL,
  DRAY_ERROR_UNKNOWN_FUNCTION,
  DRAY_ERROR_BAD_ARGUMENTS,
  DRAY_ERROR_TIMED_OUT,
  DRAY_ERROR_QUEUE_FULL,
  DRAY_ERROR_SHUT_DOWN,
  DRAY_ERROR_TOO_LARGE,
  DRAY_ERROR_INVALID_TEXT,
  DRAY_ERROR_ATTACHMENTS,
  DRAY_ERROR_FORKED,
  DRAY_ERROR_LIMIT_EXCEEDED,
  DRAY_ERROR_SANDBOX,
} DrayError;

#define DRAY_ERROR (dray_error_quark ())
DRAY_API GQuark dray_error_quark (void) G_GNUC_CONST;

/**
 * DraySignalError:
 * @DRAY_SIGNAL_ERROR_HANGUP: `SIGHUP`
 * @DRAY_SIGNAL_ERROR_INTERRUPT: `SIGINT`
 * @DRAY_SIGNAL_ERROR_QUIT: `SIGQUIT`
 * @DRAY_SIGNAL_ERROR_ILLEGAL: `SIGILL`
 * @DRAY_SIGNAL_ERROR_TRAP: `SIGTRAP`
 * @DRAY_SIGNAL_ERROR_ABORT: `SIGABRT`
 * @DRAY_SIGNAL_ERROR_BUS: `SIGBUS`
 * @DRAY_SIGNAL_ERROR_FLOATING_POINT: `SIGFPE`
 * @DRAY_SIGNAL_ERROR_KILL: `SIGKILL`
 * @DRAY_SIGNAL_ERROR_SEGMENTATION: `SIGSEGV`
 * @DRAY_SIGNAL_ERROR_PIPE: `SIGPIPE`
 * @DRAY_SIGNAL_ERROR_ALARM: `SIGALRM`
 * @DRAY_SIGNAL_ERROR_TERMINATE: `SIGTERM`
 *
 * The errors of commands that were ended by a signal. The code is the signal's number on this
 * machine; not every signal has a name here. (A command that exits with a status other than 0 gives
 * %G_SPAWN_EXIT_ERROR, with the status as its code.)
 *
 * Since: 0.1
 */
typedef enum
{
  DRAY_SIGNAL_ERROR_HANGUP = SIGHUP,
  DRAY_SIGNAL_ERROR_INTERRUPT = SIGINT,
  DRAY_SIGNAL_ERROR_QUIT = SIGQUIT,
  DRAY_SIGNAL_ERROR_ILLEGAL = SIGILL,
  DRAY_SIGNAL_ERROR_TRAP = SIGTRAP,
  DRAY_SIGNAL_ERROR_ABORT = SIGABRT,
  DRAY_SIGNAL_ERROR_BUS = SIGBUS,
  DRAY_SIGNAL_ERROR_FLOATING_POINT = SIGFPE,
  DRAY_SIGNAL_ERROR_KILL = SIGKILL,
  DRAY_SIGNAL_ERROR_SEGMENTATION = SIGSEGV,
  DRAY_SIGNAL_ERROR_PIPE = SIGPIPE,
  DRAY_SIGNAL_ERROR_ALARM = SIGALRM,
  DRAY_SIGNAL_ERROR_TERMINATE = SIGTERM,
} DraySignalError;

#define DRAY_SIGNAL_ERROR (dray_signal_error_quark ())
DRAY_API GQuark dray_signal_error_quark (void) G_GNUC_CONST;

G_END_DECLS
