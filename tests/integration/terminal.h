/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * The terminal: a host (see host.h) that runs in a session of its own, in the foreground of a
 * pseudo-terminal, as if somebody had started it there by hand. What is typed reaches it through
 * the terminal: a Ctrl+C is a signal to all in its foreground group. All that it prints, errors as
 * well, is kept.
 */

#include <glib.h>
#include <sys/types.h>

G_BEGIN_DECLS

typedef struct
{
  pid_t pid;       /* of the host */
  int fd;          /* (owned): where one types and reads */
  GString *output; /* (owned): all that was printed */
  gsize seen;      /* so much of it was waited for */
} Terminal;

/* (transfer full) */
Terminal *terminal_start (const char *part);
/* Waits until the host has printed @line, after what was waited for before. */
void terminal_wait_for (Terminal *self, const char *line);
void terminal_press_ctrl_c (Terminal *self);
/* Waits until the host is gone, all was read, and every process of its foreground group has let go
 * of the terminal. Returns its status, as of waitpid(). */
int terminal_wait_for_end (Terminal *self);
/* (transfer full): the numbers in lines that begin with @word and a space */
GArray *terminal_dup_numbers (Terminal *self, const char *word);
/* The rest, without those lines: what a person would wonder about (transfer full). */
char *terminal_dup_other_output (Terminal *self, const char *word);
void terminal_free (Terminal *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Terminal, terminal_free)

G_END_DECLS
