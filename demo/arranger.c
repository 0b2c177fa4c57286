/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "arranger.h"

#include <string.h>

/*
 * One request at a time waits; a newer one replaces it, and the one that is being worked on is
 * given up. While a folder is being read, requests differ from the last one only in the number of
 * files, and of those that are done: then what is new is sorted alone and merged into what was
 * sorted before. Keys to compare names by are kept, since making them is most of the work.
 *
 * What is sorted by name are the first n files. What is sorted by facts are those files that were
 * done first, in which nothing changes any more; all others among the first n are put behind them.
 * Which files those are, and whether a name matches, is remembered for each file.
 */

/* What is remembered of a file. */
enum
{
  FLAG_DONE = 1 << 0, /* it was among those that were done, at the last request */
  FLAG_TRIED = 1 << 1,
  FLAG_MATCHES = 1 << 2, /* if it was tried */
};

typedef struct
{
  guint64 serial;
  DemoFileStore *store; /* (owned) */
  guint n_files;
  guint n_done;
  DemoSort sort;
  gboolean descending;
  char *needle; /* (owned) (nullable): folded */
} Request;

struct _DemoArranger
{
  /* Set at construction. */
  DemoArrangedFunc arranged;
  gpointer user_data;
  GThread *thread; /* (owned) */

  /* Main thread only. */
  guint64 last_serial;

  GMutex mutex;
  GCond cond;
  /* Protected by the mutex. */
  Request *waiting;        /* (owned) (nullable) */
  DemoArrangement *answer; /* (owned) (nullable): on its way to the main thread */
  guint answer_source_id;
  gboolean quit;

  int is_outdated; /* atomic: the request that is being worked on is of no use any more */

  /* Arranger's thread only. */
  Request *last;     /* (owned) (nullable): what sorted answers */
  GArray *sorted;    /* (owned): guint32, the indices of those that are sorted and shown */
  GPtrArray *keys;   /* (owned): for the store and the sort of the last request */
  GByteArray *flags; /* (owned): of files of the last request */
};

gboolean
demo_sort_is_by_facts (DemoSort sort)
{
  return sort == DEMO_SORT_TYPE || sort == DEMO_SORT_SIZE || sort == DEMO_SORT_CONTENTS;
}

/* Requests and arrangements */

static void
request_free (Request *request)
{
  demo_file_store_unref (request->store);
  g_free (request->needle);
  g_free (request);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Request, request_free)

void
demo_arrangement_free (DemoArrangement *self)
{
  g_free (self->shown);
  g_free (self);
}

/* Comparing */

static char *
make_key (const DemoFile *file, DemoSort sort)
{
  g_autofree char *shown = g_filename_display_name (
    sort == DEMO_SORT_NAME ? demo_file_get_name (file) : file->path);

  return g_utf8_collate_key_for_filename (shown, -1);
}

static void
prepare_keys (DemoArranger *self, const Request *request)
{
  if (request->sort != DEMO_SORT_NAME && request->sort != DEMO_SORT_FOLDER)
    return;

  for (guint i = self->keys->len; i < request->n_files; i++)
    {
      if (i % 256 == 0 && g_atomic_int_get (&self->is_outdated))
        return;
      g_ptr_array_add (self->keys,
                       make_key (demo_file_store_get_file (request->store, i), request->sort));
    }
}

static int
compare_numbers (guint64 a, guint64 b)
{
  return a < b ? -1 : a > b;
}

/* Text, then pictures, then archives, then what has no more to tell; each by its own measure. */
static int
compare_contents (const DemoFile *a, const DemoFile *b)
{
  DemoKind kind_a = a->type != NULL ? a->type->kind : DEMO_N_KINDS;
  DemoKind kind_b = b->type != NULL ? b->type->kind : DEMO_N_KINDS;

  if (kind_a != kind_b)
    return kind_a < kind_b ? -1 : 1;
  if (kind_a == DEMO_KIND_TEXT)
    return compare_numbers (a->facts.text.lines, b->facts.text.lines);
  if (kind_a == DEMO_KIND_IMAGE)
    return compare_numbers ((guint64) a->facts.picture.width * a->facts.picture.height,
                            (guint64) b->facts.picture.width * b->facts.picture.height);
  if (kind_a == DEMO_KIND_ARCHIVE)
    return compare_numbers (a->facts.entries, b->facts.entries);
  return 0;
}

