/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <dlfcn.h>
#include <gio/gio.h>
#include <pthread.h>
#include <stdlib.h>

/*
 * Linked into programs that are built for ThreadSanitizer.
 *
 * ThreadSanitizer finds a race where it knows of nothing that orders two accesses. It learns of
 * that from atomic operations in code that was compiled for it, and from functions of the C library
 * that it watches. GLib is not compiled for it, and its locks are futexes: all that they protect
 * would be reported. To ignore whatever touches GLib would hide the races that matter.
 *
 * So here are functions of GLib once more. Each tells ThreadSanitizer what the one of GLib brings
 * about, and no more than that, and calls it. Only what Dray and its tests use is here.
 *
 * - Locks are announced as such, so that their order is checked, too.
 * - Counters of references are counted here, by atomic operations that are compiled for
 *   ThreadSanitizer: whoever frees something comes after all who have let go of it.
 * - What is handed over (a source to its main context, bytes to whoever frees them) is a release by
 *   the one, and an acquire by the other, of the address of what is handed over.
 *
 * Calls from within GLib to GLib do not come through here.
 */

/* In ThreadSanitizer's runtime, which is a part of the program. */
void __tsan_acquire (void *address);
void __tsan_release (void *address);
void __tsan_mutex_create (void *address, unsigned flags);
void __tsan_mutex_destroy (void *address, unsigned flags);
void __tsan_mutex_pre_lock (void *address, unsigned flags);
void __tsan_mutex_post_lock (void *address, unsigned flags, int recursion);
int __tsan_mutex_pre_unlock (void *address, unsigned flags);
void __tsan_mutex_post_unlock (void *address, unsigned flags);

#define MUTEX_TRY_LOCK (1 << 4)
#define MUTEX_TRY_LOCK_FAILED (1 << 5)

/* GLib's own function of that name. */
#define REAL(function) ((__typeof__ (&(function))) find_real (#function))

static gpointer
find_real (const char *name)
{
  return dlsym (RTLD_NEXT, name);
}

/* ThreadSanitizer has a thread of its own, which comes with the first one of the program. It is
 * there before any test looks whether there is a thread more than before. */
static void *
do_nothing (void *data)
{
  return data;
}

__attribute__ ((constructor)) static void
have_a_thread (void)
{
  pthread_t thread;

  if (pthread_create (&thread, NULL, do_nothing, NULL) == 0)
    pthread_join (thread, NULL);
}

/* --- Locks --- */

/* What this thread holds. */
#define MAX_HELD 64

static __thread GMutex *held[MAX_HELD]; /* (unowned) */
static __thread guint n_held;

static void
note_held (GMutex *mutex)
{
  if (n_held == MAX_HELD)
    abort ();
  held[n_held++] = mutex;
}

/* Returns whether it was. */
static gboolean
note_not_held (GMutex *mutex)
{
  for (guint i = n_held; i-- > 0;)
    if (held[i] == mutex)
      {
        held[i] = held[--n_held];
        return TRUE;
      }

  return FALSE;
}

/* A child of fork() makes those anew that it held before. */
void
g_mutex_init (GMutex *mutex)
{
  if (note_not_held (mutex))
    {
      __tsan_mutex_pre_unlock (mutex, 0);
      __tsan_mutex_post_unlock (mutex, 0);
    }
  REAL (g_mutex_init) (mutex);
}

void
g_mutex_clear (GMutex *mutex)
{
  __tsan_mutex_destroy (mutex, 0);
  REAL (g_mutex_clear) (mutex);
}

void
g_mutex_lock (GMutex *mutex)
{
  __tsan_mutex_pre_lock (mutex, 0);
  REAL (g_mutex_lock) (mutex);
  __tsan_mutex_post_lock (mutex, 0, 0);
  note_held (mutex);
}

gboolean
g_mutex_trylock (GMutex *mutex)
{
  gboolean locked;

  __tsan_mutex_pre_lock (mutex, MUTEX_TRY_LOCK);
  locked = REAL (g_mutex_trylock) (mutex);
  __tsan_mutex_post_lock (mutex, locked ? MUTEX_TRY_LOCK : MUTEX_TRY_LOCK | MUTEX_TRY_LOCK_FAILED,
                          0);
  if (locked)
    note_held (mutex);

  return locked;
}

void
g_mutex_unlock (GMutex *mutex)
{
  note_not_held (mutex);
  __tsan_mutex_pre_unlock (mutex, 0);
  REAL (g_mutex_unlock) (mutex);
  __tsan_mutex_post_unlock (mutex, 0);
}

void
g_cond_wait (GCond *cond, GMutex *mutex)
{
  __tsan_mutex_pre_unlock (mutex, 0);
  __tsan_mutex_post_unlock (mutex, 0);
  REAL (g_cond_wait) (cond, mutex);
  __tsan_mutex_pre_lock (mutex, 0);
  __tsan_mutex_post_lock (mutex, 0, 0);
}

