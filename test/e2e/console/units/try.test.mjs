import assert from 'node:assert/strict';
import { test } from 'node:test';

// What a module of the page wants to be there when it is read.
globalThis.document = { baseURI: 'http://gateway.test/', querySelector: () => null };
let ws;
globalThis.WebSocket = class extends EventTarget {
  constructor() {
    super();
    ws = this;
    this.sent = [];
    this.closed = 0;
  }
  send(data) { this.sent.push(data); }
  close() { this.closed++; }
  happens(type, fields) { this.dispatchEvent(Object.assign(new Event(type), fields)); }
};

const { tryThrough } = await import(`${process.env.ASSETS}/try.js`);

const connected = { data: '{"type":"connected","node_id":"farwire-de1"}' };

// What has happened by the time at which the gateway or the agent freezes.
const stages = {
  'no answer to the upgrade': () => {},
  'no answer to the request': () => ws.happens('open'),
  'no echo': () => {
    ws.happens('open');
    ws.happens('message', connected);
  },
};

for (const [name, begin] of Object.entries(stages)) {
  test(`a try ends after 20 seconds: ${name}`, async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    let trouble = null;
    const ended = tryThrough('de1').catch((why) => { trouble = why; });
    begin();
    t.mock.timers.tick(19_999);
    await new Promise(setImmediate);
    assert.equal(trouble, null);
    t.mock.timers.tick(1);
    await ended;
    assert.deepEqual(trouble, { waited: 20 });
    assert.equal(ws.closed, 1);
    ws.happens('close', { code: 1006, reason: '' });
    assert.deepEqual(trouble, { waited: 20 });
  });
}

test('a try that has ended is not ended again', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const good = tryThrough('de1');
  ws.happens('open');
  assert.equal(JSON.parse(ws.sent[0]).agent, 'de1');
  ws.happens('message', connected);
  ws.happens('message', { data: 'farwire' });
  assert.ok((await good).echo >= 0);
  assert.equal(ws.closed, 1);
  ws.happens('close', { code: 1000, reason: '' });
  t.mock.timers.tick(20_000);
  assert.equal(ws.closed, 1);

  const refused = tryThrough('de1');
  ws.happens('open');
  ws.happens('message', { data: '{"type":"error","message":"no agent is attached"}' });
  ws.happens('close', { code: 1011, reason: '' });
  await assert.rejects(refused, (why) => why.code === 1011 && why.text === 'no agent is attached');
  t.mock.timers.tick(20_000);
  assert.equal(ws.closed, 0);
});
