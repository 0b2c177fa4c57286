// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Shows that functions in JavaScript run in workers of GJS, and that each call ends as it should.

import Dray from 'gi://Dray?version=1';
import Gio from 'gi://Gio';
import GLib from 'gi://GLib';

import {GRACE, assert, equal, fails, makeLauncher, result, run, until} from './harness.js';

const {Error: Code} = Dray;

// A promise is kept by the value that the function returned; null is ().
async function awaiting(executor) {
    const args = new GLib.Variant('(sai)', ['text', [1, 2, 3]]);
    assert((await executor.call_async('echo', args, null)).equal(args));
    equal((await executor.call_async('nothing', null, null)).print(true), '()');
    const task = Dray.Task.new_call('echo', args);
    assert((await executor.run_async(task, null)).equal(args));
}

// A future can be the value of a promise, and is not taken for one itself.
async function futureOfPromise(executor) {
    const task = Dray.Task.new_call('echo', new GLib.Variant('(i)', [7]));
    const future = await executor.submit_async(task, null);
    assert(future instanceof Dray.Future);
    assert(await future === future);
    equal((await result(future)).deepUnpack(), [7]);
}

// Each callback is called once, in the main loop; and whoever waits may block.
async function callbacks(executor) {
    const calls = [];
    const future = executor.call('echo', new GLib.Variant('(i)', [7]));
    future.add_done_callback(done => calls.push(done));
    equal(future.wait_result(-1, null).deepUnpack(), [7]);
    equal(calls.length, 0);
    future.add_done_callback(done => calls.push(done));
    await until(() => calls.length === 2);
    assert(calls[0] === future && calls[1] === future);
    equal(future.state, Dray.FutureState.SUCCEEDED);
}

// A GLib.Error keeps its domain, code and message, whether the function or GIO made it.
async function errors(executor) {
    const args = new GLib.Variant('(sis)', ['my-own-error-quark', 42, 'No such thing']);
    const error = await fails(GLib.quark_from_string('my-own-error-quark'), 42,
        executor.call_async('fail', args, null));
    equal(error.message, 'No such thing');
    equal([Dray.Error.quark(), Dray.SignalError.quark()],
        [Dray.error_quark(), Dray.signal_error_quark()]);
    const missing = await fails(Gio.IOErrorEnum, Gio.IOErrorEnum.NOT_FOUND,
        executor.call_async('open-missing', null, null));
    assert(missing.message.includes('/no/such/file'));
    assert(missing instanceof Gio.IOErrorEnum);
}

// Any other exception fails the task, and arrives as what it was; the worker lives on.
async function exceptions(executor) {
    for (const [name, type] of [['stumble', TypeError], ['undefined', Error]]) {
        let caught = null;
        try {
            await executor.call_async(name, null, null);
        } catch (error) {
            caught = error;
        }
        assert(caught instanceof type, `the error of ${name} is ${caught}`);
    }
    await executor.call_async('nothing', null, null);
    equal(executor.dup_counters().workers_started, 1);
}

// A name that is not there, and arguments of another type, are errors of the library.
async function refused(executor) {
    const unknown = await fails(Code, Code.UNKNOWN_FUNCTION,
        executor.call_async('no such function', null, null));
    assert(unknown instanceof Dray.Error);
    await fails(Code, Code.BAD_ARGUMENTS,
        executor.call_async('count', GLib.Variant.new_string('x'), null));
}

// A worker that dies fails one task, and the next call has another worker.
async function death(executor) {
    const error = await fails(Code, Code.WORKER_DIED, executor.call_async('die', null, null));
    assert(error.message.includes('9'), error.message);
    await executor.call_async('nothing', null, null);
    const counters = executor.dup_counters();
    equal([counters.workers_died, counters.failed, counters.succeeded], [1, 1, 1]);
    equal(counters.workers_died_idle, 0);
}

// What is cancelled while it is pending never runs; what runs is stopped.
async function cancelling(executor) {
    executor.set_paused(true);
    const pending = executor.call('nothing', null);
    pending.cancel();
    await fails(Gio.IOErrorEnum, Gio.IOErrorEnum.CANCELLED, result(pending));
    executor.set_paused(false);

    const cancellable = new Gio.Cancellable();
    const running = executor.submit(Dray.Task.new_call('wait-for-cancel', null), cancellable);
    running.connect('item', () => cancellable.cancel());
    await fails(Gio.IOErrorEnum, Gio.IOErrorEnum.CANCELLED, result(running));
}

