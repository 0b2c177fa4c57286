/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-value-check.h"

#include <string.h>

/*
 * GVariant can say by itself whether bytes are in normal form, but at a price that a peer may
 * choose: an array of bytes is checked a byte at a time (10 ns each), and every variant inside a
 * value has its type looked up, all of it again for each level of containers. So the rules of
 * the format (the "GVariant Specification", section 2, and the normal form in 2.7) are checked
 * here, after the type was made into a list of nodes:
 *
 *   a{s(xay)}  ->  0: array of 1
 *                  1: entry of 2, 3
 *                  2: string
 *                  3: tuple of 4, 5
 *                  4: int64
 *                  5: array of 6
 *                  6: byte
 *
 * The children of a node follow it; @next is where its sibling is. A node of a fixed size of
 * which all bytes are good (no boolean, no padding) needs no look at them, and neither does an
 * array of it. A tuple of one member is laid out just like the member, so its node says only
 * where that is: this is what makes the time linear, since each other container that is not
 * empty takes at least one byte of its own (a framing offset, a member, the end of a maybe).
 *
 * A variant's type gets nodes of its own, behind all others, for as long as it is checked.
 */

/* Nodes that are there without an allocation. */
#define N_NODES_INLINE 64

#define KIND_SAME 'S'  /* the same as the node @first */
#define KIND_TUPLE '(' /* dictionary entries too */

typedef struct
{
  char kind;          /* the character of the type, or one of the above */
  guint8 alignment;   /* 0, 1, 3 or 7: as a mask */
  guint8 depth;       /* how many containers there are around it, in all of the value */
  guint8 any_bytes;   /* whether all bytes of the right size are in normal form */
  guint32 n_offsets;  /* of a tuple: the members whose end is written behind the members */
  guint32 fixed_size; /* 0 for a type of variable size */
  guint32 first;      /* of a container: its first child */
  guint32 next;       /* behind the last child */
} Node;

typedef struct
{
  Node *nodes; /* (unowned): @allocated or @some */
  guint n_nodes;
  guint n_space;
  Node *allocated; /* (owned) (nullable) */
  Node some[N_NODES_INLINE];
} Checker;

static gboolean check (Checker *self, guint index, const guint8 *data, gsize size);

/* Types */

static void
grow (Checker *self)
{
  gboolean first_time = self->allocated == NULL;

  self->n_space *= 2;
  self->allocated = g_renew (Node, self->allocated, self->n_space);
  if (first_time)
    memcpy (self->allocated, self->some, sizeof self->some);
  self->nodes = self->allocated;
}

static guint
append_node (Checker *self, char kind, guint alignment, guint fixed_size, guint depth)
{
  guint index = self->n_nodes;

  if (index == self->n_space)
    grow (self);

  self->nodes[index] = (Node) {
    .kind = kind,
    .alignment = alignment,
    .depth = depth,
    .any_bytes = fixed_size != 0 && kind != 'b',
    .fixed_size = fixed_size,
    .first = index + 1,
    .next = index + 1,
  };
  self->n_nodes++;
  return index;
}

static guint
resolve (Checker *self, guint index)
{
  return self->nodes[index].kind == KIND_SAME ? self->nodes[index].first : index;
}

/* What is known of a tuple while its members are read. */
typedef struct
{
  guint n_members;
  guint n_offsets;
  guint alignment;
  guint fixed_size;
  gboolean is_fixed;
  gboolean any_bytes;
  gboolean last_is_variable;
} Layout;

static guint
align (guint offset, guint alignment)
{
  return (offset + alignment) & ~alignment;
}

static void
add_member (Layout *layout, const Node *member)
{
  guint start = align (layout->fixed_size, member->alignment);

  layout->n_members++;
  layout->alignment |= member->alignment;
  layout->last_is_variable = member->fixed_size == 0;
  layout->any_bytes = layout->any_bytes && member->any_bytes && start == layout->fixed_size;

  if (layout->last_is_variable)
    {
      layout->n_offsets++;
      layout->is_fixed = FALSE;
    }
  layout->fixed_size = start + member->fixed_size;
}

static void
finish_tuple (Checker *self, guint index, const Layout *layout)
{
  Node *node = &self->nodes[index];
  guint size = align (layout->fixed_size, layout->alignment);

  node->next = self->n_nodes;

  if (layout->n_members == 1)
    {
      const Node *member = &self->nodes[resolve (self, index + 1)];

      node->kind = KIND_SAME;
      node->first = resolve (self, index + 1);
      node->alignment = member->alignment;
      node->fixed_size = member->fixed_size;
      node->any_bytes = member->any_bytes;
      return;
    }

  node->alignment = layout->alignment;
  node->n_offsets = layout->n_offsets - (layout->last_is_variable ? 1 : 0);
  if (layout->is_fixed)
    {
      /* The empty tuple takes a byte, which is zero. */
      node->fixed_size = MAX (size, 1);
      node->any_bytes = layout->any_bytes && size == layout->fixed_size && size > 0;
    }
}

static gboolean
is_basic (char kind)
{
  return kind != '\0' && strchr ("bynqiuxthdsog", kind) != NULL;
}

