// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Shows that maps, combined futures, groups and completion queues can be used from Vala.

using Support;

private class Number : Object {
  public int n;

  public Number (int n) {
    this.n = n;
  }
}

private Dray.Future submit (Dray.Executor executor, int n) {
  return executor.call ("square", number (n));
}

// A function is run over an array; what fails has an outcome with the error.
private void test_map_values (Dray.Executor executor) throws Error {
  Variant[] values = {};
  var seen = new bool[20];
  Dray.Outcome? outcome;

  for (int n = 0; n < 20; n++)
    values += number (n);
  var map = executor.map_values ("square", values);
  while ((outcome = map.wait_next (-1)) != null) {
    int n = (int) outcome.get_index ();
    seen[n] = true;
    if (n == 13)
      assert (outcome.get_error ().message == "unlucky" && outcome.get_value () == null);
    else
      assert (outcome.dup_result ().get_int32 () == n * n);
  }
  foreach (var one in seen)
    assert (one);
}

private Dray.Map count_up (Dray.Executor executor, Number next) {
  return executor.map ("square", () => next.n < 1000 ? number (100 + next.n++) : null);
}

// Arguments come from a closure, which is asked only as needed, and freed with what it holds.
private class Generating : Case {
  public override async void run (Dray.Executor executor) throws Error {
    var held = new Number (0);
    unowned Number counter = held;
    var freed = false;
    uint64 n_seen = 0, n_outcomes;

    held.weak_ref (() => freed = true);
    var map = count_up (executor, held);
    held = null;
    map.max_in_flight = 64;
    map.ordered = true;
    var first = yield map.next_async ();
    assert (first.get_index () == 0 && counter.n < 900);
    yield map.for_each_async ((_, outcome) => {
      n_seen++;
      assert (outcome.get_index () == n_seen);
    }, null, out n_outcomes);
    assert (n_seen == 999 && n_outcomes == 999);
    map = null;
    iterate (() => freed);
  }
}

// Outcomes come several at a time, then there are none.
private class Reading : Case {
  public override async void run (Dray.Executor executor) throws Error {
    Variant[] values = {};
    uint64 n_seen = 0;

    for (int n = 20; n < 30; n++)
      values += number (n);
    var map = executor.map_values ("square", values);
    map.set_ordered (true);
    map.set_max_in_flight (5);
    assert (map.get_ordered () && map.get_max_in_flight () == 5);
    assert (map.get_task ().get_function () == "square");
    assert (map.task.get_kind () == Dray.TaskKind.CALL);
    while (true) {
      GenericArray<Dray.Outcome>? outcomes = yield map.next_many_async (4);
      if (outcomes == null)
        break;
      assert (outcomes.length > 0 && outcomes.length <= 4);
      foreach (var outcome in outcomes) {
        int n = 20 + (int) n_seen;
        assert (outcome.get_index () == n_seen++ && outcome.get_value ().get_int32 () == n * n);
      }
    }
    assert (n_seen == 10 && map.is_over ());
  }
}

// A map without an end ends when it is cancelled.
private void test_cancelled_map (Dray.Executor executor) throws Error {
  var map = executor.map ("square", () => number (1));

  assert (map.wait_next_many (10, -1).length > 0);
  map.cancel ();
  expect_error (IOError.quark (), IOError.CANCELLED, () => {
    while (map.wait_next (-1) != null);
  });
  assert (map.is_over ());
}

// A list of objects is mapped by a function that says what each of them comes to.
private void test_map_model (Dray.Executor executor) throws Error {
  var store = new ListStore (typeof (Number));
  uint n_seen = 0;

  for (int n = 0; n < 10; n++)
    store.append (new Number (n));
  var map = executor.map_model ("square", store, item => number (((Number) item).n));
  while (n_seen < 10)
    foreach (var outcome in map.wait_next_many (4, -1)) {
      assert (outcome.get_value ().get_int32 () == outcome.get_index () * outcome.get_index ());
      n_seen++;
    }
}

