/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-follow.h"

#include "dray-error.h"
#include "dray-pool.h"
#include "dray-task-private.h"

#include <glib/gi18n-lib.h>
#include <string.h>

static gsize
count_arguments (GVariant *arguments)
{
  return arguments != NULL ? g_variant_n_children (arguments) : 0;
}

gboolean
dray_follow_is_possible (DrayTask *task, int position)
{
  GVariant *arguments;

  if (position == DRAY_POSITION_NONE || position == DRAY_POSITION_WHOLE)
    return TRUE;
  if (dray_task_get_kind (task) != DRAY_TASK_CALL)
    return FALSE;

  arguments = dray_task_get_arguments (task);
  if (arguments != NULL && !g_variant_is_of_type (arguments, G_VARIANT_TYPE_TUPLE))
    return FALSE;

  return position == DRAY_POSITION_LAST
         || (position >= 0 && (gsize) position <= count_arguments (arguments));
}

/* (transfer full): @arguments with @result among them */
static GVariant *
insert_result (GVariant *arguments, GVariant *result, int position)
{
  gsize n = count_arguments (arguments);
  gsize place = position == DRAY_POSITION_LAST ? n : (gsize) position;
  g_autoptr (GPtrArray) children = g_ptr_array_new_full ((guint) n + 1,
                                                         (GDestroyNotify) g_variant_unref);

  for (gsize i = 0; i < n; i++)
    g_ptr_array_add (children, g_variant_get_child_value (arguments, i));
  g_ptr_array_insert (children, (int) place, g_variant_ref (result));

  return g_variant_ref_sink (
    g_variant_new_tuple ((GVariant *const *) children->pdata, children->len));
}

static gboolean
can_be_read (GVariant *result, GError **error)
{
  if (g_variant_is_of_type (result, G_VARIANT_TYPE_BYTESTRING)
      || g_variant_is_of_type (result, G_VARIANT_TYPE_STRING))
    return TRUE;

  g_set_error (error, DRAY_ERROR, DRAY_ERROR_BAD_ARGUMENTS,
               /* Translators: the type of a value, as "(si)". */
               _ ("A command can't read a value of type “%s”"), g_variant_get_type_string (result));
  return FALSE;
}

gboolean
dray_follow (DrayTicket *ticket, GVariant *result, int position, GError **error)
{
  DrayTask *task = ticket->task;
  gboolean is_call = dray_task_get_kind (task) == DRAY_TASK_CALL;
  GVariant *arguments = NULL;

  if (position == DRAY_POSITION_WHOLE && !is_call && !can_be_read (result, error))
    return FALSE;

  if (position == DRAY_POSITION_WHOLE)
    arguments = g_variant_ref (result);
  else if (position != DRAY_POSITION_NONE)
    arguments = insert_result (dray_task_get_arguments (task), result, position);

  dray_pool_resume (ticket->pool, ticket, arguments);
  return TRUE;
}

/* --- What a ticket has, be it its task's or the result of another one --- */

GVariant *
dray_ticket_get_arguments (DrayTicket *self)
{
  return self->arguments != NULL ? self->arguments : dray_task_get_arguments (self->task);
}

gboolean
dray_ticket_is_heavy (DrayTicket *self)
{
  return dray_task_is_heavy (self->task)
         || (self->arguments != NULL && g_variant_get_size (self->arguments) >= DRAY_TASK_LARGE);
}

GBytes *
dray_ticket_dup_input (DrayTicket *self)
{
  GBytes *input = dray_task_get_input_bytes (self->task);
  const char *text;

  if (self->arguments == NULL)
    return input != NULL ? g_bytes_ref (input) : NULL;

  if (!g_variant_is_of_type (self->arguments, G_VARIANT_TYPE_STRING))
    return g_variant_get_data_as_bytes (self->arguments);

  text = g_variant_get_string (self->arguments, NULL);
  return g_bytes_new_with_free_func (text, strlen (text), (GDestroyNotify) g_variant_unref,
                                     g_variant_ref (self->arguments));
}

gsize
dray_ticket_get_size (DrayTicket *self)
{
  return self->arguments != NULL ? g_variant_get_size (self->arguments)
                                 : dray_pool_task_size (self->task);
}