static gboolean parse_type (Checker *self, const char **cursor, const char *end, guint depth);

/* Behind the opening parenthesis or brace. */
static gboolean
parse_members (Checker *self, guint index, const char **cursor, const char *end, char closing)
{
  Layout layout = { .is_fixed = TRUE, .any_bytes = TRUE };
  guint depth = self->nodes[index].depth;

  if (closing == '}' && (*cursor == end || !is_basic (**cursor)))
    return FALSE;

  while (*cursor < end && **cursor != closing)
    {
      guint member = self->n_nodes;

      if (!parse_type (self, cursor, end, depth + 1))
        return FALSE;
      add_member (&layout, &self->nodes[member]);
    }

  if (*cursor == end || (closing == '}' && layout.n_members != 2))
    return FALSE;

  (*cursor)++;
  finish_tuple (self, index, &layout);
  return TRUE;
}

static gboolean
parse_container (Checker *self, char kind, const char **cursor, const char *end, guint depth)
{
  guint index;

  switch (kind)
    {
    case '(':
    case '{':
      index = append_node (self, KIND_TUPLE, 0, 0, depth);
      return parse_members (self, index, cursor, end, kind == '(' ? ')' : '}');

    case 'a':
    case 'm':
      index = append_node (self, kind, 0, 0, depth);
      if (!parse_type (self, cursor, end, depth + 1))
        return FALSE;
      self->nodes[index].first = resolve (self, index + 1);
      self->nodes[index].alignment = self->nodes[index + 1].alignment;
      self->nodes[index].next = self->n_nodes;
      return TRUE;

    default:
      return FALSE;
    }
}

/* Makes nodes of the one type that *@cursor points to, and moves on behind it. */
static gboolean
parse_type (Checker *self, const char **cursor, const char *end, guint depth)
{
  char kind;

  if (*cursor == end || depth >= DRAY_VALUE_MAX_DEPTH)
    return FALSE;

  kind = *(*cursor)++;
  switch (kind)
    {
    case 'b':
    case 'y':
      append_node (self, kind, 0, 1, depth);
      return TRUE;

    case 'n':
    case 'q':
      append_node (self, kind, 1, 2, depth);
      return TRUE;

    case 'i':
    case 'u':
    case 'h':
      append_node (self, kind, 3, 4, depth);
      return TRUE;

    case 'x':
    case 't':
    case 'd':
      append_node (self, kind, 7, 8, depth);
      return TRUE;

    case 's':
    case 'o':
    case 'g':
      append_node (self, kind, 0, 0, depth);
      return TRUE;

    case 'v':
      append_node (self, kind, 7, 0, depth);
      return TRUE;

    default:
      return parse_container (self, kind, cursor, end, depth);
    }
}

/* Values */

static gboolean
is_zero (const guint8 *data, gsize start, gsize end)
{
  for (gsize i = start; i < end; i++)
    if (data[i] != 0)
      return FALSE;

  return TRUE;
}

static gboolean
check_text (char kind, const guint8 *data, gsize size)
{
  const char *text = (const char *) data;

  if (size == 0 || data[size - 1] != 0)
    return FALSE;
  if (!g_utf8_validate_len (text, size - 1, NULL))
    return FALSE;
  if (kind == 'o')
    return g_variant_is_object_path (text);
  if (kind == 'g')
    return g_variant_is_signature (text);
  return TRUE;
}

/* How many bytes a framing offset has in a container of @size bytes. */
static guint
offset_size (gsize size)
{
  if (size <= G_MAXUINT8)
    return 1;
  if (size <= G_MAXUINT16)
    return 2;
  if (size <= G_MAXUINT32)
    return 4;
  return 8;
}

static gsize
read_offset (const guint8 *data, guint n_bytes)
{
  guint64 offset = 0;

  /* Little-endian, whatever the byte order of the values is. */
  memcpy (&offset, data, n_bytes);
  offset = GUINT64_FROM_LE (offset);
  return MIN (offset, G_MAXSIZE);
}

/* Whether a container of @size bytes with @n_offsets framing offsets behind its @body could not
 * have had smaller ones. */
static gboolean
offsets_are_smallest (gsize body, gsize n_offsets, gsize size)
{
  guint smaller = offset_size (size) / 2;

  return n_offsets == 0 || smaller == 0 || offset_size (body + n_offsets * smaller) > smaller;
}

/* Finds where a child starts that comes after @offset, and checks the zeros before it. */
static gboolean
find_start (const guint8 *data, gsize offset, gsize limit, guint alignment, gsize *start)
{
  gsize padding = -offset & alignment;

  if (padding > limit - offset)
    return FALSE;

  *start = offset + padding;
  return is_zero (data, offset, *start);
}

static gboolean
check_fixed_array (Checker *self, guint child, const guint8 *data, gsize size)
{
  const Node *node = &self->nodes[child];
  gsize child_size = node->fixed_size;

  if (size % child_size != 0)
    return FALSE;
  if (node->any_bytes)
    return TRUE;

  for (gsize start = 0; start < size; start += child_size)
    if (!check (self, child, data + start, child_size))
      return FALSE;

  return TRUE;
}