static int
compare_types (const DemoFile *a, const DemoFile *b)
{
  if (a->type == b->type)
    return 0;
  if (a->type == NULL || b->type == NULL)
    return a->type == NULL ? 1 : -1;
  return g_utf8_collate (a->type->description, b->type->description);
}

/* Files that are equal stay in the order in which they were found. */
static int
compare_cb (gconstpointer a, gconstpointer b, gpointer user_data)
{
  guint32 index_a = *(const guint32 *) a;
  guint32 index_b = *(const guint32 *) b;
  DemoArranger *self = user_data;
  const DemoFile *file_a = demo_file_store_get_file (self->last->store, index_a);
  const DemoFile *file_b = demo_file_store_get_file (self->last->store, index_b);
  int order = 0;

  switch (self->last->sort)
    {
    case DEMO_SORT_NAME:
    case DEMO_SORT_FOLDER:
      order = strcmp (self->keys->pdata[index_a], self->keys->pdata[index_b]);
      break;
    case DEMO_SORT_TYPE:
      order = compare_types (file_a, file_b);
      break;
    case DEMO_SORT_SIZE:
      order = compare_numbers (file_a->size, file_b->size);
      break;
    case DEMO_SORT_CONTENTS:
      order = compare_contents (file_a, file_b);
      break;
    case DEMO_SORT_ARRIVAL:
    case DEMO_N_SORTS:
    default:
      break;
    }
  if (self->last->descending)
    order = -order;
  return order != 0 ? order : compare_numbers (index_a, index_b);
}

/* Arranging, in the thread */

static gboolean
matches_needle (const DemoFile *file, const char *needle)
{
  g_autofree char *shown = g_filename_display_name (file->path);
  g_autofree char *folded = g_utf8_casefold (shown, -1);

  return strstr (folded, needle) != NULL;
}

static gboolean
matches (DemoArranger *self, guint32 index)
{
  const Request *request = self->last;
  guint8 *flags = &self->flags->data[index];

  if (request->needle == NULL)
    return TRUE;
  if ((*flags & FLAG_TRIED) == 0)
    *flags |= FLAG_TRIED
              | (matches_needle (demo_file_store_get_file (request->store, index), request->needle)
                   ? FLAG_MATCHES
                   : 0);
  return (*flags & FLAG_MATCHES) != 0;
}

/* Makes what is remembered of files that of the request. */
static void
prepare_flags (DemoArranger *self, guint first_done)
{
  const Request *request = self->last;
  guint n_before = self->flags->len;

  g_byte_array_set_size (self->flags, request->n_files);
  if (request->n_files > n_before)
    memset (self->flags->data + n_before, 0, request->n_files - n_before);
  for (guint i = first_done; i < request->n_done; i++)
    self->flags->data[demo_file_store_get_done (request->store, i)] |= FLAG_DONE;
}

/* (transfer full): the indices of files that are to be sorted and shown, in order, but for the
 * first ones: @first is the number of those, among all or among those that are done. */
static GArray *
select_files (DemoArranger *self, guint first)
{
  const Request *request = self->last;
  gboolean by_facts = demo_sort_is_by_facts (request->sort);
  GArray *selected = g_array_new (FALSE, FALSE, sizeof (guint32));

  for (guint i = first; i < (by_facts ? request->n_done : request->n_files); i++)
    {
      guint32 index = by_facts ? demo_file_store_get_done (request->store, i) : i;

      if (i % 256 == 0 && g_atomic_int_get (&self->is_outdated))
        break;
      if (matches (self, index))
        g_array_append_val (selected, index);
    }
  if (request->sort != DEMO_SORT_ARRIVAL && !g_atomic_int_get (&self->is_outdated))
    g_array_sort_with_data (selected, compare_cb, self);
  return selected;
}

