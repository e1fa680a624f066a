/**
 * All tests of the extension, in a real VS Code: `npm test`. Words after it are parts of names of the steps to run.
 * `KEYSIDE_SERVER` is the program that is packed, else that of `cargo build --release`; `KEYSIDE_VSIX` is one that
 * is packed already; `KEYSIDE_PICTURES` a folder for pictures of what failed.
 */

import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import path from 'node:path';

import { folder } from '../scripts/server.mjs';
import * as cloud from './cloud.mjs';
import { Editor } from './editor.mjs';
import * as ghostText from './ghost_text.mjs';
import * as picture from './picture.mjs';

const run = (command, words) => execFileSync(command, words, { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });

/** Packs the extension, after a look whether its settings are those of the server. */
function vsix() {
    if (process.env.KEYSIDE_VSIX) {
        return path.resolve(process.env.KEYSIDE_VSIX);
    }
    run(process.execPath, ['scripts/settings.mjs', '--check']);
    run('npm', ['run', '--silent', 'test:pure']);
    run('npm', ['run', '--silent', 'package']);
    return path.join(folder, `keyside-${process.platform}-${process.arch}.vsix`);
}

const wanted = process.argv.slice(2);
const began = Date.now();
const seconds = () => `${((Date.now() - began) / 1000).toFixed(1)} s`;
const packed = vsix();
console.log(`packed after ${seconds()}`);
const editor = await Editor.start({ vsix: packed, files: { ...ghostText.FILES, ...picture.FILES, ...cloud.FILES } });
const [first, ...others] = Object.entries(ghostText.steps);
const steps = [first, ...Object.entries(picture.steps), ...others, ...Object.entries(cloud.steps)];
console.log(`the editor runs after ${seconds()}`);
for (const signal of ['SIGINT', 'SIGTERM']) {
    process.once(signal, () => void editor.stop().finally(() => process.exit(130)));
}
let n_failed = 0;
let n_run = 0;
try {
    for (const [name, step] of steps) {
        const isFirst = n_run === 0;
        if (!isFirst && wanted.length > 0 && !wanted.some((it) => name.includes(it))) {
            continue;
        }
        n_run += 1;
        try {
            await step(editor);
            console.log(`ok      ${name} (${seconds()})`);
        } catch (error) {
            n_failed += 1;
            console.log(`FAILED  ${name} (${seconds()})\n${error.stack}`);
            const [status, messages, screen] = await Promise.all([editor.status(), editor.messages(), editor.screen()]).catch(() => []);
            const dialog = await editor.page.$$eval('.monaco-dialog-box', (all) => all.map((it) => it.textContent));
            console.log(JSON.stringify({ status, messages, screen, dialog }, null, 2));
            if (process.env.KEYSIDE_PICTURES) {
                mkdirSync(process.env.KEYSIDE_PICTURES, { recursive: true });
                await editor.picture(path.join(process.env.KEYSIDE_PICTURES, `failed-${n_failed}.png`));
            }
        }
    }
} finally {
    await cloud.end();
    await editor.stop();
}
console.log(`${n_run - n_failed} of ${n_run} steps passed in ${seconds()}`);
process.exit(n_failed === 0 ? 0 : 1);
