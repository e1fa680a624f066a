/** Ghost text between VS Code and the server: snoozing, how long it takes, and what becomes of it. */

import * as vscode from 'vscode';
import type { Middleware } from 'vscode-languageclient/node';

import { Follower } from './follower';

/** Where the caret rests: it has not moved for so long. */
const REST_MS = 100;

/** A way to the server. */
export type Notify = (method: string, params: unknown) => void;

/** Suggestions as they go by. */
export class Suggestions implements vscode.Disposable {
    private snoozed_until_ms = 0;
    private last_ms: number | undefined;
    private rest: NodeJS.Timeout | undefined;
    private readonly follower: Follower;
    private readonly disposables: vscode.Disposable[];

    constructor(
        private readonly notify: Notify,
        private readonly uriOf: (document: vscode.TextDocument) => string,
        private readonly isOurs: (document: vscode.TextDocument) => boolean,
        private readonly onChange: () => void,
    ) {
        this.follower = new Follower(notify);
        this.disposables = [
            vscode.workspace.onDidChangeTextDocument((event) => {
                const [change, ...others] = event.contentChanges;
                if (change && isOurs(event.document)) {
                    const uri = event.document.uri.toString();
                    const start = event.document.offsetAt(change.range.start);
                    this.follower.changed(uri, start, change.rangeLength, change.text, others.length === 0);
                }
            }),
            vscode.window.onDidChangeTextEditorSelection(({ textEditor, kind }) => {
                const isByKeyboard = kind === vscode.TextEditorSelectionChangeKind.Keyboard;
                this.follower.caretMoved(textEditor.document.uri.toString(), isByKeyboard);
                this.caretMoved(textEditor);
            }),
        ];
    }

    dispose(): void {
        clearTimeout(this.rest);
        vscode.Disposable.from(...this.disposables).dispose();
    }

    snoozedUntil_ms(): number {
        return this.snoozed_until_ms;
    }

    /** From VS Code's request to the answer, of the last one that was shown. */
    latency_ms(): number | undefined {
        return this.last_ms;
    }

    /** Suggests nothing of itself for a while; 0 ends that. */
    snooze(duration_ms: number): void {
        this.snoozed_until_ms = duration_ms === 0 ? 0 : Date.now() + duration_ms;
        if (duration_ms > 0) {
            void vscode.commands.executeCommand('editor.action.inlineSuggest.hide');
        }
        this.onChange();
    }

    readonly middleware: Pick<Middleware, 'provideInlineCompletionItems'> = {
        provideInlineCompletionItems: async (document, position, context, token, next) => {
            const isInvoked = context.triggerKind === vscode.InlineCompletionTriggerKind.Invoke;
            if (!isInvoked && this.snoozed_until_ms > Date.now()) {
                return [];
            }
            const began_ms = performance.now();
            const answer = await next(document, position, context, token);
            if (!answer || token.isCancellationRequested) {
                return answer;
            }
            const items = Array.isArray(answer) ? answer : answer.items;
            const [first] = items;
            const [id, index]: unknown[] = first?.command?.arguments ?? [];
            if (first && typeof first.insertText === 'string' && typeof id === 'number') {
                this.last_ms = performance.now() - began_ms;
                const range = first.range ?? new vscode.Range(position, position);
                this.follower.shown({
                    id,
                    index: typeof index === 'number' ? index : 0,
                    uri: document.uri.toString(),
                    start: document.offsetAt(range.start),
                    end: document.offsetAt(range.end),
                    caret: document.offsetAt(position),
                    text: first.insertText,
                });
                this.onChange();
            }
            return answer;
        },
    };

    /** The server works out a prompt where the caret rests, so that the first key there is quick. */
    private caretMoved(editor: vscode.TextEditor): void {
        clearTimeout(this.rest);
        const { document, selection } = editor;
        if (!this.isOurs(document) || !selection.isEmpty) {
            return;
        }
        this.rest = setTimeout(() => {
            const { line, character } = selection.active;
            this.notify('keyside/didMoveCaret', {
                textDocument: { uri: this.uriOf(document) },
                position: { line, character },
            });
        }, REST_MS);
    }
}