static gboolean
check_variable_array (Checker *self, guint child, const guint8 *data, gsize size)
{
  guint alignment = self->nodes[child].alignment;
  guint width = offset_size (size);
  gsize offset = 0;
  gsize body, n_children;

  if (size == 0)
    return TRUE;

  body = read_offset (data + size - width, width);
  if (body >= size || (size - body) % width != 0)
    return FALSE;

  n_children = (size - body) / width;
  if (!offsets_are_smallest (body, n_children, size))
    return FALSE;

  for (gsize i = 0; i < n_children; i++)
    {
      gsize end = read_offset (data + body + i * width, width);
      gsize start;

      if (!find_start (data, offset, body, alignment, &start) || end < start || end > body
          || !check (self, child, data + start, end - start))
        return FALSE;
      offset = end;
    }

  return TRUE;
}

static gboolean
check_maybe (Checker *self, guint child, const guint8 *data, gsize size)
{
  if (size == 0)
    return TRUE;
  if (self->nodes[child].fixed_size != 0)
    return check (self, child, data, size);
  return data[size - 1] == 0 && check (self, child, data, size - 1);
}

static gboolean
check_tuple (Checker *self, guint index, const guint8 *data, gsize size)
{
  /* A copy: the nodes move where a member is a variant. */
  const Node node = self->nodes[index];
  guint width = offset_size (size);
  guint n_offsets_read = 0;
  gsize offset = 0;
  gsize limit;

  if ((gsize) node.n_offsets * width > size)
    return FALSE;
  limit = size - (gsize) node.n_offsets * width;
  if (!offsets_are_smallest (limit, node.n_offsets, size))
    return FALSE;

  for (guint next = node.first; next < node.next;)
    {
      guint member = resolve (self, next);
      gsize fixed_size = self->nodes[member].fixed_size;
      gsize start, end;

      next = self->nodes[next].next;
      if (!find_start (data, offset, limit, self->nodes[member].alignment, &start))
        return FALSE;

      if (fixed_size != 0)
        end = fixed_size <= limit - start ? start + fixed_size : G_MAXSIZE;
      else if (n_offsets_read == node.n_offsets)
        end = limit;
      else
        end = read_offset (data + size - ++n_offsets_read * width, width);

      if (end < start || end > limit || !check (self, member, data + start, end - start))
        return FALSE;
      offset = end;
    }

  return node.fixed_size != 0 ? is_zero (data, offset, limit) : offset == limit;
}

static gboolean
check_variant (Checker *self, guint index, const guint8 *data, gsize size)
{
  guint child = self->n_nodes;
  guint depth = self->nodes[index].depth + 1;
  const char *nul = size > 0 ? memrchr (data, 0, size) : NULL;
  const char *end, *cursor;
  gboolean ok;

  if (nul == NULL)
    return FALSE;

  end = (const char *) data + size;
  cursor = nul + 1;
  if ((gsize) (end - cursor) > DRAY_VALUE_MAX_TYPE)
    return FALSE;

  ok = parse_type (self, &cursor, end, depth) && cursor == end
       && check (self, resolve (self, child), data, nul - (const char *) data);
  self->n_nodes = child;
  return ok;
}

/* @index: resolved */
static gboolean
check (Checker *self, guint index, const guint8 *data, gsize size)
{
  const Node *node = &self->nodes[index];

  if (node->fixed_size != 0 && node->fixed_size != size)
    return FALSE;
  if (node->any_bytes)
    return TRUE;

  switch (node->kind)
    {
    case 'b':
      return data[0] <= 1;

    case 's':
    case 'o':
    case 'g':
      return check_text (node->kind, data, size);

    case 'v':
      return check_variant (self, index, data, size);

    case 'm':
      return check_maybe (self, node->first, data, size);

    case 'a':
      if (self->nodes[node->first].fixed_size != 0)
        return check_fixed_array (self, node->first, data, size);
      return check_variable_array (self, node->first, data, size);

    default:
      return check_tuple (self, index, data, size);
    }
}

/* The size of a basic type of which all bytes are good; 0 for any other. */
static gsize
get_plain_size (char type)
{
  switch (type)
    {
    case 'y':
      return 1;
    case 'n':
    case 'q':
      return 2;
    case 'i':
    case 'u':
    case 'h':
      return 4;
    case 'x':
    case 't':
    case 'd':
      return 8;
    default:
      return 0;
    }
}

gboolean
dray_value_check (const char *type, gsize type_length, const guint8 *data, gsize size)
{
  Checker self;
  const char *cursor = type;
  gboolean ok;

  if (type_length > DRAY_VALUE_MAX_TYPE)
    return FALSE;
  if (type_length == 1 && get_plain_size (*type) > 0)
    return size == get_plain_size (*type);

  self.nodes = self.some;
  self.n_nodes = 0;
  self.n_space = N_NODES_INLINE;
  self.allocated = NULL;
  ok = parse_type (&self, &cursor, type + type_length, 0) && cursor == type + type_length
       && check (&self, resolve (&self, 0), data, size);
  g_free (self.allocated);
  return ok;
}
