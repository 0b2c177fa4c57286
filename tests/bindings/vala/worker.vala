// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The functions, in Vala, that the tests in this folder call: each test program is its own worker.

namespace Worker {
  private Variant? initial = null;
  private uint n_turns = 0;

  private Variant? fail (Dray.Job job, Variant arguments) throws Error {
    string domain, message;
    int code;

    arguments.get ("(sis)", out domain, out code, out message);
    throw new Error.literal (Quark.from_string (domain), code, message);
  }

  // The error is GIO's own.
  private Variant? open_missing (Dray.Job job, Variant arguments) throws Error {
    uint8[] contents;

    File.new_for_path ("/no/such/file").load_contents (job.get_cancellable (), out contents, null);
    return null;
  }

  // Emits so many numbers, reports its progress, and returns their sum.
  private Variant? count (Dray.Job job, Variant arguments) throws Error {
    uint total = arguments.get_child_value (0).get_uint32 ();

    for (uint i = 0; i < total && job.emit (i); i++)
      job.set_progress ((i + 1.0) / total, @"$(i + 1) of $total");
    return total * (total - 1) / 2;
  }

  private Variant? wait_for_cancel (Dray.Job job, Variant arguments) throws Error {
    job.emit ("begun");
    while (!job.is_cancelled ())
      Thread.usleep (1000);
    return "stopped";
  }

  private Variant? square (Dray.Job job, Variant arguments) throws Error {
    int n = arguments.get_child_value (0).get_int32 ();

    if (n == 13)
      throw new IOError.INVALID_DATA ("unlucky");
    return n * n;
  }

  private Variant? die (Dray.Job job, Variant arguments) throws Error {
    stderr.printf ("last words\n");
    Posix.kill (Posix.getpid (), Posix.Signal.KILL);
    return null;
  }

  // Bytes in, bytes out, written where they are sent from.
  private Variant? reverse (Dray.Job job, Variant data) throws Error {
    var given = data.get_data_as_bytes ();
    void *place;
    var bytes = job.allocate_bytes (given.length, out place);
    unowned uint8[] written = (uint8[]) place;
    unowned uint8[] read = given.get_data ();

    for (int i = 0; i < read.length; i++)
      written[i] = read[read.length - 1 - i];
    return new Variant.from_bytes (VariantType.BYTESTRING, bytes, true);
  }

  // Emits what it is given, three times.
  private Variant? repeat (Dray.Job job, Variant data) throws Error {
    for (int i = 0; i < 3; i++)
      job.emit (data);
    return null;
  }

  // Passes on the open file that it was given.
  private Variant? pass_on (Dray.Job job, Variant arguments) throws Error {
    int fd = job.get_attachments ().get (0);
    int index = job.return_attachment (fd);

    Posix.close (fd);
    return index;
  }

  private bool prepare (Dray.Worker worker, Variant? arguments) throws Error {
    if (arguments != null && arguments.print (false) == "('refuse',)")
      throw new IOError.NOT_SUPPORTED ("refused");
    initial = arguments;
    return true;
  }

  private void finish (Dray.Worker worker) {
    var path = Environment.get_variable ("DRAY_TEST_FINISHED");

    if (path != null)
      assert (FileStream.open (path, "w").puts ("all done") >= 0);
  }

  // What the launcher gave to this worker.
  private Variant? tell (Dray.Job job, Variant arguments) throws Error {
    var said = new VariantDict ();

    said.insert ("function", "s", job.get_function ());
    said.insert ("attempt", "u", job.get_attempt ());
    said.insert ("initial", "s", initial == null ? "" : initial.print (true));
    said.insert ("variable", "s", Environment.get_variable ("DRAY_TEST") ?? "");
    said.insert ("directory", "s", Environment.get_current_dir ());
    said.insert ("files", "x", (int64) Posix.sysconf (Posix._SC_OPEN_MAX));
    said.insert ("niceness", "i", Posix.getpriority (Posix.PRIO_PROCESS, 0));
    return said.end ();
  }

  // Says which job this is, and whether it is the current one of a worker.
  private Variant? identify (Dray.Job job, Variant arguments) throws Error {
    return new Variant ("(tbb)", job.get_id (), Dray.Job.get_current () == job,
                        job.get_worker () is Dray.Worker);
  }

  // Blocks until the signal comes that the worker has for functions which are cancelled.
  private Variant? wait_for_signal (Dray.Job job, Variant arguments) throws Error {
    int signum = job.get_worker ().get_cancel_signal ();
    int got;
    Posix.sigset_t signals;
    Posix.sigset_t before;

    // So it may come before it is waited for.
    Posix.sigemptyset (out signals);
    Posix.sigaddset (ref signals, signum);
    Posix.sigprocmask (Posix.SIG_BLOCK, signals, out before);
    job.emit ("begun");
    Posix.sigwait (signals, out got);
    return got;
  }

  public uint resident () {
    string status;

    try {
      FileUtils.get_contents ("/proc/self/status", out status);
      return uint.parse (status.split ("VmRSS:")[1].split ("kB")[0].strip ());
    } catch (FileError error) {
      assert_not_reached ();
    }
  }

  public int run () {
    var worker = new Dray.Worker ();

    worker.set_initializer (prepare);
    worker.set_finalizer (finish);
    worker.add_function ("echo", (job, arguments) => arguments);
    worker.add_function ("nothing", () => null);
    worker.add_function ("fail", fail);
    worker.add_function ("open-missing", open_missing);
    worker.add_function ("wait-for-cancel", wait_for_cancel);
    worker.add_function ("take-turn", () => n_turns++);
    worker.add_function ("die", die);
    worker.add_function ("pass-on", pass_on);
    worker.add_function ("tell", tell);
    worker.add_function ("identify", identify);
    worker.add_function ("resident", () => resident ());
    worker.add_typed_function ("count", new VariantType ("(u)"), count);
    worker.add_typed_function ("square", new VariantType ("(i)"), square);
    worker.add_typed_function ("reverse", VariantType.BYTESTRING, reverse);
    worker.add_typed_function ("repeat", VariantType.BYTESTRING, repeat);
    if (Environment.get_variable ("DRAY_TEST_SIGNAL") != null) {
      worker.set_cancel_signal (Posix.Signal.USR1);
      worker.add_function ("wait-for-signal", wait_for_signal);
    }
    return worker.run ();
  }
}
