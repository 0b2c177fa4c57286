// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Shows that maps, combined futures, groups and completion queues can be used from JavaScript.

import Dray from 'gi://Dray?version=1';
import Gio from 'gi://Gio';
import GLib from 'gi://GLib';
import GObject from 'gi://GObject';
import System from 'system';

import {assert, equal, fails, result, run} from './harness.js';

const {INVALID_DATA, CANCELLED} = Gio.IOErrorEnum;

const Number_ = GObject.registerClass(class Number_ extends GObject.Object {
    constructor(n) {
        super();
        this.n = n;
    }
});

function number(n) {
    return new GLib.Variant('(i)', [n]);
}

function range(begin, end) {
    return [...Array(end - begin).keys()].map(i => begin + i);
}

// All outcomes, by index: values, and null for those that failed.
async function readResults(map) {
    const found = [];
    for (;;) {
        const outcome = await map.next_async(null);
        if (outcome === null)
            return found;
        found[outcome.get_index()] = outcome.get_value()?.unpack() ?? null;
    }
}

// A function is run over an array; what fails has an outcome with the error.
async function values(executor) {
    const numbers = range(0, 20);
    equal(await readResults(executor.map_values('square', numbers.map(number))),
        numbers.map(n => n === 13 ? null : n * n));

    const outcome = executor.map_values('square', [number(13)]).wait_next(-1, null);
    equal(outcome.get_value(), null);
    equal(outcome.get_error().message, 'unlucky');
    await fails(Gio.IOErrorEnum, INVALID_DATA, (async () => outcome.dup_result())());
}

// Arguments come from a generator function, which is asked only as needed.
async function generator(executor) {
    const asked = (function* () {
        for (let n = 0; n < 2000; n++)
            yield n;
    })();
    const map = executor.map('square', () => {
        const {value, done} = asked.next();
        return done ? null : number(value);
    });
    map.set_ordered(true);
    map.set_max_in_flight(64);
    equal((await map.next_async(null)).get_index(), 0);
    assert(asked.next().value < 1900);
    const outcomes = [];
    for (;;) {
        const some = await map.next_many_async(100, null);
        if (some === null)
            break;
        outcomes.push(...some);
    }
    equal(outcomes.map(outcome => outcome.get_index()), range(1, 1999));
    assert(map.is_over());
}

// A list of objects is mapped by a function that says what each of them comes to.
async function model(executor) {
    const store = new Gio.ListStore({item_type: Number_.$gtype});
    range(0, 10).forEach(n => store.append(new Number_(n)));
    const map = executor.map_model('square', store, item => number(item.n));
    equal(await readResults(map), range(0, 10).map(n => n * n));
}

// A function is called with each outcome in the main loop, then the number is told.
async function forEach(executor) {
    const seen = [];
    const map = executor.map_values('square', range(14, 30).map(number));
    const told = await map.for_each_async(
        (_map, outcome) => seen.push(outcome.dup_result().unpack()), null);
    equal(seen.sort((a, b) => a - b), range(14, 30).map(n => n * n));
    equal([told].flat().at(-1), 16, 'the number of outcomes');
}

// An outcome is lent to the function; one that asks for a reference may keep it.
async function keepOutcomes(executor) {
    const kept = [];
    const map = executor.map_values('square', range(14, 30).map(number));
    await map.for_each_async((_map, outcome) => kept.push(outcome.ref()), null);
    System.gc();
    equal(kept.map(outcome => outcome.get_index()), range(0, 16));
    equal(kept.map(outcome => outcome.get_value().unpack()), range(14, 30).map(n => n * n));
}

// 0 is for any number of outcomes, and not for their end.
async function anyNumber(executor) {
    const map = executor.map_values('square', range(14, 30).map(number));
    const seen = map.wait_next_many(0, -1, null);
    let some = seen;
    while ((some = await map.next_many_async(0, null) ?? []).length > 0)
        seen.push(...some);
    equal(seen.map(outcome => outcome.get_value().unpack()), range(14, 30).map(n => n * n));
    assert(map.is_over());
}

// A map without an end ends when it is cancelled.
async function cancelMap(executor) {
    const map = executor.map('square', () => number(1));
    assert((await map.next_many_async(10, null)).length > 0);
    map.cancel();
    await fails(Gio.IOErrorEnum, CANCELLED, readResults(map));
    assert(map.is_over());
}

