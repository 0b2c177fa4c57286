// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The functions, in JavaScript, that the tests in this folder call.

import Dray from 'gi://Dray?version=1';
import Gio from 'gi://Gio';
import GLib from 'gi://GLib';
import System from 'system';

const SIGUSR1 = 10;  // as on most machines; there is no name for it

let initial = null;
let turns = 0;
let nCancelled = 0;

function fail(_job, args) {
    const [domain, code, message] = args.deepUnpack();
    throw new GLib.Error(GLib.quark_from_string(domain), code, message);
}

// The error is GIO's own.
function openMissing(job) {
    Gio.File.new_for_path('/no/such/file').load_contents(job.get_cancellable());
    return null;
}

// Emits so many numbers, reports its progress, and returns their sum.
function count(job, args) {
    const [total] = args.deepUnpack();
    for (let i = 0; i < total && job.emit(GLib.Variant.new_uint32(i)); i++)
        job.set_progress((i + 1) / total, `${i + 1} of ${total}`);
    return GLib.Variant.new_uint32(total * (total - 1) / 2);
}

function waitForCancel(job) {
    job.emit(GLib.Variant.new_string('begun'));
    while (!job.is_cancelled())
        GLib.usleep(1000);
    return GLib.Variant.new_string('stopped');
}

// Turns a main loop of its own; a handler for the end may not be called from another thread.
function listenForCancel(job) {
    const cancellable = job.get_cancellable();
    cancellable.connect(() => nCancelled++);
    job.emit(GLib.Variant.new_string('begun'));
    const context = GLib.MainContext.default();
    const timer = GLib.timeout_add(GLib.PRIORITY_DEFAULT, 1, () => GLib.SOURCE_CONTINUE);
    while (!job.is_cancelled())
        context.iteration(true);
    GLib.source_remove(timer);
    return GLib.Variant.new_uint32(nCancelled);
}

function square(_job, args) {
    const [n] = args.deepUnpack();
    if (n === 13)
        throw new GLib.Error(Gio.IOErrorEnum, Gio.IOErrorEnum.INVALID_DATA, 'unlucky');
    return GLib.Variant.new_int32(n * n);
}

function die() {
    printerr('last words');
    GLib.spawn_command_line_sync(`kill -9 ${new Gio.Credentials().get_unix_pid()}`);
    return null;
}

// Says which job this is, and whether it is the current one of this worker.
function identify(job) {
    return new GLib.Variant('(tbb)',
        [job.get_id(), Dray.Job.get_current() === job, job.get_worker() === worker]);
}

// Turns its main loop until the signal comes that the worker has for functions which are cancelled.
function waitForSignal(job) {
    const signum = worker.get_cancel_signal();
    let source = 0;
    let nSignals = 0;
    source = GLib.unix_signal_add(GLib.PRIORITY_DEFAULT, signum, () => {
        nSignals++;
        return GLib.SOURCE_CONTINUE;
    });
    job.emit(GLib.Variant.new_string('begun'));
    while (nSignals === 0)
        GLib.MainContext.default().iteration(true);
    GLib.source_remove(source);
    return GLib.Variant.new_int32(signum);
}

// Bytes in, bytes out.
function reverse(_job, data) {
    const bytes = data.get_data_as_bytes().toArray().slice().reverse();
    return GLib.Variant.new_from_bytes(new GLib.VariantType('ay'), new GLib.Bytes(bytes), true);
}

// Passes on the open file that it was given.
function passOn(job) {
    const fd = job.get_attachments().get(0);
    try {
        return GLib.Variant.new_int32(job.return_attachment(fd));
    } finally {
        GLib.close(fd);
    }
}

function prepare(_worker, args) {
    if (args !== null && args.print(false) === "('refuse',)")
        throw new GLib.Error(Gio.IOErrorEnum, Gio.IOErrorEnum.NOT_SUPPORTED, 'refused');
    initial = args;
    return true;
}

function finish() {
    const path = GLib.getenv('DRAY_TEST_FINISHED');
    if (path !== null)
        GLib.file_set_contents(path, 'all done');
}

// What the launcher gave to this worker.
function tell(job) {
    return new GLib.Variant('a{ss}', {
        function: job.get_function(),
        attempt: `${job.get_attempt()}`,
        initial: initial === null ? '' : initial.print(true),
        variable: GLib.getenv('DRAY_TEST') ?? '',
        directory: GLib.get_current_dir(),
    });
}

// How many KiB of memory this process has, once all is gone that can go.
function resident() {
    System.gc();
    const [, status] = GLib.file_get_contents('/proc/self/status');
    return GLib.Variant.new_uint32(/VmRSS:\s+(\d+)/.exec(new TextDecoder().decode(status))[1]);
}

const worker = Dray.Worker.new();
worker.set_initializer(prepare);
worker.set_finalizer(finish);
worker.add_function('echo', (_job, args) => args);
worker.add_function('nothing', () => null);
worker.add_function('undefined', () => {});
worker.add_function('stumble', () => null.property);
worker.add_function('fail', fail);
worker.add_function('open-missing', openMissing);
worker.add_function('wait-for-cancel', waitForCancel);
worker.add_function('listen-for-cancel', listenForCancel);
worker.add_function('take-turn', () => GLib.Variant.new_uint32(turns++));
worker.add_function('die', die);
worker.add_function('pass-on', passOn);
worker.add_function('tell', tell);
worker.add_function('identify', identify);
worker.add_function('resident', resident);
worker.add_typed_function('count', new GLib.VariantType('(u)'), count);
worker.add_typed_function('square', new GLib.VariantType('(i)'), square);
worker.add_typed_function('reverse', new GLib.VariantType('ay'), reverse);
if (GLib.getenv('DRAY_TEST_SIGNAL') !== null) {
    worker.set_cancel_signal(SIGUSR1);
    worker.add_function('wait-for-signal', waitForSignal);
}
System.exit(worker.run());
