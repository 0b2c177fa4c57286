// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Loads all files of a folder in worker processes, while the window stays alive. The workers are
// this same program.
//
// Usage: dray-file-loader [--exit-when-done] [--screenshot=FILE] [FOLDER]

extern const string GETTEXT_PACKAGE;

private const int BATCH = 100;
private const size_t CHUNK = 1 << 20;
private const uint TIME_LIMIT = 60000; // milliseconds for one file

// --- In the worker processes ---

// Streams the names and addresses of a folder's files, so many at a time.
private Variant? list_files (Dray.Job job, Variant arguments) throws Error {
  var folder = File.new_for_uri (arguments.get_child_value (0).get_string ());
  var found = folder.enumerate_children ("standard::name,standard::display-name,standard::type",
                                         FileQueryInfoFlags.NONE, job.get_cancellable ());
  var batch = new VariantBuilder (new VariantType ("a(ss)"));
  var n_files = 0;
  FileInfo? info;

  while ((info = found.next_file (job.get_cancellable ())) != null) {
    if (info.get_file_type () == FileType.DIRECTORY)
      continue;
    batch.add ("(ss)", info.get_display_name (), found.get_child (info).get_uri ());
    if (++n_files % BATCH == 0) {
      job.emit (batch.end ());
      batch = new VariantBuilder (new VariantType ("a(ss)"));
    }
  }
  job.emit (batch.end ());
  return null;
}

// Reads a file, and returns its size, its type and its checksum.
private Variant? load_file (Dray.Job job, Variant arguments) throws Error {
  var file = File.new_for_uri (arguments.get_child_value (0).get_string ());
  var cancellable = job.get_cancellable ();
  var info = file.query_info ("standard::size,standard::content-type", FileQueryInfoFlags.NONE,
                              cancellable);
  var stream = file.read (cancellable);
  var checksum = new Checksum (ChecksumType.SHA256);
  var buffer = new uint8[CHUNK];
  uint64 n_read = 0;
  ssize_t length;

  while ((length = stream.read (buffer, cancellable)) > 0) {
    checksum.update (buffer, length);
    n_read += length;
    job.set_progress (double.min ((double) n_read / int64.max (info.get_size (), 1), 1), null);
  }
  return new Variant ("(tss)", n_read, info.get_content_type () ?? "", checksum.get_string ());
}

private int run_worker () {
  var worker = new Dray.Worker ();

  worker.add_typed_function ("list", new VariantType ("(s)"), list_files);
  worker.add_typed_function ("load", new VariantType ("(s)"), load_file);
  return worker.run ();
}

// --- In the application ---

private class FileLoader : Gtk.Window {
  private enum Column { NAME, SIZE, TYPE, PERCENT, TEXT, COLOR }

  private Dray.Executor executor = new Dray.Executor (new Dray.Launcher.self ());
  private Cancellable load = new Cancellable (); // the current load; what belongs to another is old
  private Gtk.ListStore rows = new Gtk.ListStore (6, typeof (string), typeof (string),
                                                  typeof (string), typeof (int), typeof (string),
                                                  typeof (string));
  private Gtk.HeaderBar header = new Gtk.HeaderBar ();
  private Gtk.Button cancel_button = new Gtk.Button.with_label (_("Cancel"));
  private Gtk.ProgressBar bar = new Gtk.ProgressBar ();
  private bool listed = false;
  private ulong drawn = 0;
  private uint n_found = 0;
  private uint n_loaded = 0;
  private uint n_failed = 0;
  private uint n_cancelled = 0;

  public bool exit_when_done = false;
  public string? screenshot = null;

  public FileLoader () {
    var open_button = new Gtk.Button.with_label (_("Open Folder"));
    open_button.clicked.connect (choose);
    cancel_button.sensitive = false;
    cancel_button.clicked.connect (() => load.cancel ());
    header.title = _("File Reader");
    header.show_close_button = true;
    header.pack_start (open_button);
    header.pack_end (cancel_button);
    set_titlebar (header);

    var scroller = new Gtk.ScrolledWindow (null, null);
    scroller.expand = true;
    scroller.add (make_view ());
    bar.show_text = true;
    bar.margin = 6;
    var box = new Gtk.Box (Gtk.Orientation.VERTICAL, 0);
    box.add (scroller);
    box.add (bar);
    add (box);
    set_default_size (900, 500);
    destroy.connect (() => end.begin ());
  }

  private Gtk.TreeView make_view () {
    var view = new Gtk.TreeView.with_model (rows);
    var name = new Gtk.CellRendererText ();
    var size = new Gtk.CellRendererText ();
    var progress = new Gtk.CellRendererProgress ();

    name.ellipsize = Pango.EllipsizeMode.MIDDLE;
    name.width_chars = 24;
    size.xalign = 1;
    progress.width = 90;
    view.insert_column_with_attributes (-1, _("Name"), name, "text", Column.NAME);
    view.insert_column_with_attributes (-1, _("Size"), size, "text", Column.SIZE);
    view.insert_column_with_attributes (-1, _("Type"), new Gtk.CellRendererText (),
                                        "text", Column.TYPE);
    view.insert_column_with_attributes (-1, _("Reading"), progress, "value", Column.PERCENT);
    view.insert_column_with_attributes (-1, _("Contents"), new Gtk.CellRendererText (),
                                        "text", Column.TEXT, "foreground", Column.COLOR);
    return view;
  }

