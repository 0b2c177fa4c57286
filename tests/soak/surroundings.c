/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "soak.h"

#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What this process has, as /proc tells it. */

static guint
count_entries (const char *path)
{
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  guint n = 0;

  while (dir != NULL && g_dir_read_name (dir) != NULL)
    n++;
  return n;
}

static double
read_resident (void)
{
  g_autofree char *text = NULL;
  unsigned long pages = 0;

  if (g_file_get_contents ("/proc/self/statm", &text, NULL, NULL))
    pages = strtoul (strchr (text, ' '), NULL, 10);
  return (double) pages * (double) sysconf (_SC_PAGESIZE) / (1024 * 1024);
}

static guint
count_shared_mappings (void)
{
  g_autofree char *text = NULL;
  g_auto (GStrv) lines = NULL;
  guint n = 0;

  if (!g_file_get_contents ("/proc/self/maps", &text, NULL, NULL))
    return 0;

  /* "start-end rw-s …" */
  lines = g_strsplit (text, "\n", -1);
  for (char **line = lines; *line != NULL; line++)
    {
      const char *permissions = strchr (*line, ' ');

      if (permissions != NULL && strlen (permissions) > 4 && permissions[4] == 's')
        n++;
    }
  return n;
}

/* Of which process it is a child; 0 if it is gone. Its name may hold spaces and parentheses. */
static int
read_parent (int pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/stat", pid);
  g_autofree char *text = NULL;
  const char *close;

  if (!g_file_get_contents (path, &text, NULL, NULL))
    return 0;

  close = strrchr (text, ')');
  return close != NULL && strlen (close) > 4 ? atoi (close + 4) : 0;
}

static void
add_children (GArray *children, const char *tid)
{
  g_autofree char *path = g_build_filename ("/proc/self/task", tid, "children", NULL);
  g_autofree char *text = NULL;
  g_auto (GStrv) words = NULL;

  if (!g_file_get_contents (path, &text, NULL, NULL))
    return;

  words = g_strsplit (text, " ", -1);
  for (char **word = words; *word != NULL; word++)
    {
      int pid = atoi (*word);

      if (pid > 0)
        g_array_append_val (children, pid);
    }
}

GArray *
soak_list_children (void)
{
  GArray *children = g_array_new (FALSE, FALSE, sizeof (int));
  g_autoptr (GDir) dir = g_dir_open ("/proc/self/task", 0, NULL);
  const char *tid;

  while (dir != NULL && (tid = g_dir_read_name (dir)) != NULL)
    add_children (children, tid);
  return children;
}

/* What each is, and what it does: its state, and where it is in the kernel. */
void
soak_print_children (void)
{
  g_autoptr (GArray) children = soak_list_children ();

  for (guint i = 0; i < children->len; i++)
    {
      int pid = g_array_index (children, int, i);
      g_autofree char *stat_path = g_strdup_printf ("/proc/%d/stat", pid);
      g_autofree char *wchan_path = g_strdup_printf ("/proc/%d/wchan", pid);
      g_autofree char *stat = NULL;
      g_autofree char *wchan = NULL;

      g_file_get_contents (stat_path, &stat, NULL, NULL);
      g_file_get_contents (wchan_path, &wchan, NULL, NULL);
      fprintf (stderr, "  a child: %.60s, in %s\n", stat != NULL ? stat : "gone",
               wchan != NULL ? wchan : "nothing");
    }
}

void
soak_surroundings_read (SoakSurroundings *self)
{
  g_autoptr (GArray) children = soak_list_children ();

  malloc_trim (0);
  self->n_descriptors = count_entries ("/proc/self/fd") - 1; /* without the folder's own */
  self->n_threads = count_entries ("/proc/self/task");
  self->n_children = children->len;
  self->n_mappings = count_shared_mappings ();
  self->resident = read_resident ();
}

gboolean
soak_has_thread (const char *name)
{
  g_autoptr (GDir) dir = g_dir_open ("/proc/self/task", 0, NULL);
  const char *tid;

  while (dir != NULL && (tid = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename ("/proc/self/task", tid, "comm", NULL);
      g_autofree char *found = NULL;

      if (g_file_get_contents (path, &found, NULL, NULL) && g_str_equal (g_strchomp (found), name))
        return TRUE;
    }
  return FALSE;
}

/* By a descriptor: when that is open, and then the number is still a child's, it is that child's. A
 * child that has ended meanwhile gets nothing, and nobody else does. */
gboolean
soak_signal_child (int pid, int signal_number)
{
  int fd = (int) syscall (SYS_pidfd_open, pid, 0);
  gboolean sent = FALSE;

  if (fd < 0)
    return FALSE;

  if (read_parent (pid) == getpid ())
    sent = syscall (SYS_pidfd_send_signal, fd, signal_number, NULL, 0) == 0;
  close (fd);

  return sent;
}

void
soak_kill_children (void)
{
  g_autoptr (GArray) children = soak_list_children ();

  for (guint i = 0; i < children->len; i++)
    soak_signal_child (g_array_index (children, int, i), SIGKILL);
}
