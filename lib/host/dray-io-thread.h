/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * The I/O thread "dray-io": one per process, alive while somebody holds it. An epoll loop with
 * watches (descriptors), timers, and clients that are called when another thread woke them. It
 * blocks every signal, so that the host's handlers never run on it and a write to a dead worker
 * gives EPIPE. It never runs user code.
 */

#include "dray-leash.h"

#include <gio/gio.h>
#include <sys/epoll.h>

G_BEGIN_DECLS

typedef struct _DrayIoThread DrayIoThread;
typedef struct _DrayIoWatch DrayIoWatch;
typedef struct _DrayIoTimer DrayIoTimer;
typedef struct _DrayIoClient DrayIoClient;

/* Embed one; zeroed memory is a stopped watch. I/O thread only. */
struct _DrayIoWatch
{
  DrayIoThread *io; /* (unowned) (nullable): NULL while stopped */
  int fd;           /* (unowned) */
  guint32 events;   /* EPOLLIN, EPOLLOUT; 0: registered with nothing to wait for */
  void (*ready) (DrayIoWatch *watch, guint32 events); /* events: 0 where it was asked for again */
  GList again_link;
  GQueue *again; /* (unowned) (nullable): of which the link is a member */
};

/* Embed one; zeroed memory is a timer that is not set. I/O thread only. */
struct _DrayIoTimer
{
  DrayIoThread *io;    /* (unowned) (nullable): NULL while it is not set */
  GSequenceIter *iter; /* (unowned) (nullable) */
  gint64 deadline;     /* monotonic, µs */
  void (*expired) (DrayIoTimer *timer);
};

/* Embed one; zeroed memory plus the function is a client that is asleep. */
struct _DrayIoClient
{
  int woken;                           /* atomic */
  void (*wake) (DrayIoClient *client); /* called on the I/O thread */
};

/* Any thread. acquire() starts the thread if there is none; release() ends it with its last
 * holder, after the current turn of the loop. The error is of DRAY_ERROR_LAUNCH. */
DrayIoThread *dray_io_thread_acquire (GError **error);
void dray_io_thread_release (DrayIoThread *self);
/* Any thread that holds the I/O thread: @client's function will be called once, soon. Calls until
 * then are one. The client must live until then. */
void dray_io_thread_wake (DrayIoThread *self, DrayIoClient *client);
/* I/O thread only: a wake-up of @client that has not been answered yet never will be, so that the
 * client may be freed, once nobody wakes it any more. */
void dray_io_thread_forget (DrayIoThread *self, DrayIoClient *client);
gboolean dray_io_thread_is_current (DrayIoThread *self);
/* (transfer none): one that a child has done with, for the next, or none. I/O thread only. */
DrayLeash *dray_io_thread_get_spare_leash (DrayIoThread *self);
/* How exact the timers of the application's threads are, in ns. Its own are more so, and a child's
 * would be. I/O thread only. */
gulong dray_io_thread_get_timer_slack (DrayIoThread *self);
/* Any thread that knows the I/O thread to be held by somebody who can't let go meanwhile. Lets the
 * caller do what only the I/O thread may, if that one is asleep, and keeps it from waking up until
 * leave(). Never waits. No code of the application's may run in between. */
gboolean dray_io_thread_try_enter (DrayIoThread *self);
void dray_io_thread_leave (DrayIoThread *self);
/* For dray-fork.c. Tries, without waiting, to keep the thread between two turns, and everybody else
 * from what is protected by the locks. From the first try on the thread will not begin another
 * turn, until let_go(). */
gboolean dray_io_thread_try_hold (void);
void dray_io_thread_stop_holding (void);
void dray_io_thread_let_go (void);
/* In the child: the thread is forgotten, and its descriptors are closed. Those who hold it can do
 * no harm with it, and must not release it. */
void dray_io_thread_forked (void);
/* I/O thread only, while a watch or a client is called: what was just dealt with will not need us
 * again for @time µs. If that is said of all that a turn dealt with, the next one is put off. */
void dray_io_thread_rest (DrayIoThread *self, gint64 time);

/* I/O thread only. Errors of G_IO_ERROR, and errno. Only start() needs what can be short. HUP and
 * ERR are reported with any events but 0. After stop() the function is not called again, not even
 * for what was already seen. */
gboolean
dray_io_watch_start (DrayIoWatch *watch, DrayIoThread *io, int fd, guint32 events, GError **error);
void dray_io_watch_set_events (DrayIoWatch *watch, guint32 events);
void dray_io_watch_stop (DrayIoWatch *watch);
/* (transfer none): why start() has failed, for the end of a message */
const char *dray_io_watch_strerror (int reason);
/* Whether the function is to be called in the next turn, once, even if nothing happens. */
void dray_io_watch_set_again (DrayIoWatch *watch, gboolean again);

/* I/O thread only; one shot. Setting it again moves it. */
void dray_io_timer_set (DrayIoTimer *timer, DrayIoThread *io, gint64 deadline);
void dray_io_timer_clear (DrayIoTimer *timer);

G_END_DECLS
