/** Where the program is that is packed and tested: `KEYSIDE_SERVER`, or what `cargo build --release` has made. */

import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const folder = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
export const executable = process.platform === 'win32' ? 'keyside.exe' : 'keyside';

export function server() {
    const built = path.resolve(folder, '../../target/release', executable);
    const file = process.env.KEYSIDE_SERVER ? path.resolve(process.env.KEYSIDE_SERVER) : built;
    if (!existsSync(file)) {
        throw new Error(`there is no ${file}; run \`cargo build --release\`, or say in KEYSIDE_SERVER where keyside is`);
    }
    return file;
}
