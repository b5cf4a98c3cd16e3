// What a feed holds, as files that other programs read: JSON lines, and HAR
// with the messages of WebSockets as browsers write them.

import { make } from './dom.js';

/** save hands a file to the browser, which asks the person where to. */
export function save(name, type, text) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  make('a', { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000); // the browser may still ask the person where to
}

/** toBase64 writes bytes in base64. @param {Uint8Array} bytes */
export function toBase64(bytes) {
  let binary = '';
  for (let i = 0; i < bytes.length; i += 8192) binary += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return btoa(binary);
}

/** jsonLines writes each row as one line of JSON. @param {import('./feed.js').Row[]} rows */
export function jsonLines(rows) {
  return rows.map((row) => `${JSON.stringify({ time: row.at.toISOString(), ...row.line() })}\n`).join('');
}

/** frameLine is a frame, or what happened to the session, as a line of JSON has it. */
export function frameLine({ way, kind, label, preview, data, omitted }) {
  if (way === 'note') return { event: kind, ...(label && { code: Number(label) }), detail: preview };
  const direction = way === 'in' ? 'received' : 'sent';
  const rest = omitted ? { omitted } : {};
  if (typeof data === 'string') return { direction, kind, data, ...rest };
  return { direction, kind, data: toBase64(data), encoding: 'base64', ...rest };
}

const cut = 'Of some messages only the beginning was kept: _omitted is how many characters of text or bytes are missing.';

/**
 * har writes the sessions of a feed as an HTTP archive 1.2. Each is an entry with
 * _webSocketMessages, the field in which Chromium's tools write frames. What the
 * page has not kept of a frame is counted in its _omitted, and the entry says so.
 * Headers are left out: they hold passwords.
 *
 * @param {import('./feed.js').Row[]} rows each with its target
 * @param {string} version of this program
 */
export function har(rows, version) {
  const entries = [];
  let entry = null;
  for (const row of rows) {
    if (!entry || row.kind === 'open') entries.push(entry = newEntry(row.target, row.at));
    if (row.way === 'note') {
      entry.time = row.at - new Date(entry.startedDateTime);
      continue;
    }
    entry._webSocketMessages.push({
      type: row.way === 'in' ? 'receive' : 'send',
      time: row.at.getTime() / 1000,
      opcode: row.kind === 'text' ? 1 : 2,
      data: typeof row.data === 'string' ? row.data : toBase64(row.data),
      ...(row.omitted && { _omitted: row.omitted }),
    });
    if (row.omitted) entry.comment = cut;
  }
  return JSON.stringify({ log: { version: '1.2', creator: { name: 'Farwire console', version }, pages: [], entries } }, null, 1);
}

function newEntry(url, at) {
  const nothing = { httpVersion: 'HTTP/1.1', cookies: [], headers: [], headersSize: -1, bodySize: -1 };
  return {
    startedDateTime: at.toISOString(),
    time: 0,
    request: { method: 'GET', url, queryString: [], ...nothing },
    response: {
      status: 101, statusText: 'Switching Protocols', content: { size: 0, mimeType: 'x-unknown' }, redirectURL: '', ...nothing,
    },
    cache: {},
    timings: { send: 0, wait: 0, receive: 0 },
    _resourceType: 'websocket',
    _webSocketMessages: [],
  };
}
