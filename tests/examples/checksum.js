// SPDX-License-Identifier: LGPL-2.1-or-later
import Dray from 'gi://Dray?version=1';
import Gio from 'gi://Gio';
import GLib from 'gi://GLib';
import System from 'system';

Gio._promisify(Dray.Executor.prototype, 'call_async');

const PROGRAM = GLib.filename_from_uri(import.meta.url)[0];

function checksum(job, path) {  // runs in a worker process
    const file = Gio.File.new_for_path(path.unpack());
    const [, contents] = file.load_contents(job.get_cancellable());
    const sum = GLib.compute_checksum_for_data(GLib.ChecksumType.SHA256, contents);
    return GLib.Variant.new_string(sum);
}

function runWorker() {
    const worker = Dray.Worker.new();
    worker.add_typed_function('checksum', new GLib.VariantType('s'), checksum);
    return worker.run();
}

async function printSum(executor, path) {  // runs in the application's main loop
    try {
        const sum = await executor.call_async('checksum', GLib.Variant.new_string(path), null);
        print(`${sum.unpack()}  ${path}`);
    } catch (error) {
        print(`${error.message}  ${path}`);
    }
}

if (ARGV[0] === '--worker')
    System.exit(runWorker());

const launcher = Dray.Launcher.new_argv(['gjs', '-m', PROGRAM, '--worker']);
const executor = Dray.Executor.new(launcher);
const loop = GLib.MainLoop.new(null, false);
Promise.all(ARGV.map(path => printSum(executor, path))).finally(() => loop.quit());
loop.run();
