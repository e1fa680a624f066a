/**
 * VS Code (as code-server) and a headless Chromium, from npm and Debian's archive by their ordinary clients, below
 * one folder and not installed in the system. What is there already is not fetched again.
 */

import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { folder } from '../scripts/server.mjs';

const CODE_SERVER = '4.139.1';
const NODE = '24.21.0';

const quiet = (command, words, options = {}) => execFileSync(command, words, { stdio: ['ignore', 'ignore', 'inherit'], ...options });

/** `{ codeServer, node, chromium, env }`: programs, and the environment that Chromium needs. */
export function tools() {
    const root = process.env.KEYSIDE_VSCODE_TOOLS ?? path.resolve(folder, '../../target/vscode-tools');
    const editor = once(path.join(root, `code-server-${CODE_SERVER}`), installCodeServer);
    const browser = once(path.join(root, 'chromium'), installChromium);
    const lib = path.join(browser, 'root/usr/lib');
    return {
        node: path.join(editor, 'node_modules/node/bin/node'),
        codeServer: path.join(editor, 'node_modules/code-server/out/node/entry.js'),
        chromium: path.join(lib, 'chromium/chromium-headless-shell'),
        env: { LD_LIBRARY_PATH: ['x86_64-linux-gnu', 'x86_64-linux-gnu/pulseaudio'].map((it) => path.join(lib, it)).join(':') },
    };
}

/** Makes a folder by a function that is given another one, so that half of it is never taken for all of it. */
function once(place, make) {
    if (!existsSync(place)) {
        const unfinished = `${place}.unfinished`;
        rmSync(unfinished, { recursive: true, force: true });
        mkdirSync(unfinished, { recursive: true });
        console.log(`installing ${path.basename(place)}`);
        make(unfinished);
        renameSync(unfinished, place);
    }
    return place;
}

function installCodeServer(place) {
    writeFileSync(path.join(place, 'package.json'), '{"private": true}\n');
    // Its own Node, which it wants in exactly this major version. No native module is compiled: an editor and its
    // extension host need none of them.
    quiet('npm', ['install', '--silent', `node@${NODE}`], { cwd: place });
    quiet('npm', ['install', '--silent', '--ignore-scripts', `code-server@${CODE_SERVER}`], { cwd: place });
    const vscode = path.join(place, 'node_modules/code-server/lib/vscode');
    for (const cwd of [vscode, path.join(vscode, 'extensions')]) {
        quiet('npm', ['install', '--silent', '--omit=dev', '--ignore-scripts'], { cwd });
    }
}

function installChromium(place) {
    const archives = path.join(place, 'debs');
    mkdirSync(path.join(archives, 'partial'), { recursive: true });
    const packages = ['chromium-headless-shell', 'fonts-dejavu-core'];
    const options = ['-o', `Dir::Cache::archives=${archives}`, '-o', 'APT::Sandbox::User=root', '-o', 'Debug::NoLocking=true'];
    try {
        quiet('apt-get', ['install', '-y', '-qq', '--no-install-recommends', '--download-only', ...options, ...packages]);
    } catch {
        throw new Error('Chromium can\'t be fetched: this test needs a Debian with apt-get; run `apt-get update` as root, then this again');
    }
    for (const name of readdirSync(archives).filter((it) => it.endsWith('.deb'))) {
        quiet('dpkg-deb', ['-x', path.join(archives, name), path.join(place, 'root')]);
    }
    chmodSync(place, 0o755);
}
