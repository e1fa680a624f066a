/** The settings that a person has written in VS Code, for the server, and ways to write them. */

import * as vscode from 'vscode';

/** The extension's own, of which the server knows nothing. */
const OWN = new Set(['server', 'changes', 'trace']);

/** A tree as the server takes it. */
export type Tree = { [key: string]: unknown };

/**
 * What is written in the settings, and nothing of their defaults: those are the server's, and below them are those
 * of the settings file.
 */
export function written(): Tree {
    const configuration = vscode.workspace.getConfiguration('keyside');
    const tree: Tree = {};
    const collect = (value: unknown, path: string[]): void => {
        if (value !== null && typeof value === 'object' && !Array.isArray(value)) {
            for (const [key, it] of Object.entries(value)) {
                collect(it, [...path, key]);
            }
            return;
        }
        const found = writtenAt(configuration, path.join('.'));
        if (found !== undefined) {
            put(tree, path, found);
        }
    };
    for (const key of Object.keys(configuration)) {
        // Beside the settings it has methods.
        const value: unknown = (configuration as unknown as Tree)[key];
        if (typeof value !== 'function' && !OWN.has(key)) {
            collect(value, [key]);
        }
    }
    return tree;
}

function writtenAt(configuration: vscode.WorkspaceConfiguration, key: string): unknown {
    const found = configuration.inspect(key);
    return found?.workspaceFolderValue ?? found?.workspaceValue ?? found?.globalValue;
}

function put(tree: Tree, path: string[], value: unknown): void {
    const [key, ...rest] = path;
    if (key === undefined) {
        return;
    }
    if (rest.length === 0) {
        tree[key] = value;
        return;
    }
    const inner = tree[key];
    const below: Tree = inner !== null && typeof inner === 'object' ? (inner as Tree) : {};
    tree[key] = below;
    put(below, rest, value);
}

/** What is written for one setting, if anything is. */
export function writtenFor(key: string): unknown {
    return writtenAt(vscode.workspace.getConfiguration('keyside'), key);
}

/** One of the extension's own settings. */
export function own<T>(key: string, fallback: T): T {
    return vscode.workspace.getConfiguration('keyside').get<T>(key, fallback);
}

/**
 * Writes a setting: where it is written already, so that the change is seen, and otherwise in the user's settings.
 * `undefined` takes it out.
 */
export async function write(key: string, value: unknown): Promise<void> {
    const configuration = vscode.workspace.getConfiguration('keyside');
    const found = configuration.inspect(key);
    const inFolder = found?.workspaceFolderValue !== undefined || found?.workspaceValue !== undefined;
    const target = inFolder ? vscode.ConfigurationTarget.Workspace : vscode.ConfigurationTarget.Global;
    await configuration.update(key, value, target);
}