// Where the worker has to confirm, a result that it returns counts.
async function confirming(executor) {
    executor.grace_period = GRACE;
    const task = Dray.Task.new_call('wait-for-cancel', null);
    task.set_cancel_mode(Dray.CancelMode.CONFIRMED);
    const future = executor.submit(task, null);
    future.connect('item', () => future.cancel());
    equal((await result(future)).unpack(), 'stopped');
}

// A handler for it would run on another thread, where no JavaScript may: GJS does not call it, and
// the function goes on.
async function handlers() {
    const launcher = makeLauncher();
    launcher.setenv('G_DEBUG', '');
    const executor = new Dray.Executor({launcher, grace_period: GRACE});
    const task = Dray.Task.new_call('listen-for-cancel', null);
    task.set_cancel_mode(Dray.CancelMode.CONFIRMED);
    const future = executor.submit(task, null);
    future.connect('item', () => future.cancel());
    equal((await result(future)).unpack(), 0);
    await executor.shutdown_async(Dray.ShutdownMode.DRAIN, null);
}

// All that is not done can be cancelled at once, whether it has begun or not.
async function cancellingAll(executor) {
    executor.set_max_workers(1);
    const futures = [1, 2, 3].map(() => executor.call('wait-for-cancel', null));
    futures[0].connect('item', () => executor.cancel_all());
    for (const future of futures)
        await fails(Gio.IOErrorEnum, Gio.IOErrorEnum.CANCELLED, result(future));
}

// A function gets the signal that its worker has set, when it is cancelled.
async function cancelSignal() {
    const launcher = makeLauncher();
    launcher.setenv('DRAY_TEST_SIGNAL', '1');
    const executor = new Dray.Executor({launcher, grace_period: GRACE});
    const task = Dray.Task.new_call('wait-for-signal', null);
    task.set_cancel_mode(Dray.CancelMode.CONFIRMED);
    const future = executor.submit(task, null);
    future.connect('item', () => future.cancel());
    equal((await result(future)).unpack(), 10);
    await executor.shutdown_async(Dray.ShutdownMode.DRAIN, null);
}

// Two tasks with one key share a run; one without has its own.
async function sharing(executor) {
    executor.set_max_workers(1);
    executor.set_paused(true);
    const futures = ['turn', 'turn', null].map(key => {
        const task = Dray.Task.new_call('take-turn', null);
        task.set_key(key);
        return executor.submit(task, null);
    });
    executor.set_paused(false);
    const turns = await Promise.all(futures.map(result));
    equal(turns.map(turn => turn.unpack()), [0, 0, 1]);
}

// A task with retries is run again when its worker has died.
async function retries(executor) {
    const task = Dray.Task.new_call('die', null);
    task.set_max_retries(1);
    await fails(Code, Code.WORKER_DIED, executor.run_async(task, null));
    equal(executor.dup_counters().retried, 1);
}

// A function can ask for its job and its worker; elsewhere there is no job.
async function jobs(executor) {
    const future = executor.call('identify', null);
    equal((await result(future)).deepUnpack(), [future.get_id(), true, true]);
    equal(Dray.Job.get_current(), null);
}

// A task that runs for too long fails with an error of its own.
async function timeLimit(executor) {
    const task = Dray.Task.new_call('wait-for-cancel', null);
    task.set_time_limit(20);
    await fails(Code, Code.TIMED_OUT, executor.run_async(task, null));
}

// Of what is pending, the lowest number goes first, also if it was changed.
async function priorities(executor) {
    executor.set_max_workers(1);
    executor.set_paused(true);
    const futures = [0, -1, 0].map(priority => {
        const task = Dray.Task.new_call('take-turn', null);
        task.set_priority(priority);
        return executor.submit(task, null);
    });
    assert(futures[2].set_priority(-5));
    equal(futures[2].get_priority(), -5);
    executor.set_paused(false);
    const turns = await Promise.all(futures.map(result));
    equal(turns.map(turn => turn.unpack()), [2, 1, 0]);
}

// A shutdown runs what is pending, tells when nothing is left, and refuses what is new.
async function shutdown(executor) {
    const futures = [...Array(20).keys()].map(
        i => executor.call('echo', new GLib.Variant('(i)', [i])));
    assert(await executor.shutdown_async(Dray.ShutdownMode.DRAIN, null));
    equal(futures.map(future => future.dup_result().deepUnpack()[0]), [...Array(20).keys()]);
    await fails(Code, Code.SHUT_DOWN, executor.call_async('nothing', null, null));
}

run(awaiting, futureOfPromise, callbacks, errors, exceptions, refused, death, cancelling,
    confirming, handlers, cancellingAll, cancelSignal, sharing, retries, jobs, timeLimit,
    priorities, shutdown);
