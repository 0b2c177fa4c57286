// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the tests in this folder share: executors of worker.js, checks, and TAP.

import Dray from 'gi://Dray?version=1';
import Gio from 'gi://Gio';
import GLib from 'gi://GLib';
import System from 'system';

// Milliseconds, for workers that have to stop or end by themselves, even where they get no
// processor for some seconds.
export const GRACE = 60000;

const WATCHDOG = 120;  // seconds; nothing takes so long
const FOLDER = GLib.path_get_dirname(GLib.filename_from_uri(import.meta.url)[0]);

for (const [type, ...names] of [
    [Dray.CompletionQueue, 'next_async', 'next_many_async'],
    [Dray.Executor, 'call_async', 'run_async', 'shutdown_async', 'submit_async'],
    [Dray.Future, 'next_item_async', 'next_items_async', 'result_async'],
    [Dray.Group, 'join_async'],
    [Dray.Map, 'for_each_async', 'next_async', 'next_many_async'],
]) {
    for (const name of names)
        Gio._promisify(type.prototype, name);
}

export function makeLauncher() {
    return Dray.Launcher.new_argv(['gjs', '-m', `${FOLDER}/worker.js`]);
}

export function assert(condition, message = 'this does not hold') {
    if (!condition)
        throw new Error(message);
}

export function equal(actual, expected, what = 'this') {
    const [one, other] = [JSON.stringify(actual), JSON.stringify(expected)];
    assert(one === other, `${what} is ${one}, not ${other}`);
}

// Waits for an error, and returns it.
export async function fails(domain, code, promise) {
    try {
        await promise;
    } catch (error) {
        assert(error instanceof GLib.Error && error.matches(domain, code),
            `the error is ${error.domain} ${error.code} ${error}`);
        return error;
    }
    throw new Error('there was no error');
}

// Turns the main loop until something is so.
export async function until(condition) {
    while (!condition()) {
        await new Promise(resolve => {
            GLib.timeout_add(GLib.PRIORITY_DEFAULT_IDLE, 1, () => {
                resolve();
                return GLib.SOURCE_REMOVE;
            });
        });
    }
}

// What the end of a future is, in the main loop.
export function result(future) {
    return future.result_async(null);
}

async function runOne(index, name, test) {
    const executor = Dray.Executor.new(makeLauncher());
    try {
        await test(executor);
        await executor.shutdown_async(Dray.ShutdownMode.TERMINATE, null);
        equal(executor.get_workers().get_n_items(), 0, 'the number of workers that are left');
        print(`ok ${index + 1} - ${name}`);
        return true;
    } catch (error) {
        for (const line of `${error}\n${error.stack}`.split('\n'))
            print(`# ${line}`);
        print(`not ok ${index + 1} - ${name}`);
        return false;
    }
}

async function runAll(tests) {
    print(`1..${tests.length}`);
    let good = tests.length > 0;
    for (const [index, test] of tests.entries())
        good = await runOne(index, test.name, test) && good;
    return good;
}

export function run(...tests) {
    const loop = GLib.MainLoop.new(null, false);
    let good = false;
    GLib.timeout_add_seconds(GLib.PRIORITY_DEFAULT, WATCHDOG * tests.length, () => {
        print('Bail out! waited in vain');
        System.exit(1);
    });
    runAll(tests).then(value => (good = value)).finally(() => loop.quit());
    loop.run();
    System.exit(good ? 0 : 1);
}
