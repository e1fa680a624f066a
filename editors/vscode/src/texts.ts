/** Texts that are no files and can only be read: answers, requests, changes that are not taken yet, tables. */

import * as vscode from 'vscode';

/** The scheme of all of them. */
export const SCHEME = 'keyside';

/** Answers of a model: looks like Markdown, without its links, which may run commands. */
export const ANSWER_LANGUAGE = 'keyside-answer';

/** The texts, by their URIs, for as long as they are open. */
export class Texts implements vscode.TextDocumentContentProvider, vscode.Disposable {
    private readonly texts = new Map<string, string>();
    private readonly changed = new vscode.EventEmitter<vscode.Uri>();
    private readonly closed = new vscode.EventEmitter<vscode.Uri>();
    private readonly disposables: vscode.Disposable[];
    private next = 1;

    readonly onDidChange = this.changed.event;
    /** A tab that showed one was closed. */
    readonly onDidClose = this.closed.event;

    constructor() {
        this.disposables = [
            vscode.workspace.registerTextDocumentContentProvider(SCHEME, this),
            vscode.window.tabGroups.onDidChangeTabs((event) => {
                for (const uri of event.closed.flatMap((it) => uriOf(it) ?? [])) {
                    this.closed.fire(uri);
                }
            }),
            vscode.workspace.onDidCloseTextDocument((document) => {
                if (document.uri.scheme === SCHEME) {
                    this.texts.delete(document.uri.toString());
                }
            }),
        ];
    }

    dispose(): void {
        vscode.Disposable.from(...this.disposables, this.changed, this.closed).dispose();
    }

    provideTextDocumentContent(uri: vscode.Uri): string {
        return this.texts.get(uri.toString()) ?? '';
    }

    /** A new text. `kind` is what menus are bound to, `title` what its tab says. */
    add(kind: string, title: string, text: string): vscode.Uri {
        const name = title.replace(/[/\\?#]/g, '∕').slice(0, 80) || kind;
        const uri = vscode.Uri.from({ scheme: SCHEME, path: `/${kind}/${this.next++}/${name}` });
        this.texts.set(uri.toString(), text);
        return uri;
    }

    set(uri: vscode.Uri, text: string): void {
        if (this.texts.get(uri.toString()) !== text) {
            this.texts.set(uri.toString(), text);
            this.changed.fire(uri);
        }
    }

    /** Opens a text beside, without taking the caret there unless that is asked for. */
    async show(uri: vscode.Uri, language: string, takesFocus: boolean): Promise<void> {
        const opened = await vscode.workspace.openTextDocument(uri);
        const document = await vscode.languages.setTextDocumentLanguage(opened, language);
        const viewColumn = vscode.ViewColumn.Beside;
        await vscode.window.showTextDocument(document, { viewColumn, preserveFocus: !takesFocus, preview: false });
    }

    /** Closes the tabs that show a text. */
    async close(uri: vscode.Uri): Promise<void> {
        const tabs = vscode.window.tabGroups.all.flatMap((it) => it.tabs);
        const own = tabs.filter((it) => uriOf(it)?.toString() === uri.toString());
        if (own.length > 0) {
            await vscode.window.tabGroups.close(own, true);
        }
        this.texts.delete(uri.toString());
    }
}

/** The text of ours that a tab shows: by itself, or as the new side of a comparison. */
function uriOf(tab: vscode.Tab): vscode.Uri | undefined {
    const { input } = tab;
    const uri =
        input instanceof vscode.TabInputText ? input.uri
        : input instanceof vscode.TabInputTextDiff ? input.modified
        : undefined;
    return uri?.scheme === SCHEME ? uri : undefined;
}
