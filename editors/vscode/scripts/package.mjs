/**
 * Makes `keyside-PLATFORM.vsix` with the program inside, for this platform or the one in KEYSIDE_TARGET
 * (`linux-x64`, `darwin-arm64`, `win32-x64` and so on); then KEYSIDE_SERVER names the program for it.
 */

import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';

import { folder, server } from './server.mjs';

const target = process.env.KEYSIDE_TARGET ?? `${process.platform}-${process.arch}`;
const executable = target.startsWith('win32') ? 'keyside.exe' : 'keyside';
rmSync(path.join(folder, 'server'), { recursive: true, force: true });
mkdirSync(path.join(folder, 'server'));
const inside = path.join(folder, 'server', executable);
copyFileSync(server(), inside);
chmodSync(inside, 0o755);
copyFileSync(path.join(folder, '../../LICENSE-MIT'), path.join(folder, 'LICENSE.txt'));
const vsce = path.join(folder, 'node_modules/@vscode/vsce/vsce');
const out = path.join(folder, `keyside-${target}.vsix`);
const words = ['package', '--no-dependencies', '--allow-missing-repository', '--target', target, '--out', out];
execFileSync(process.execPath, [vsce, ...words], { cwd: folder, stdio: 'inherit' });
