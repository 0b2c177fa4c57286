// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the tests in this folder share: executors, asynchronous tests, errors.

namespace Support {
  // Milliseconds, for workers that have to stop or end by themselves, even where they get no
  // processor for some seconds.
  public const uint GRACE = 60000;

  private const uint WATCHDOG = 120; // seconds; nothing takes so long

  public delegate void Check (Dray.Executor executor) throws Error;
  public delegate void Thrower () throws Error;
  public delegate bool Condition ();

  // An asynchronous test, as an object since Vala has no asynchronous delegates.
  public abstract class Case : Object {
    public abstract async void run (Dray.Executor executor) throws Error;
  }

  public Dray.Executor make_executor () {
    return new Dray.Executor (new Dray.Launcher.self ());
  }

  public void shut_down (Dray.Executor executor) {
    try {
      assert (executor.shutdown_sync (Dray.ShutdownMode.TERMINATE));
    } catch (Error error) {
      GLib.error ("%s", error.message);
    }
    iterate (() => executor.get_workers ().get_n_items () == 0
                   && executor.get_futures ().get_n_items () == 0);
  }

  private bool give_up () {
    GLib.error ("waited in vain");
  }

  // Turns the main loop until something is so.
  public void iterate (Condition condition) {
    uint watchdog = Timeout.add_seconds (WATCHDOG, give_up);

    while (!condition ())
      MainContext.default ().iteration (true);
    Source.remove (watchdog);
  }

  public void add (string path, owned Check check) {
    Test.add_data_func (path, () => {
      var executor = make_executor ();

      try {
        check (executor);
      } catch (Error error) {
        GLib.error ("%s", error.message);
      }
      shut_down (executor);
    });
  }

  public void add_async (string path, Case test) {
    add (path, executor => run_to_end (executor, test));
  }

  // Turns the main loop while an asynchronous test runs.
  public void run_to_end (Dray.Executor executor, Case test) {
    var over = false;

    test.run.begin (executor, (_, result) => {
      try {
        test.run.end (result);
      } catch (Error error) {
        GLib.error ("%s", error.message);
      }
      over = true;
    });
    iterate (() => over);
  }

  // Checks that something throws an error, and returns that.
  public Error expect_error (Quark domain, int code, Thrower thrower) {
    try {
      thrower ();
    } catch (Error error) {
      if (!error.matches (domain, code))
        GLib.error ("%s %d: %s", error.domain.to_string (), error.code, error.message);
      return error;
    }
    GLib.error ("there was no error");
  }

  public Variant number (int n) {
    return new Variant ("(i)", n);
  }
}