  private void choose () {
    var chooser = new Gtk.FileChooserNative (_("Open Folder"), this,
                                             Gtk.FileChooserAction.SELECT_FOLDER, null, null);

    if (chooser.run () == Gtk.ResponseType.ACCEPT)
      open.begin (chooser.get_file ());
  }

  private Dray.Future submit (string function, string uri) {
    var task = new Dray.Task.call (function, new Variant ("(s)", uri));

    task.set_time_limit (TIME_LIMIT);
    return executor.submit (task, load);
  }

  // Lists a folder, and loads what is found as it is found.
  public async void open (File folder) {
    load.cancel ();
    load = new Cancellable ();
    rows.clear ();
    n_found = n_loaded = n_failed = n_cancelled = 0;
    listed = false;
    cancel_button.sensitive = true;
    header.subtitle = folder.get_parse_name ();

    var current = load;
    var listing = submit ("list", folder.get_uri ());
    listing.item.connect ((_, files) => {
      if (load != current)
        return;
      foreach (var file in files)
        read.begin (file.get_child_value (0).get_string (), file.get_child_value (1).get_string ());
    });
    try {
      yield listing.result_async ();
    } catch (Error error) {
      if (load == current)
        header.subtitle = error.message;
    }
    if (load == current) {
      listed = true;
      check_end ();
    }
  }

  // Reads one file into a row of its own.
  private async void read (string name, string uri) {
    var current = load;
    var future = submit ("load", uri);
    Gtk.TreeIter row;

    rows.insert_with_values (out row, -1, Column.NAME, name);
    n_found++;
    future.progressed.connect ((_, fraction, status) => {
      if (load == current)
        rows.set (row, Column.PERCENT, (int) (100 * fraction));
    });
    Variant? facts = null;
    Error? problem = null;
    try {
      facts = yield future.result_async ();
    } catch (Error error) {
      problem = error;
    }
    if (load != current)
      return;

    if (problem == null) {
      n_loaded++;
      rows.set (row, Column.SIZE, format_size (facts.get_child_value (0).get_uint64 ()),
                Column.TYPE, facts.get_child_value (1).get_string (), Column.PERCENT, 100,
                Column.TEXT, facts.get_child_value (2).get_string ());
    } else {
      if (problem is IOError.CANCELLED)
        n_cancelled++;
      else
        n_failed++;
      rows.set (row, Column.TEXT, problem.message, Column.COLOR, "red");
    }
    check_end ();
  }

  private void check_end () {
    uint n_ended = n_loaded + n_failed + n_cancelled;

    bar.fraction = (double) n_ended / uint.max (n_found, 1);
    bar.text = @"$n_ended / $n_found";
    if (!listed || n_ended < n_found)
      return;
    cancel_button.sensitive = false;
    if (exit_when_done) {
      // When all that changed was drawn.
      drawn = get_frame_clock ().after_paint.connect (finish);
      queue_draw ();
    }
  }

  private void finish (Gdk.FrameClock clock) {
    var window = get_window ();

    clock.disconnect (drawn);
    try {
      if (screenshot != null)
        Gdk.pixbuf_get_from_window (window, 0, 0, window.get_width (), window.get_height ())
          .save (screenshot, "png");
    } catch (Error error) {
      warning ("%s", error.message);
    }
    stdout.printf ("found=%u loaded=%u failed=%u cancelled=%u\n", n_found, n_loaded, n_failed,
                   n_cancelled);
    destroy ();
  }

  private async void end () {
    load.cancel ();
    load = new Cancellable ();
    try {
      yield executor.shutdown_async (Dray.ShutdownMode.TERMINATE);
    } catch (Error error) {
      warning ("%s", error.message);
    }
    Gtk.main_quit ();
  }
}

public int main (string[] args) {
  // Before anything else: a worker has no display, and needs none.
  if (Dray.Worker.is_requested (args))
    return run_worker ();

  Intl.textdomain (GETTEXT_PACKAGE);
  Gtk.init (ref args);
  var loader = new FileLoader ();
  loader.show_all ();
  foreach (unowned string word in args[1:args.length]) {
    if (word == "--exit-when-done")
      loader.exit_when_done = true;
    else if (word.has_prefix ("--screenshot="))
      loader.screenshot = word.substring ("--screenshot=".length);
    else
      loader.open.begin (File.new_for_commandline_arg (word));
  }
  Gtk.main ();
  return 0;
}
