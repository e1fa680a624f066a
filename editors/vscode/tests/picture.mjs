/**
 * The picture of docs/vscode.md, of the real editor. It is looked at each time that the tests run, and written with
 * `KEYSIDE_UPDATE_PICTURE=1`.
 */

import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';

import { folder } from '../scripts/server.mjs';
import { until } from './editor.mjs';

const KEPT = path.resolve(folder, '../../docs/picture/vscode.png');
const MOST_BYTES = 150_000;
/** How much of what is typed has to be suggested for a picture. */
const MANY = 8;
const TYPED = 'let entry = self.it';

const before = readFileSync(path.resolve(folder, '../../docs/picture/inventory.rs'), 'utf8').split('\n').slice(0, 16);

export const FILES = { 'inventory.rs': [...before, '        ', '    }', '}', ''].join('\n') };

export const steps = {
    'what ghost text looks like': async (editor) => {
        const size = editor.page.viewportSize();
        await editor.openFile('inventory.rs');
        await editor.press('Control+KeyB');
        await editor.page.setViewportSize({ width: 900, height: 520 });
        await editor.goTo(17);
        await editor.type(TYPED);
        await editor.untilGhost();
        // Whoever asks is shown all of it.
        await editor.press('Escape');
        await editor.untilNoGhost();
        await editor.press('Alt+Backslash');
        await until('much ghost text', async () => (await editor.screen()).ghost.length >= MANY);
        if (process.env.KEYSIDE_UPDATE_PICTURE) {
            await editor.picture(KEPT);
        }
        const n_bytes = statSync(KEPT).size;
        assert.ok(n_bytes > 10_000 && n_bytes < MOST_BYTES, `${n_bytes} bytes`);
        await editor.press('Escape', 'Control+KeyB');
        await editor.page.setViewportSize(size);
        await editor.openFile('totals.rs');
    },
};
