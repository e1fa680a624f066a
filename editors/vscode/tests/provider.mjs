/** A provider on loopback that speaks Anthropic's protocol and says what a test wants. */

import http from 'node:http';

export class Provider {
    requests = [];
    n_closed = 0;
    /** What the next answers say; with `stalls`, nothing comes after it and the connection stays open. */
    answer = { text: '', stalls: false };

    static async start() {
        const provider = new Provider();
        provider.server = http.createServer((request, response) => void provider.serve(request, response));
        await new Promise((done) => provider.server.listen(0, '127.0.0.1', done));
        provider.port = provider.server.address().port;
        return provider;
    }

    stop() {
        this.server.closeAllConnections();
        this.server.close();
    }

    /** Settings in which it is the one that is asked, and one whose key is in the keyring. */
    settings() {
        const prices = 'prices = { input = 3.0, output = 15.0 }';
        return [
            '[cloud]\nenabled = true\n',
            `[[cloud.providers]]\nname = "here"\nprotocol = "anthropic-messages"\nbase_url = "http://127.0.0.1:${this.port}"`,
            `auth = "none"\nmodel = "test-model"\n${prices}\n`,
            '[[cloud.providers]]\nname = "elsewhere"\nprotocol = "anthropic-messages"\nmodel = "another-model"',
            `${prices}\n`,
        ].join('\n');
    }

    async serve(request, response) {
        let body = '';
        for await (const part of request) {
            body += part;
        }
        this.requests.push(body);
        const { text, stalls } = this.answer;
        let isDone = false;
        response.on('close', () => (this.n_closed += isDone ? 0 : 1));
        response.writeHead(200, { 'content-type': 'text/event-stream', 'request-id': 'req_1', connection: 'close' });
        const send = (event) => response.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
        const usage = { input_tokens: 50, output_tokens: 1 };
        send({ type: 'message_start', message: { id: 'm', type: 'message', role: 'assistant', content: [], usage } });
        send({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } });
        send({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } });
        if (stalls) {
            return;
        }
        send({ type: 'content_block_stop', index: 0 });
        send({ type: 'message_delta', delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: { output_tokens: 20 } });
        send({ type: 'message_stop' });
        isDone = true;
        response.end();
    }
}
