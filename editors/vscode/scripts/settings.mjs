/**
 * Writes the settings of `package.json`: those of the server, from the JSON Schema that it prints, and the
 * extension's own. With `--check` it writes nothing and fails where they differ.
 */

import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { folder, server } from './server.mjs';

/** Followed in the user's own settings file alone (docs/configuration.md), so not offered here. */
const FILE_ALONE = /^(cloud\.|sandbox\.|completion\.server|model\.(path$|folders$|instruct|lora$))/;

const OWN = {
    'keyside.server.path': {
        type: 'string',
        default: '',
        scope: 'machine',
        markdownDescription:
            'The program `keyside` to start, as a whole path; `~/` is the home folder. Empty: the extension\'s own, else the one on the `PATH`.',
    },
    'keyside.changes.review': {
        type: 'boolean',
        default: true,
        scope: 'window',
        markdownDescription: 'Show what a cloud model changes as a difference, and put it in only when you accept it.',
    },
};

const schema = JSON.parse(execFileSync(server(), ['config', 'schema'], { encoding: 'utf8' }));
const settings = {};
for (const [table, { $ref }] of Object.entries(schema.properties)) {
    const definition = schema.$defs[$ref.split('/').pop()];
    for (const [name, field] of Object.entries(definition.properties)) {
        if (!FILE_ALONE.test(`${table}.${name}`)) {
            settings[`keyside.${table}.${name}`] = setting(field);
        }
    }
}

/** One setting, from its field in the schema. */
function setting({ type, enum: values, default: value, items, minimum, maximum, description }) {
    const text = description.replace(/\s+/g, ' ');
    const all = { type, enum: values, default: value, items, minimum, maximum, scope: 'resource', markdownDescription: text };
    return Object.fromEntries(Object.entries(all).filter(([, it]) => it !== undefined));
}

const file = path.join(folder, 'package.json');
const before = readFileSync(file, 'utf8');
const manifest = JSON.parse(before);
manifest.contributes.configuration = [
    { title: 'keyside', properties: OWN },
    { title: 'Suggestions and model', properties: settings },
];
const after = `${JSON.stringify(manifest, null, 2)}\n`;
if (!process.argv.includes('--check')) {
    writeFileSync(file, after);
} else if (before !== after) {
    console.error('package.json: its settings are not those of the server; `npm run settings` writes them');
    process.exit(1);
}
