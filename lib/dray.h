/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#define DRAY_INSIDE

#include "dray-version.h"

#include "dray-types.h"

#include "dray-enums.h"

#include "dray-enum-types.h"
#include "dray-error.h"

#include "dray-completion-queue.h"
#include "dray-counters.h"
#include "dray-executor.h"
#include "dray-future.h"
#include "dray-group.h"
#include "dray-job.h"
#include "dray-launcher.h"
#include "dray-map.h"
#include "dray-outcome.h"
#include "dray-task.h"
#include "dray-worker-process.h"
#include "dray-worker.h"

#undef DRAY_INSIDE