gboolean
g_cond_wait_until (GCond *cond, GMutex *mutex, gint64 end_time)
{
  gboolean signalled;

  __tsan_mutex_pre_unlock (mutex, 0);
  __tsan_mutex_post_unlock (mutex, 0);
  signalled = REAL (g_cond_wait_until) (cond, mutex, end_time);
  __tsan_mutex_pre_lock (mutex, 0);
  __tsan_mutex_post_lock (mutex, 0, 0);

  return signalled;
}

/* This one GLib makes of a mutex that ThreadSanitizer knows, but GLib's calls are not looked at;
 * and of lock and unlock, one may look like a call by whoever called GLib. So it is made here in
 * the same way. */
static pthread_mutex_t *
get_recursive_mutex (GRecMutex *mutex)
{
  pthread_mutexattr_t attributes;
  pthread_mutex_t *made;

  if (g_atomic_pointer_get (&mutex->p) != NULL)
    return g_atomic_pointer_get (&mutex->p);

  made = malloc (sizeof *made);
  pthread_mutexattr_init (&attributes);
  pthread_mutexattr_settype (&attributes, PTHREAD_MUTEX_RECURSIVE);
  pthread_mutex_init (made, &attributes);
  pthread_mutexattr_destroy (&attributes);

  if (!g_atomic_pointer_compare_and_exchange (&mutex->p, NULL, made))
    {
      pthread_mutex_destroy (made);
      free (made);
    }

  return g_atomic_pointer_get (&mutex->p);
}

void
g_rec_mutex_lock (GRecMutex *mutex)
{
  pthread_mutex_lock (get_recursive_mutex (mutex));
}

gboolean
g_rec_mutex_trylock (GRecMutex *mutex)
{
  return pthread_mutex_trylock (get_recursive_mutex (mutex)) == 0;
}

void
g_rec_mutex_unlock (GRecMutex *mutex)
{
  pthread_mutex_unlock (mutex->p);
}

/* Whoever finds that it was done has read the location by an atomic operation in his own code. */
void (g_once_init_leave) (volatile void *location, gsize result)
{
  __tsan_release ((void *) location);
  REAL (g_once_init_leave) (location, result);
}

/* --- Memory --- */

/* What is freed must not be in use by another thread. GLib's calls to free() are not looked at. */
void
g_free (gpointer memory)
{
  free (memory);
}

/* --- References --- */

#undef g_atomic_ref_count_inc
#undef g_atomic_ref_count_dec

void
g_atomic_ref_count_inc (gatomicrefcount *count)
{
  g_atomic_int_inc (count);
}

gboolean
g_atomic_ref_count_dec (gatomicrefcount *count)
{
  return g_atomic_int_dec_and_test (count);
}

/* GObject's own flag, beside the object's data: somebody wants to be told of the last but one. */
static gboolean
has_toggle_reference (GObject *self)
{
  return (g_datalist_get_flags (&self->qdata) & 1) != 0;
}

void
g_object_unref (gpointer object)
{
  GObject *self = object;
  int *count = (int *) &self->ref_count;
  int n_references = g_atomic_int_get (count);

  while (n_references > 2 || (n_references == 2 && !has_toggle_reference (self)))
    {
      if (g_atomic_int_compare_and_exchange (count, n_references, n_references - 1))
        return;
      n_references = g_atomic_int_get (count);
    }

  REAL (g_object_unref) (object);
}

static char all_variants; /* stands for them */

/* What is done when the last reference on bytes is dropped. */
typedef struct
{
  GDestroyNotify free_func;
  gpointer user_data;
  GBytes *bytes; /* (unowned) */
} BytesEnd;

static void
end_bytes (gpointer data)
{
  BytesEnd *end = data;

  __tsan_acquire (end->bytes);
  __tsan_acquire (&all_variants);
  end->free_func (end->user_data);
  g_free (end);
}

GBytes *
g_bytes_new_with_free_func (gconstpointer data,
                            gsize size,
                            GDestroyNotify free_func,
                            gpointer user_data)
{
  BytesEnd *end = g_new (BytesEnd, 1);

  end->free_func = free_func;
  end->user_data = user_data;
  end->bytes = REAL (g_bytes_new_with_free_func) (data, size, end_bytes, end);

  return end->bytes;
}

GBytes *
g_bytes_new_take (gpointer data, gsize size)
{
  return g_bytes_new_with_free_func (data, size, g_free, data);
}

void
g_bytes_unref (GBytes *bytes)
{
  if (bytes != NULL)
    __tsan_release (bytes);
  REAL (g_bytes_unref) (bytes);
}

/* A value drops its bytes inside of GLib, and those who share them have values of their own: which
 * bytes they are is not known here. */
void
g_variant_unref (GVariant *value)
{
  __tsan_release (&all_variants);
  REAL (g_variant_unref) (value);
}

static __thread GDestroyNotify clear_box; /* (nullable): of the box that is being released */

static void
end_box (gpointer box)
{
  GDestroyNotify clear = clear_box;

  __tsan_acquire (box);
  if (clear != NULL)
    clear (box);
}

