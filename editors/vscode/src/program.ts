/** Finds the program `keyside`, looks whether it is the right one, and runs its commands. */

import { execFile } from 'node:child_process';
import { constants, promises as fs } from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';

/** A program that has said its version. */
export interface Program {
    path: string;
    version: string;
    /** Where it was found, for people. */
    origin: string;
}

/** Why there is no program: one sentence for a person that says what to do next. */
export class ProgramFault extends Error {}

/** Where to look. */
export interface Places {
    /** `KEYSIDE_SERVER_PATH` in the environment. */
    override: string | undefined;
    /** The setting `keyside.server.path`. */
    setting: string;
    /** The extension's own folder. */
    extensionFolder: string;
    /** The extension's version, which the program's has to match. */
    version: string;
}

const EXECUTABLE = process.platform === 'win32' ? 'keyside.exe' : 'keyside';
const VERSION_PATIENCE_MS = 20_000;
const COMMAND_PATIENCE_MS = 60_000;

/** The first program that there is, in the order: environment, setting, the extension's own, PATH. */
export async function find(places: Places): Promise<Program> {
    if (places.override) {
        return check(expand(places.override), 'the environment variable KEYSIDE_SERVER_PATH', places.version);
    }
    if (places.setting) {
        return check(expand(places.setting), 'the setting keyside.server.path', places.version);
    }
    const bundled = path.join(places.extensionFolder, 'server', EXECUTABLE);
    if (await exists(bundled)) {
        return check(bundled, 'the extension', places.version);
    }
    for (const folder of (process.env['PATH'] ?? '').split(path.delimiter)) {
        const candidate = path.join(folder, EXECUTABLE);
        if (path.isAbsolute(folder) && (await exists(candidate))) {
            return check(candidate, 'PATH', places.version);
        }
    }
    throw new ProgramFault(
        'The program keyside was not found: it is neither in this extension nor on the PATH. Install it with `cargo install --path .` in a clone of keyside, or say where it is in the setting keyside.server.path.',
    );
}

/** Runs one command of the program to its end and gives what it prints. `input` is what it reads. */
export async function run(program: Program, args: string[], input = ''): Promise<string> {
    return await new Promise((resolve, reject) => {
        const options = { timeout: COMMAND_PATIENCE_MS, windowsHide: true, maxBuffer: 16 << 20 };
        const child = execFile(program.path, args, options, (error, stdout, stderr) => {
            if (error) {
                reject(new Error(stderr.trim() || error.message));
            } else {
                resolve(stdout);
            }
        });
        // A program that ends without reading closes its side, and the callback says how it ended.
        child.stdin?.on('error', () => {});
        child.stdin?.end(input);
    });
}

function expand(file: string): string {
    return file === '~' || file.startsWith('~/') ? path.join(os.homedir(), file.slice(1)) : file;
}

async function exists(file: string): Promise<boolean> {
    return fs.stat(file).then(
        (it) => it.isFile(),
        () => false,
    );
}

/** Looks at one program. `origin` says to a person who named it. */
async function check(file: string, origin: string, wanted: string): Promise<Program> {
    if (!path.isAbsolute(file)) {
        throw new ProgramFault(`${origin} must be a whole path, and “${file}” is none; write the path from the root on.`);
    }
    const found = await fs.stat(file).catch(() => undefined);
    if (!found) {
        throw new ProgramFault(`There is no program at ${file}, where ${origin} says that keyside is; correct the path or remove it.`);
    }
    if (!found.isFile()) {
        throw new ProgramFault(`${file} is no file, and ${origin} says that keyside is there; name the program itself.`);
    }
    const mayRun = await fs.access(file, constants.X_OK).then(
        () => true,
        () => false,
    );
    if (!mayRun) {
        throw new ProgramFault(`${file} (from ${origin}) may not be executed; run \`chmod +x ${file}\`, then restart keyside.`);
    }
    let answer: string;
    try {
        answer = await versionOf(file);
    } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        throw new ProgramFault(`${file} (from ${origin}) can't be started: ${why}. Try \`keyside doctor\` in a terminal.`);
    }
    const version = /^keyside (\d+\.\d+\.\d+\S*)\s*$/.exec(answer)?.[1];
    if (version === undefined) {
        throw new ProgramFault(`${file} (from ${origin}) is not keyside: to --version it answers something else. Name the program keyside itself.`);
    }
    if (series(version) !== series(wanted)) {
        throw new ProgramFault(
            `${file} (from ${origin}) is keyside ${version}, and this extension needs ${series(wanted)}. Install keyside ${series(wanted)}, or remove that path so that the extension's own program is used.`,
        );
    }
    return { path: file, version, origin };
}

async function versionOf(file: string): Promise<string> {
    return await new Promise((resolve, reject) => {
        execFile(file, ['--version'], { timeout: VERSION_PATIENCE_MS, windowsHide: true }, (error, stdout) => {
            if (!error) {
                resolve(stdout);
            } else if (error.code === ('ENOEXEC' as unknown)) {
                reject(new Error('it is built for another system or processor'));
            } else if (error.signal === 'SIGILL') {
                reject(new Error('this processor lacks AVX2, which keyside needs'));
            } else if (error.killed) {
                reject(new Error('it did not answer to --version'));
            } else {
                reject(new Error(error.signal ? `it was ended by ${error.signal}` : `it ended with ${error.code}`));
            }
        });
    });
}

/** What has to match: `0.1` of `0.1.7`, and `1` of `1.4.2`. */
function series(version: string): string {
    const [major = '', minor = ''] = version.split('.');
    return major === '0' ? `${major}.${minor}` : major;
}
