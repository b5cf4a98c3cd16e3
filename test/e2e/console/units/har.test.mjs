import assert from 'node:assert/strict';
import { test } from 'node:test';

// What a module of the page wants to be there when it is read.
globalThis.document = { baseURI: 'http://gateway.test/', querySelector: () => null };
const sockets = [];
globalThis.WebSocket = class extends EventTarget {
  static OPEN = 1;
  readyState = 1;
  constructor() {
    super();
    sockets.push(this);
  }
  send() {}
  close() {}
};

const { open } = await import(`${process.env.ASSETS}/relaysocket.js`);
const { har, jsonLines } = await import(`${process.env.ASSETS}/save.js`);

// session relays to a target, and the rows of it go where the feed's go.
function session(url, rows, frames) {
  const at = () => new Date(1_700_000_000_000 + 1000 * rows.length);
  const opened = open({ url }, { row: (row) => rows.push({ ...row, at: at() }), crossed() {}, connected() {}, ended() {} });
  const ws = sockets.at(-1);
  const comes = (data) => ws.dispatchEvent(Object.assign(new Event('message'), { data }));
  comes(JSON.stringify({ type: 'connected', node_id: 'farwire-de1', subprotocol: '' }));
  for (const { sent, received } of frames) {
    if (received !== undefined) comes(received);
    else assert.equal(opened.send(sent), true);
  }
  ws.dispatchEvent(Object.assign(new Event('close'), { code: 1000, reason: '' }));
}

const entriesOf = (rows) => JSON.parse(har(rows, '1.2.3')).log.entries;

test('each session of an archive has its own target', () => {
  const rows = [];
  session('wss://user:secret@one.test/a', rows, [{ sent: 'x' }, { received: 'y' }]);
  session('wss://two.test/b?c=d', rows, [{ received: Uint8Array.of(0, 255).buffer }]);
  session('wss://one.test/a', rows, []);
  const entries = entriesOf(rows);
  assert.deepEqual(entries.map((e) => e.request.url), ['wss://one.test/a', 'wss://two.test/b?c=d', 'wss://one.test/a']);
  assert.deepEqual(entries.map((e) => e._webSocketMessages.map((m) => [m.type, m.opcode, m.data])),
    [[['send', 1, 'x'], ['receive', 1, 'y']], [['receive', 2, 'AP8=']], []]);
  assert.deepEqual(entries.map((e) => e.time), [3000, 2000, 1000]);
  assert.equal(entries[1].startedDateTime, rows[4].at.toISOString());
  for (const file of [har(rows, ''), jsonLines(rows)]) assert.doesNotMatch(file, /secret/);
});

test('an archive says what is missing of a long frame', () => {
  const rows = [];
  const text = 'é'.repeat(65_536);
  session('wss://one.test/', rows, [{ received: `${text}rest` }, { sent: new Uint8Array(8192 + 7) }, { received: 'whole' }]);
  session('wss://two.test/', rows, [{ received: text }, { sent: new Uint8Array(8192) }]);
  const [long, whole] = entriesOf(rows);
  assert.deepEqual(long._webSocketMessages.map((m) => m._omitted), [4, 7, undefined]);
  assert.equal(long._webSocketMessages[0].data, text);
  assert.equal(long._webSocketMessages[1].data, Buffer.alloc(8192).toString('base64'));
  assert.match(long.comment, /only the beginning was kept: _omitted /);
  assert.deepEqual(whole._webSocketMessages.map((m) => '_omitted' in m), [false, false]);
  assert.equal('comment' in whole, false);
});

test('a session whose begin the feed has lost still has its target', () => {
  const rows = [];
  session('wss://one.test/a', rows, [{ received: 'x' }, { received: 'y' }]);
  session('wss://two.test/b', rows, [{ received: 'z' }]);
  const entries = entriesOf(rows.slice(2));
  assert.deepEqual(entries.map((e) => [e.request.url, e._webSocketMessages.length]), [['wss://one.test/a', 1], ['wss://two.test/b', 1]]);
  assert.deepEqual(entriesOf([]), []);
});
