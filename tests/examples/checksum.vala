// SPDX-License-Identifier: LGPL-2.1-or-later

Variant? checksum (Dray.Job job, Variant path) throws Error { // runs in a worker process
  uint8[] contents;

  File.new_for_path (path.get_bytestring ())
    .load_contents (job.get_cancellable (), out contents, null);
  return Checksum.compute_for_data (ChecksumType.SHA256, contents);
}

int run_worker () {
  var worker = new Dray.Worker ();

  worker.add_typed_function ("checksum", VariantType.BYTESTRING, checksum);
  return worker.run ();
}

async void print_sum (Dray.Executor executor, string path) { // runs in the application's main loop
  try {
    var sum = yield executor.call_async ("checksum", new Variant.bytestring (path));
    print ("%s  %s\n", sum.get_string (), path);
  } catch (Error error) {
    print ("%s  %s\n", error.message, path);
  }
}

async void print_sums (string[] paths, MainLoop loop) {
  var executor = new Dray.Executor (new Dray.Launcher.self ());

  foreach (unowned string path in paths)
    print_sum.begin (executor, path);
  try {
    yield executor.shutdown_async (Dray.ShutdownMode.DRAIN);
  } catch (Error error) {
    warning ("%s", error.message);
  }
  loop.quit ();
}

int main (string[] args) {
  if (Dray.Worker.is_requested (args))
    return run_worker ();

  var loop = new MainLoop ();
  print_sums.begin (args[1:args.length], loop);
  loop.run ();
  return 0;
}
