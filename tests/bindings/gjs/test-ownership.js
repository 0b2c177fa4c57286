// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Shows that nothing is freed too early or too late in thousands of calls from JavaScript.
//
// What is passed is so large that memory would grow by far more than the limit if each call left a
// single one of its values behind, as a future would that is not freed. The large values themselves
// are made but once: GJS 1.74 never frees a GLib.Variant that was made in JavaScript.

import Dray from 'gi://Dray?version=1';
import Gio from 'gi://Gio';
import GLib from 'gi://GLib';
import System from 'system';

import {assert, equal, makeLauncher, result, run, until} from './harness.js';

const N_WARM = 300;
const N_ROUNDS = 1000;
const N_COLLECT = 100;         // rounds between two collections, which values do not cause
const SIZE = 32 * 1024;        // what a single value of each round would add up to is 32 MiB
const MAX_GROWTH = 16 * 1024;  // KiB

const TEXT = 'x'.repeat(SIZE);

function resident() {
    const [, status] = GLib.file_get_contents('/proc/self/status');
    return Number(/VmRSS:\s+(\d+)/.exec(new TextDecoder().decode(status))[1]);
}

const VALUE = GLib.Variant.new_from_bytes(
    new GLib.VariantType('ay'), new GLib.Bytes(new Uint8Array(SIZE)), true);
const THREE = new GLib.Variant('(u)', [3]);
const UNLUCKY = new GLib.Variant('(i)', [13]);
const FAILURE = new GLib.Variant('(sis)', ['my-error-quark', 1, TEXT]);

// Two turns of the main loop and two collections: what one lets go of, the next one frees.
async function collect() {
    for (let i = 0; i < 2; i++) {
        System.gc();
        let turns = 0;
        await until(() => turns++ === 2);
    }
}

class Repeater {
    constructor(executor) {
        this.executor = executor;
        executor.set_max_workers(1);
    }

    async rounds(n, round) {
        for (let i = 0; i < n; i++) {
            await round();
            if (i % N_COLLECT === 0)
                await this.measure();
        }
    }

    async measure() {
        await collect();
        const other = (await this.executor.call_async('resident', null, null)).unpack();
        return [resident(), other];
    }

    // Repeats something; memory must not grow here, nor in the worker.
    async repeat(round) {
        await this.rounds(N_WARM, round);
        const before = await this.measure();
        await this.rounds(N_ROUNDS, round);
        const after = await this.measure();
        for (const [i, where] of ['the application', 'the worker'].entries()) {
            const growth = after[i] - before[i];
            assert(growth < MAX_GROWTH, `${where} has grown by ${growth} KiB`);
        }
    }
}

// Arguments and results, in promises, in callbacks, and where one blocks.
async function calls(executor) {
    const repeater = new Repeater(executor);
    await repeater.repeat(async () => {
        const value = await executor.call_async('echo', VALUE, null);
        equal(value.get_size(), SIZE);
        const future = executor.call('echo', VALUE);
        const done = new Promise(resolve => future.add_done_callback(
            () => resolve(value.get_size())));
        equal(future.wait_result(-1, null).get_size(), SIZE);
        equal(future.get_task().get_arguments().get_size(), SIZE);
        equal(await done, SIZE);
    });
}

// Items that are emitted, and items that are pulled.
async function items(executor) {
    const repeater = new Repeater(executor);
    await repeater.repeat(async () => {
        const task = Dray.Task.new_call('count', THREE);
        task.set_label(TEXT);
        task.set_pull(true);
        const pulled = executor.submit(task, null);
        equal((await pulled.next_item_async(null)).unpack(), 0);
        while ((pulled.wait_next_items(2, -1, null) ?? []).length > 0)
            ;
        const seen = [];
        const pushed = executor.call('count', THREE);
        pushed.connect('item', (_future, value) => seen.push(value));
        await result(pushed);
        equal(seen.length, 3);
    });
}

// Outcomes, one by one and in arrays, with values and errors.
async function maps(executor) {
    const repeater = new Repeater(executor);
    await repeater.repeat(async () => {
        const map = executor.map_values('square', [UNLUCKY, UNLUCKY]);
        equal((await map.next_async(null)).get_error().message, 'unlucky');
        equal((await map.next_many_async(5, null))[0].get_value(), null);
        let left = 1;
        const large = executor.map('echo', () => left-- > 0 ? VALUE : null);
        equal(large.wait_next_many(5, -1, null)[0].dup_result().get_size(), SIZE);
    });
}

