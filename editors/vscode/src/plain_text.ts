/** Text that others wrote, as a person may see it. Pure. */

/**
 * For a message: no control characters, nothing that turns the direction of writing, and no link. VS Code makes
 * `[words](command:…)` in a message a link that runs a command.
 */
export function forMessage(text: string): string {
    return text
        .replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, '')
        .replace(/\]\(/g, '] (');
}

/** For a label in a list or in the status bar, where VS Code makes `$(name)` a picture. */
export function forLabel(text: string): string {
    return forMessage(text).replace(/\$\(/g, '$ (').replace(/\s+/g, ' ');
}

/** A question in two parts: what a person reads first, and the rest. */
export function inTwoParts(question: string): [first: string, rest: string] {
    const end = question.indexOf('? ');
    return end < 0 ? [question, ''] : [question.slice(0, end + 1), question.slice(end + 2)];
}

/**
 * The texts in a request of whatever protocol, in a form to be read, and then its bytes: a heading that says where
 * in the JSON, then the text.
 */
export function readableRequest(bytes: string): string {
    const parts: string[] = [];
    const collect = (value: unknown, at: string): void => {
        if (typeof value === 'string' && value.includes('\n')) {
            parts.push(`── ${at} ──\n\n${value}\n`);
        } else if (Array.isArray(value)) {
            value.forEach((it, index) => collect(it, `${at}[${index}]`));
        } else if (value !== null && typeof value === 'object') {
            for (const [key, it] of Object.entries(value)) {
                collect(it, at === '' ? key : `${at}.${key}`);
            }
        }
    };
    try {
        collect(JSON.parse(bytes), '');
    } catch {
        // The bytes say it all.
    }
    return `${parts.join('\n')}\n── the bytes, all of them ──\n\n${bytes}\n`;
}