// All results in one, or the first error; one result that is good, or that is there.
async function combined(executor) {
    const submit = n => executor.call('square', number(n));
    const all = await result(Dray.Future.all(range(0, 5).map(submit)));
    equal(all.recursiveUnpack(), [0, 1, 4, 9, 16]);
    await fails(Gio.IOErrorEnum, INVALID_DATA,
        result(Dray.Future.all_race([submit(1), submit(13)])));
    assert((await result(Dray.Future.any([submit(13), submit(3)]))).print(false).includes('9'));
    assert((await result(Dray.Future.first([submit(4)]))).print(false).includes('16'));
}

// A task goes on with the result of another one, and fails with it.
async function andThen(executor) {
    const echo = Dray.Task.new_call('echo', new GLib.Variant('(s)', ['squared']));
    const future = executor.call('square', number(6)).and_then(executor, echo, Dray.POSITION_LAST);
    equal((await result(future)).deepUnpack(), ['squared', 36]);
    const nothing = Dray.Task.new_call('nothing', null);
    await fails(Gio.IOErrorEnum, INVALID_DATA, result(
        executor.call('square', number(13)).and_then(executor, nothing, Dray.POSITION_NONE)));
}

// A group is joined when all of it is done; one that fails cancels the others.
async function groups(executor) {
    const group = Dray.Group.new();
    const futures = range(0, 5).map(
        n => group.submit(executor, Dray.Task.new_call('square', number(n)), null));
    assert(await group.join_async(null));
    assert(group.join_sync(-1, null));
    equal(futures.map(future => future.dup_result().unpack()), [0, 1, 4, 9, 16]);

    const failingGroup = Dray.Group.new();
    const waiting = failingGroup.submit(
        executor, Dray.Task.new_call('wait-for-cancel', null), null);
    failingGroup.add(executor.call('square', number(13)));
    await fails(Gio.IOErrorEnum, INVALID_DATA, failingGroup.join_async(null));
    assert(failingGroup.wait(-1, null));
    await fails(Gio.IOErrorEnum, INVALID_DATA, (async () => failingGroup.join_sync(-1, null))());
    equal(waiting.state, Dray.FutureState.CANCELLED);
}

// A group that is cancelled takes all with it that is in it, and that comes later.
async function cancelGroup(executor) {
    const group = Dray.Group.new();
    const futures = [1, 2, 3].map(
        () => group.submit(executor, Dray.Task.new_call('wait-for-cancel', null), null));
    equal([group.get_n_unfinished(), group.check(), group.is_cancelled()], [3, true, false]);
    group.cancel();
    futures.push(executor.call('wait-for-cancel', null));
    group.add(futures.at(-1));
    assert(group.wait(-1, null));
    equal([group.get_n_unfinished(), group.is_cancelled()], [0, true]);
    assert(futures.every(future => future.get_state() === Dray.FutureState.CANCELLED));
    await fails(Gio.IOErrorEnum, CANCELLED, (async () => group.check())());
}

// Futures come out one by one as they are done, until none is left.
async function completionQueue(executor) {
    const queue = Dray.CompletionQueue.new();
    range(20, 30).forEach(n => queue.add(executor.call('square', number(n))));
    const seen = [queue.wait_next(-1, null).dup_result().unpack()];
    equal(queue.get_length(), 9);
    for (;;) {
        const future = await queue.next_async(null);
        if (future === null)
            break;
        seen.push(future.dup_result().unpack());
    }
    equal(seen.sort((a, b) => a - b), range(20, 30).map(n => n * n));
}

// Futures that a queue submits come out of it several at a time, then there are none.
async function completionQueueMany(executor) {
    const queue = Dray.CompletionQueue.new();
    const submitted = range(20, 30).map(
        n => queue.submit(executor, Dray.Task.new_call('square', number(n)), null));
    const seen = [];
    for (;;) {
        const futures = await queue.next_many_async(4, null);
        if (futures === null)
            break;
        assert(futures.length > 0 && futures.length <= 4);
        seen.push(...futures);
    }
    equal(seen.length, 10);
    assert(submitted.every(future => seen.includes(future)));
    equal(submitted.map(future => future.dup_result().unpack()), range(20, 30).map(n => n * n));
}

run(values, generator, model, forEach, keepOutcomes, anyNumber, cancelMap, combined, andThen,
    groups, cancelGroup, completionQueue, completionQueueMany);
