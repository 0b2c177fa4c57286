/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "dray-group.h"

#include "dray-dependent.h"
#include "dray-fork.h"
#include "dray-lifts.h"

G_BEGIN_DECLS

/* What members know of, which may be done after the group is gone. They hold it, until they are
 * done. */
typedef struct
{
  gatomicrefcount ref_count;
  GMutex lock; /* taken before that of any pool */
  DrayForkGuard guard;

  /* protected by the lock */
  GQueue members; /* of DrayGroupMember (unowned), by link: the unfinished ones */
  DrayLifts lifts;
  gboolean cancelled;
  GError *error; /* (owned) (nullable): of the first member that failed */
  GQueue joins;  /* of DrayTicket (owned): to be completed when no member is unfinished */
  GCond finished;
} DrayGroupCore;

typedef struct
{
  DrayDependent dependent; /* first */
  DrayGroupCore *core;     /* (owned) */
  GList link;
} DrayGroupMember;

struct _DrayGroup
{
  GObject parent_instance;

  /* set at construction */
  DrayGroupCore *core; /* (owned) */
};

DrayGroupCore *dray_group_core_ref (DrayGroupCore *core);
void dray_group_core_unref (DrayGroupCore *core);
/* Empties @joins. */
void dray_group_core_complete_joins (GQueue *joins);

G_END_DECLS