void
g_atomic_rc_box_release_full (gpointer box, GDestroyNotify clear)
{
  __tsan_release (box);
  clear_box = clear;
  REAL (g_atomic_rc_box_release_full) (box, end_box);
}

void
g_atomic_rc_box_release (gpointer box)
{
  g_atomic_rc_box_release_full (box, NULL);
}

/* --- Sources --- */

/* The functions of a source, as GLib calls them: in whichever thread has the context, one after the
 * other, and after the source was attached. */
typedef struct _SeenFuncs SeenFuncs;

struct _SeenFuncs
{
  GSourceFuncs funcs;
  GSourceFuncs *real; /* (unowned) */
  SeenFuncs *next;    /* (unowned) */
};

static pthread_mutex_t seen_lock = PTHREAD_MUTEX_INITIALIZER;
static SeenFuncs *all_seen; /* protected by the lock; there is one for each kind of source */

static GSourceFuncs *
get_real_funcs (GSource *source)
{
  return ((SeenFuncs *) source->source_funcs)->real;
}

static gboolean
prepare_source (GSource *source, int *timeout)
{
  gboolean ready;

  __tsan_acquire (source);
  ready = get_real_funcs (source)->prepare (source, timeout);
  __tsan_release (source);

  return ready;
}

static gboolean
check_source (GSource *source)
{
  gboolean ready;

  __tsan_acquire (source);
  ready = get_real_funcs (source)->check (source);
  __tsan_release (source);

  return ready;
}

static gboolean
dispatch_source (GSource *source, GSourceFunc callback, gpointer user_data)
{
  gboolean goes_on;

  __tsan_acquire (source);
  goes_on = get_real_funcs (source)->dispatch (source, callback, user_data);
  __tsan_release (source);

  return goes_on;
}

static void
finalize_source (GSource *source)
{
  __tsan_acquire (source);
  get_real_funcs (source)->finalize (source);
}

static SeenFuncs *
see_funcs_locked (GSourceFuncs *real)
{
  SeenFuncs *seen = all_seen;

  while (seen != NULL && seen->real != real)
    seen = seen->next;
  if (seen != NULL)
    return seen;

  seen = calloc (1, sizeof *seen);
  seen->funcs = *real;
  seen->funcs.prepare = real->prepare != NULL ? prepare_source : NULL;
  seen->funcs.check = real->check != NULL ? check_source : NULL;
  seen->funcs.dispatch = dispatch_source;
  seen->funcs.finalize = real->finalize != NULL ? finalize_source : NULL;
  seen->real = real;
  seen->next = all_seen;
  all_seen = seen;
  return seen;
}

static GSourceFuncs *
see_funcs (GSourceFuncs *real)
{
  SeenFuncs *seen;

  pthread_mutex_lock (&seen_lock);
  seen = see_funcs_locked (real);
  pthread_mutex_unlock (&seen_lock);

  return &seen->funcs;
}

GSource *
g_source_new (GSourceFuncs *funcs, guint size)
{
  return REAL (g_source_new) (see_funcs (funcs), size);
}

GSource *
g_idle_source_new (void)
{
  GSource *source = REAL (g_idle_source_new) ();

  g_source_set_funcs (source, see_funcs (&g_idle_funcs));
  return source;
}

GSource *
g_timeout_source_new (guint interval)
{
  GSource *source = REAL (g_timeout_source_new) (interval);

  g_source_set_funcs (source, see_funcs (&g_timeout_funcs));
  return source;
}

guint
g_source_attach (GSource *source, GMainContext *context)
{
  __tsan_release (source);
  return REAL (g_source_attach) (source, context);
}

void
g_source_unref (GSource *source)
{
  __tsan_release (source);
  REAL (g_source_unref) (source);
}

/* --- Queues --- */

void
g_async_queue_push (GAsyncQueue *queue, gpointer data)
{
  __tsan_release (data);
  REAL (g_async_queue_push) (queue, data);
}

gpointer
g_async_queue_pop (GAsyncQueue *queue)
{
  gpointer data = REAL (g_async_queue_pop) (queue);

  __tsan_acquire (data);

  return data;
}

/* --- Tasks --- */

/* A result goes to another thread, where that one's context is: by a source of GLib's own. */
void
g_task_return_pointer (GTask *task, gpointer result, GDestroyNotify result_destroy)
{
  __tsan_release (task);
  REAL (g_task_return_pointer) (task, result, result_destroy);
}

void
g_task_return_boolean (GTask *task, gboolean result)
{
  __tsan_release (task);
  REAL (g_task_return_boolean) (task, result);
}

void
g_task_return_error (GTask *task, GError *error)
{
  __tsan_release (task);
  REAL (g_task_return_error) (task, error);
}

/* Each function that finishes something asks for this first. */
gboolean
g_task_is_valid (gpointer result, gpointer source_object)
{
  __tsan_acquire (result);
  return REAL (g_task_is_valid) (result, source_object);
}
