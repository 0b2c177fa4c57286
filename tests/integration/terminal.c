/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "terminal.h"

#include "host.h"

#include <errno.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define INTERRUPT_CHARACTER '\003'

/* What is typed is not printed, and newlines stay what they are: the output is the host's alone. */
static void
fill_settings (struct termios *settings)
{
  memset (settings, 0, sizeof *settings);
  settings->c_cflag = CS8 | CREAD;
  settings->c_lflag = ISIG | ICANON;
  settings->c_cc[VINTR] = INTERRUPT_CHARACTER;
  settings->c_cc[VEOF] = '\004';
  settings->c_cc[VMIN] = 1;
}

Terminal *
terminal_start (const char *part)
{
  Terminal *self = g_new0 (Terminal, 1);
  g_auto (GStrv) argv = host_dup_argv (part);
  struct termios settings;

  fill_settings (&settings);
  self->output = g_string_new (NULL);
  self->pid = forkpty (&self->fd, NULL, &settings, NULL);
  g_assert_cmpint (self->pid, !=, -1);
  if (self->pid == 0)
    {
      /* Somebody who runs tests in the background may have it ignored. */
      signal (SIGINT, SIG_DFL);
      execv (argv[0], argv);
      _exit (127);
    }

  return self;
}

/* Returns whether there may be more: the terminal is gone for the last one who had it open. */
static gboolean
read_some (Terminal *self)
{
  char text[4096];
  gssize n_read;

  do
    n_read = read (self->fd, text, sizeof text);
  while (n_read == -1 && errno == EINTR);

  if (n_read > 0)
    g_string_append_len (self->output, text, n_read);

  return n_read > 0;
}

void
terminal_wait_for (Terminal *self, const char *line)
{
  g_autofree char *wanted = g_strdup_printf ("%s\n", line);
  const char *found;

  while ((found = strstr (self->output->str + self->seen, wanted)) == NULL)
    if (!read_some (self))
      g_error ("the host ended before it printed “%s”; it printed:\n%s", line, self->output->str);

  self->seen = (gsize) (found - self->output->str) + strlen (wanted);
}

void
terminal_press_ctrl_c (Terminal *self)
{
  const char character = INTERRUPT_CHARACTER;

  g_assert_cmpint (write (self->fd, &character, 1), ==, 1);
}

int
terminal_wait_for_end (Terminal *self)
{
  int status;
  pid_t pid;

  while (read_some (self))
    ;
  do
    pid = waitpid (self->pid, &status, 0);
  while (pid == -1 && errno == EINTR);
  g_assert_cmpint (pid, ==, self->pid);

  return status;
}

/* Tells where in the output the next line with @word is, and where the line ends. */
static const char *
find_line (const char *text, const char *word, const char **end)
{
  const gsize length = strlen (word);

  for (const char *line = text; *line != '\0'; line = *end)
    {
      *end = strchrnul (line, '\n');
      if (**end == '\n')
        ++*end;
      if (strncmp (line, word, length) == 0 && line[length] == ' ')
        return line;
    }

  *end = text + strlen (text);
  return NULL;
}

GArray *
terminal_dup_numbers (Terminal *self, const char *word)
{
  GArray *numbers = g_array_new (FALSE, FALSE, sizeof (int));
  const char *end = self->output->str;
  const char *line;

  while ((line = find_line (end, word, &end)) != NULL)
    {
      int number = atoi (line + strlen (word));

      g_assert_cmpint (number, >, 0);
      g_array_append_val (numbers, number);
    }

  return numbers;
}

char *
terminal_dup_other_output (Terminal *self, const char *word)
{
  GString *others = g_string_new (NULL);
  const char *start = self->output->str;
  const char *line, *end;

  while ((line = find_line (start, word, &end)) != NULL)
    {
      g_string_append_len (others, start, line - start);
      start = end;
    }
  g_string_append (others, start);

  return g_string_free (others, FALSE);
}

void
terminal_free (Terminal *self)
{
  close (self->fd);
  g_string_free (self->output, TRUE);
  g_free (self);
}
