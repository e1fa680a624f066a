/** The language client: which documents, and how each of the server's messages reaches its part of the extension. */

import * as vscode from 'vscode';
import {
    CloseAction,
    ErrorAction,
    LanguageClient,
    type LanguageClientOptions,
    type ServerOptions,
    type ShowMessageParams,
    type ShowMessageRequestParams,
    type WorkDoneProgressBegin,
    type WorkDoneProgressEnd,
    type WorkDoneProgressReport,
    type ProgressToken,
    type StaticFeature,
} from 'vscode-languageclient/node';

import type { Answers, AnswerParams } from './answers';
import type { Changes } from './changes';
import type { Program } from './program';
import type { Questions } from './questions';
import { written } from './settings';
import type { ServerStatus } from './status';
import type { Suggestions } from './suggestions';

/** Where code is written, on whatever file system. */
const SCHEMES = ['file', 'untitled', 'vscode-notebook-cell', 'vscode-vfs', 'vscode-remote', 'vscode-test-web', 'memfs', 'sftp', 'ssh'];

/** Whether keyside is at work in a document. */
export function isOurs(document: vscode.TextDocument): boolean {
    return SCHEMES.includes(document.uri.scheme);
}

/** The parts that the server's messages go to. */
export interface Parts {
    answers: Answers;
    changes: Changes;
    questions: Questions;
    suggestions: Suggestions;
    onStatus: (status: ServerStatus) => void;
    /** The server has ended by itself; whether it is to be started again. */
    onEnd: () => boolean;
}

/** A client for a program, not started yet. */
export function create(program: Program, log: vscode.LogOutputChannel, parts: Parts): LanguageClient {
    const { answers, changes, questions, suggestions } = parts;
    const server: ServerOptions = { command: program.path, args: ['serve'] };
    const options: LanguageClientOptions = {
        documentSelector: SCHEMES.map((scheme) => ({ scheme })),
        outputChannel: log,
        errorHandler: {
            error: () => ({ action: ErrorAction.Continue, handled: true }),
            closed: () => {
                const action = parts.onEnd() ? CloseAction.Restart : CloseAction.DoNotRestart;
                return { action, handled: true };
            },
        },
        initializationFailedHandler: () => false,
        middleware: {
            ...suggestions.middleware,
            handleWorkDoneProgress: (token: ProgressToken, value: WorkDoneProgressBegin | WorkDoneProgressReport | WorkDoneProgressEnd, next) => {
                answers.onProgress(token, value);
                if (value.kind === 'end') {
                    next(token, value);
                }
            },
            window: {
                showDocument: async (params) => ({
                    success: await questions.show(params).catch((error: unknown) => {
                        log.error(`a text can't be shown: ${String(error)}`);
                        return false;
                    }),
                }),
            },
            workspace: {
                handleApplyEdit: async (params, next) => {
                    const never = new vscode.CancellationTokenSource().token;
                    return await changes.apply(params, async (it) => await next(it, never));
                },
            },
        },
    };
    const client = new LanguageClient('keyside', 'keyside', server, options);
    client.registerFeature(ownCapabilities());
    client.onNotification('keyside/status', parts.onStatus);
    client.onNotification('keyside/answer', (answer: AnswerParams) => answers.heard(answer));
    client.onNotification('window/showMessage', ({ type, message }: ShowMessageParams) => questions.tell(type, message));
    client.onRequest('window/showMessageRequest', async (params: ShowMessageRequestParams) => await questions.ask(params));
    return client;
}

/** Sends the settings as they are written now. */
export async function sendSettings(client: LanguageClient): Promise<void> {
    await client.sendNotification('workspace/didChangeConfiguration', { settings: { keyside: written() } });
}

function ownCapabilities(): StaticFeature {
    return {
        fillClientCapabilities: (capabilities) => {
            const experimental: Record<string, unknown> = { ...(capabilities.experimental as object | undefined) };
            capabilities.experimental = { ...experimental, keyside: { answers: true, events: true, status: true } };
        },
        initialize: () => {},
        getState: () => ({ kind: 'static' }),
        clear: () => {},
    };
}