static GArray *
merge (DemoArranger *self, GArray *a, GArray *b)
{
  GArray *merged = g_array_sized_new (FALSE, FALSE, sizeof (guint32), a->len + b->len);
  guint i = 0;
  guint k = 0;

  while (i < a->len && k < b->len)
    {
      guint32 *next_a = &g_array_index (a, guint32, i);
      guint32 *next_b = &g_array_index (b, guint32, k);
      gboolean take_a = compare_cb (next_a, next_b, self) <= 0;

      g_array_append_vals (merged, take_a ? next_a : next_b, 1);
      i += take_a;
      k += !take_a;
    }
  g_array_append_vals (merged, a->data + i * sizeof (guint32), a->len - i);
  g_array_append_vals (merged, b->data + k * sizeof (guint32), b->len - k);
  return merged;
}

static gboolean
continues (const Request *last, const Request *next)
{
  return last != NULL && last->store == next->store && last->n_files <= next->n_files
         && last->n_done <= next->n_done && last->sort == next->sort
         && last->descending == next->descending && g_strcmp0 (last->needle, next->needle) == 0;
}

/* Half an answer is no beginning for the next one, but the keys are. */
static void
give_up (DemoArranger *self)
{
  self->last->n_files = G_MAXUINT;
  self->sorted = g_array_new (FALSE, FALSE, sizeof (guint32));
}

/* Takes up @request; afterwards sorted answers it, unless it was outdated. */
static void
arrange (DemoArranger *self, Request *request)
{
  gboolean is_more = continues (self->last, request);
  guint first_file = is_more ? self->last->n_files : 0;
  guint first_done = is_more ? self->last->n_done : 0;
  g_autoptr (GArray) selected = NULL;
  g_autoptr (GArray) before = g_steal_pointer (&self->sorted);

  if (self->last == NULL || self->last->store != request->store
      || self->last->sort != request->sort)
    g_ptr_array_set_size (self->keys, 0);
  if (!is_more)
    g_byte_array_set_size (self->flags, 0);
  g_clear_pointer (&self->last, request_free);
  self->last = request;

  prepare_keys (self, request);
  prepare_flags (self, first_done);
  if (!g_atomic_int_get (&self->is_outdated))
    selected = select_files (self, demo_sort_is_by_facts (request->sort) ? first_done : first_file);
  if (selected == NULL || g_atomic_int_get (&self->is_outdated))
    give_up (self);
  else
    self->sorted = is_more ? merge (self, before, selected) : g_steal_pointer (&selected);
}

/* (transfer full): with files that are not done, where those that are sorted are. */
static GArray *
make_shown (DemoArranger *self)
{
  const Request *request = self->last;
  GArray *shown = g_array_sized_new (FALSE, FALSE, sizeof (guint32), request->n_files);

  g_array_append_vals (shown, self->sorted->data, self->sorted->len);
  if (!demo_sort_is_by_facts (request->sort))
    return shown;
  for (guint32 i = 0; i < request->n_files; i++)
    {
      if ((self->flags->data[i] & FLAG_DONE) == 0 && matches (self, i))
        g_array_append_val (shown, i);
    }
  return shown;
}

static gboolean
answer_cb (gpointer user_data)
{
  DemoArranger *self = user_data;
  DemoArrangement *answer;

  g_mutex_lock (&self->mutex);
  answer = g_steal_pointer (&self->answer);
  self->answer_source_id = 0;
  g_mutex_unlock (&self->mutex);

  self->arranged (answer, self->user_data);
  return G_SOURCE_REMOVE;
}