// All results in one, or the first error; one result that is good; one task after another.
private void test_combined (Dray.Executor executor) throws Error {
  Dray.Future[] parts = { submit (executor, 2), submit (executor, 3) };
  var results = Dray.Future.all (parts).wait_result (-1);

  assert ("4" in results.print (false) && "9" in results.print (false));
  expect_error (IOError.quark (), IOError.INVALID_DATA, () => {
    Dray.Future[] failing = { submit (executor, 2), submit (executor, 13) };
    Dray.Future.all (failing).wait_result (-1);
  });
  Dray.Future[] some = { submit (executor, 13), submit (executor, 3) };
  assert ("9" in Dray.Future.any (some).wait_result (-1).print (false));
  Dray.Future[] racing = { submit (executor, 2), submit (executor, 13) };
  expect_error (IOError.quark (), IOError.INVALID_DATA,
                () => Dray.Future.all_race (racing).wait_result (-1));
  Dray.Future[] single = { submit (executor, 4) };
  assert ("16" in Dray.Future.first (single).wait_result (-1).print (false));

  var echo = new Dray.Task.call ("echo", new Variant ("(s)", "squared"));
  var chained = submit (executor, 6).and_then (executor, echo, Dray.POSITION_LAST);
  assert (chained.wait_result (-1).print (false) == "('squared', 36)");
}

// A group ends with its first failure; futures come out of a queue as they are done.
private class Gathering : Case {
  public override async void run (Dray.Executor executor) throws Error {
    var group = new Dray.Group ();
    var waiting = group.submit (executor, new Dray.Task.call ("wait-for-cancel", null));

    group.add (submit (executor, 13));
    try {
      yield group.join_async ();
      assert_not_reached ();
    } catch (IOError.INVALID_DATA error) {
      assert (waiting.state == Dray.FutureState.CANCELLED);
    }
    assert (group.wait (-1));
    expect_error (IOError.quark (), IOError.INVALID_DATA, () => group.join_sync (-1));

    var queue = new Dray.CompletionQueue ();
    for (int n = 20; n < 30; n++)
      queue.add (submit (executor, n));
    assert (queue.wait_next (-1) != null);
    assert (queue.wait_next_many (1, -1).length == 1);
    for (int left = (int) queue.get_length (); left >= 0; left--) {
      var future = yield queue.next_async ();
      assert ((future == null) == (left == 0));
    }
  }
}

// A group that is cancelled takes all with it that is in it, and that comes later.
private void test_cancelled_group (Dray.Executor executor) throws Error {
  var group = new Dray.Group ();
  Dray.Future[] futures = {};

  for (int i = 0; i < 3; i++)
    futures += group.submit (executor, new Dray.Task.call ("wait-for-cancel", null));
  assert (group.get_n_unfinished () == 3 && group.check () && !group.is_cancelled ());
  group.cancel ();
  assert (group.is_cancelled ());
  futures += executor.call ("wait-for-cancel", null);
  group.add (futures[3]);
  assert (group.wait (-1));
  assert (group.get_n_unfinished () == 0);
  foreach (var future in futures)
    assert (future.get_state () == Dray.FutureState.CANCELLED);
  expect_error (IOError.quark (), IOError.CANCELLED, () => group.check ());
}

// Futures that a queue submits come out of it several at a time, then there are none.
private class Queueing : Case {
  public override async void run (Dray.Executor executor) throws Error {
    var queue = new Dray.CompletionQueue ();
    var submitted = new GenericArray<Dray.Future> ();
    uint n_seen = 0;

    for (int n = 20; n < 30; n++)
      submitted.add (queue.submit (executor, new Dray.Task.call ("square", number (n))));
    while (true) {
      GenericArray<Dray.Future>? futures = yield queue.next_many_async (4);
      if (futures == null)
        break;
      assert (futures.length > 0 && futures.length <= 4);
      foreach (var future in futures) {
        uint index;
        assert (submitted.find (future, out index));
        int n = 20 + (int) index;
        assert (future.dup_result ().get_int32 () == n * n);
        n_seen++;
      }
    }
    assert (n_seen == 10);
  }
}

public int main (string[] args) {
  if (Dray.Worker.is_requested (args))
    return Worker.run ();

  Test.init (ref args);
  add ("/vala/many/map-values", test_map_values);
  add_async ("/vala/many/generating", new Generating ());
  add_async ("/vala/many/reading", new Reading ());
  add ("/vala/many/cancelled-map", test_cancelled_map);
  add ("/vala/many/map-model", test_map_model);
  add ("/vala/many/combined", test_combined);
  add_async ("/vala/many/gathering", new Gathering ());
  add ("/vala/many/cancelled-group", test_cancelled_group);
  add_async ("/vala/many/queueing", new Queueing ());
  return Test.run ();
}
