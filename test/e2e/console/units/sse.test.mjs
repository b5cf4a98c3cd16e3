import assert from 'node:assert/strict';
import { test } from 'node:test';

const { events, parser } = await import(`${process.env.ASSETS}/sse.js`);

// all reads a stream that comes in the given pieces.
function all(...pieces) {
  const parse = parser();
  return pieces.flatMap((piece) => parse(piece));
}

const cases = [
  ['an event', 'event: connected\ndata: {"a":1}\n\n', [{ type: 'connected', data: '{"a":1}', id: '' }]],
  ['the default type', 'data: x\n\n', [{ type: 'message', data: 'x', id: '' }]],
  ['ids that last', 'id: 7\ndata: a\n\ndata: b\n\n', [{ type: 'message', data: 'a', id: '7' }, { type: 'message', data: 'b', id: '7' }]],
  ['an id with NUL', 'id: 7\0\ndata: a\n\n', [{ type: 'message', data: 'a', id: '' }]],
  ['lines of data', 'data: a\ndata:\ndata:b\n\n', [{ type: 'message', data: 'a\n\nb', id: '' }]],
  ['one space is not data', 'data:  a\n\n', [{ type: 'message', data: ' a', id: '' }]],
  ['comments', ': ping\n\ndata: a\n: ping\n\n', [{ type: 'message', data: 'a', id: '' }]],
  ['an event without data is none', 'event: x\n\ndata: a\n\n', [{ type: 'message', data: 'a', id: '' }]],
  ['a field alone', 'data\n\n', [{ type: 'message', data: '', id: '' }]],
  ['unknown fields', 'retry: 5\nfoo: bar\ndata: a\n\n', [{ type: 'message', data: 'a', id: '' }]],
  ['CR, LF and CRLF', 'data: a\r\rdata: b\r\n\r\ndata: c\n\n', ['a', 'b', 'c'].map((data) => ({ type: 'message', data, id: '' }))],
  ['a byte order mark', '\uFEFFdata: a\n\n', [{ type: 'message', data: 'a', id: '' }]],
  ['what is not finished', 'data: a\n\ndata: b\n', [{ type: 'message', data: 'a', id: '' }]],
];

for (const [name, text, want] of cases) {
  test(`sse: ${name}, however it is cut`, () => {
    assert.deepEqual(all(text), want);
    assert.deepEqual(all(...text), want);
    for (let at = 1; at < text.length; at++) assert.deepEqual(all(text.slice(0, at), '', text.slice(at)), want);
  });
}

test('sse: a long line in many pieces takes no longer than it must', () => {
  const parse = parser();
  parse('data: ');
  for (let i = 0; i < 20_000; i++) assert.deepEqual(parse('x'.repeat(100)), []);
  const [event] = parse('\n\n');
  assert.equal(event.data.length, 2_000_000);
});

test('sse: a response, cut inside a character', async () => {
  const bytes = new TextEncoder().encode('data: é😀\n\n');
  const body = new ReadableStream({
    start(c) {
      for (const b of bytes) c.enqueue(Uint8Array.of(b));
      c.close();
    },
  });
  const got = [];
  for await (const event of events(new Response(body))) got.push(event.data);
  assert.deepEqual(got, ['é😀']);
});

test('sse: leaving the loop ends the request', async () => {
  let ended = false;
  const body = new ReadableStream({
    pull(c) { c.enqueue(new TextEncoder().encode('data: a\n\n')); },
    cancel() { ended = true; },
  });
  for await (const _ of events(new Response(body))) break;
  assert.ok(ended);
});