// Parts of combined futures, queues and groups, in arrays and out of them. A group keeps its error.
async function combined(executor) {
    const repeater = new Repeater(executor);
    await repeater.repeat(async () => {
        const parts = [1, 2].map(() => executor.call('echo', VALUE));
        await result(Dray.Future.all(parts));
        const queue = Dray.CompletionQueue.new();
        parts.forEach(part => queue.add(part));
        assert(parts.includes(await queue.next_async(null)));
        assert(parts.includes(queue.wait_next_many(2, -1, null)[0]));
        const group = Dray.Group.new();
        parts.forEach(part => group.add(part));
        assert(await group.join_async(null));
        const future = group.submit(executor, Dray.Task.new_call('fail', FAILURE), null);
        try {
            await group.join_async(null);
            assert(false, 'there was no error');
        } catch (error) {
            equal(error.code, 1, `the code of ${error}`.slice(0, 100));
        }
        assert(future.is_done());
    });
}

// Boxed values, strings and lists of strings that are handed out; errors that functions throw.
async function pictures(executor) {
    const repeater = new Repeater(executor);
    const launcher = Dray.Launcher.new_argv([TEXT]);
    await repeater.repeat(async () => {
        equal(launcher.dup_argv()[0].length, SIZE);
        launcher.set_environment([`A=${TEXT}`]);
        equal(launcher.dup_environment().length, 1);
        launcher.set_initial_arguments(VALUE);
        equal(launcher.dup_initial_arguments().get_size(), SIZE);
        executor.dup_counters().copy();
        const task = Dray.Task.new_command([TEXT]);
        equal(task.get_argv()[0].length, SIZE);
        try {
            await executor.call_async('fail', FAILURE, null);
            assert(false, 'there was no error');
        } catch (error) {
            equal(error.code, 1, `the code of ${error}`.slice(0, 100));
        }
    });
}

// What an executor was given goes with it, also where nobody waits: callbacks are let go of on the
// thread that may run JavaScript, or GJS would end the program.
async function dropping(executor) {
    for (let i = 0; i < 200; i++) {
        const task = Dray.Task.new_call(i % 2 ? 'wait-for-cancel' : 'nothing', null);
        const cancellable = new Gio.Cancellable();
        const future = executor.submit(task, cancellable);
        future.add_done_callback(() => null);
        future.connect('item', () => null);
        if (i % 3 === 0)
            cancellable.cancel();
        if (i % 3 === 1)
            future.cancel();
        const map = executor.map('echo', () => VALUE);
        map.next_async(null).catch(() => null);
        if (i % 2)
            map.cancel();
        if (i % 50 === 49) {
            executor.cancel_all();
            await collect();
        }
    }
    await executor.shutdown_async(Dray.ShutdownMode.KILL, null);
    await collect();
    equal(executor.get_futures().get_n_items(), 0);
}

// An executor that nobody shuts down or holds goes with the collector, and with it its processes;
// its callbacks are told so, where they belong.
async function forgetting() {
    const codes = [];
    for (let i = 0; i < 20; i++) {
        const executor = Dray.Executor.new(makeLauncher());
        const future = executor.call('wait-for-cancel', null);
        future.add_done_callback(done => {
            try {
                done.dup_result();
            } catch (error) {
                codes.push(error.code);
            }
        });
        executor.map('echo', () => VALUE).next_async(null).catch(error => codes.push(error.code));
    }
    await collect();
    await until(() => codes.length === 40);
    assert(codes.every(code => code === Dray.Error.SHUT_DOWN), `the codes are ${codes}`);
}

// Where nobody holds the executor, the generator of its map goes with it; but not while it runs.
async function forgettingAsked() {
    let nAsked = 0;
    for (let i = 0; i < 10; i++) {
        let left = 10;
        const map = Dray.Executor.new(makeLauncher()).map('echo', () => {
            nAsked++;
            System.gc();
            return left-- > 0 ? VALUE : null;
        });
        await map.next_async(null).catch(() => null);
    }
    assert(nAsked > 0, 'no generator was asked');
    await collect();
}

run(calls, items, maps, combined, pictures, dropping, forgetting, forgettingAsked);