/* (transfer full) */
static DemoArrangement *
make_answer (DemoArranger *self)
{
  DemoArrangement *answer = g_new0 (DemoArrangement, 1);
  GArray *shown = make_shown (self);

  answer->serial = self->last->serial;
  answer->n_files = self->last->n_files;
  answer->n_done = self->last->n_done;
  answer->n_shown = shown->len;
  answer->shown = (guint32 *) (gpointer) g_array_free (shown, FALSE);
  return answer;
}

/* @answer: (transfer full) */
static void
answer_locked (DemoArranger *self, DemoArrangement *answer)
{
  g_clear_pointer (&self->answer, demo_arrangement_free);
  self->answer = answer;
  if (self->answer_source_id == 0)
    self->answer_source_id = g_idle_add (answer_cb, self);
}

static gpointer
thread_func (gpointer user_data)
{
  DemoArranger *self = user_data;

  g_mutex_lock (&self->mutex);
  while (!self->quit)
    {
      Request *request = g_steal_pointer (&self->waiting);
      g_autoptr (DemoArrangement) answer = NULL;

      if (request == NULL)
        {
          g_cond_wait (&self->cond, &self->mutex);
          continue;
        }
      g_atomic_int_set (&self->is_outdated, FALSE);
      g_mutex_unlock (&self->mutex);
      arrange (self, request);
      answer = g_atomic_int_get (&self->is_outdated) ? NULL : make_answer (self);
      g_mutex_lock (&self->mutex);
      if (answer != NULL && !g_atomic_int_get (&self->is_outdated))
        answer_locked (self, g_steal_pointer (&answer));
    }
  g_mutex_unlock (&self->mutex);
  return NULL;
}

/* Public, in the main thread */

DemoArranger *
demo_arranger_new (DemoArrangedFunc arranged, gpointer user_data)
{
  DemoArranger *self = g_new0 (DemoArranger, 1);

  g_mutex_init (&self->mutex);
  g_cond_init (&self->cond);
  self->arranged = arranged;
  self->user_data = user_data;
  self->sorted = g_array_new (FALSE, FALSE, sizeof (guint32));
  self->flags = g_byte_array_new ();
  self->keys = g_ptr_array_new_with_free_func (g_free);
  self->thread = g_thread_new ("arranger", thread_func, self);
  return self;
}

void
demo_arranger_free (DemoArranger *self)
{
  g_mutex_lock (&self->mutex);
  self->quit = TRUE;
  g_atomic_int_set (&self->is_outdated, TRUE);
  g_cond_signal (&self->cond);
  g_mutex_unlock (&self->mutex);
  g_thread_join (self->thread);

  g_clear_handle_id (&self->answer_source_id, g_source_remove);
  g_clear_pointer (&self->answer, demo_arrangement_free);
  g_clear_pointer (&self->waiting, request_free);
  g_clear_pointer (&self->last, request_free);
  g_ptr_array_unref (self->keys);
  g_array_unref (self->sorted);
  g_byte_array_unref (self->flags);
  g_cond_clear (&self->cond);
  g_mutex_clear (&self->mutex);
  g_free (self);
}

guint64
demo_arranger_request (DemoArranger *self,
                       DemoFileStore *store,
                       guint n_files,
                       guint n_done,
                       DemoSort sort,
                       gboolean descending,
                       const char *needle)
{
  Request *request = g_new0 (Request, 1);

  request->serial = ++self->last_serial;
  request->store = demo_file_store_ref (store);
  request->n_files = n_files;
  request->n_done = n_done;
  request->sort = sort;
  request->descending = descending;
  request->needle = needle != NULL ? g_utf8_casefold (needle, -1) : NULL;

  g_mutex_lock (&self->mutex);
  g_clear_pointer (&self->waiting, request_free);
  self->waiting = request;
  g_atomic_int_set (&self->is_outdated, TRUE);
  g_cond_signal (&self->cond);
  g_mutex_unlock (&self->mutex);
  return request->serial;
}
