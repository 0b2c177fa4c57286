/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "dray-io-thread.h"

G_BEGIN_DECLS

/* Shared by the files of the I/O thread. */

#define DRAY_IO_THREAD_MAX_EVENTS 64

struct _DrayIoThread
{
  /* set at construction */
  int epoll_fd;
  int wake_fd;

  /* protected by instance_lock */
  guint n_holders;

  /* protected by the lock */
  GMutex lock;
  GPtrArray *woken; /* (owned) (element-type DrayIoClient) */
  gboolean asleep;
  gboolean quit;

  GMutex turn; /* other threads only ever try to take it */
  GMutex gate; /* held by who forks */

  /* protected by turn */
  GThread *thread;     /* (unowned) */
  GSequence *timers;   /* (owned) (element-type DrayIoTimer): by deadline */
  GPtrArray *answered; /* (owned) (element-type DrayIoClient): being called, or NULL */
  GQueue again;        /* of DrayIoWatch (unowned): to be called in the next turn */
  GQueue being_called; /* the same, in this one */
  struct epoll_event events[DRAY_IO_THREAD_MAX_EVENTS];
  int n_events;
  guint n_dealt_with;    /* in this turn: watches and clients */
  guint n_resting;       /* those of them that can wait */
  gint64 rest;           /* for so long, all of those, in µs */
  gint64 sleeps_until;   /* monotonic, µs */
  DrayLeash spare_leash; /* (owned): of a child that is gone, for the next one */
  gulong timer_slack;    /* ns: what the thread was given, and its children get */
};

/* In dray-io-watch.c; for the loop only. */
/* (transfer none) (nullable) */
DrayIoTimer *dray_io_thread_get_first_timer (DrayIoThread *self);
void dray_io_thread_run_expired_timers (DrayIoThread *self);
/* In the unit of epoll_wait(): milliseconds, rounded up, -1 for ever. */
int dray_io_thread_get_time_to_first_timer (DrayIoThread *self);
/* Calls the watches that have asked for it, and those that something has happened to. */
void dray_io_thread_call_again (DrayIoThread *self);
void dray_io_thread_dispatch_events (DrayIoThread *self);

G_END_DECLS
