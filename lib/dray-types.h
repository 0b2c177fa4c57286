/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#if !defined (DRAY_INSIDE) && !defined (DRAY_COMPILATION)
#error "Only <dray.h> can be included directly."
#endif

#include <gio/gio.h>

G_BEGIN_DECLS

/* Every public function carries this mark; all else stays hidden inside the library. */
#ifndef DRAY_API
#define DRAY_API __attribute__ ((visibility ("default"))) extern
#endif

typedef struct _DrayCompletionQueue DrayCompletionQueue;
typedef struct _DrayCounters DrayCounters;
typedef struct _DrayExecutor DrayExecutor;
typedef struct _DrayFuture DrayFuture;
typedef struct _DrayGroup DrayGroup;
typedef struct _DrayJob DrayJob;
typedef struct _DrayLauncher DrayLauncher;
typedef struct _DrayMap DrayMap;
typedef struct _DrayOutcome DrayOutcome;
typedef struct _DrayTask DrayTask;
typedef struct _DrayWorker DrayWorker;
typedef struct _DrayWorkerProcess DrayWorkerProcess;

G_END_DECLS
