import assert from 'node:assert/strict';
import { test } from 'node:test';

// What a module of the page wants to be there when it is read.
globalThis.document = { baseURI: 'http://gateway.test/', querySelector: () => null };

const { read, Refusal } = await import(`${process.env.ASSETS}/gateway.js`);

// answers has the gateway answer with a part of a body and then as next says, once the
// body is being read.
function answers(t, next) {
  t.mock.method(globalThis, 'fetch', async () => {
    const parts = [(c) => c.enqueue(new TextEncoder().encode('{"agents": [')), next];
    return new Response(new ReadableStream({ pull: (c) => parts.shift()(c) }, { highWaterMark: 0 }));
  });
}

const silent = (error) => error instanceof Refusal && error.status === 0 && error.message === '';

// stops has the signal end the reading, as the browser does it.
const stops = (controller, reason) => (c) => {
  controller.abort(reason);
  c.error(controller.signal.reason);
};

test('a gateway that stops within an answer is silent', async (t) => {
  const late = new AbortController();
  answers(t, stops(late, new DOMException('The operation timed out.', 'TimeoutError')));
  await assert.rejects(read('network', { signal: late.signal }), silent);
  const either = new AbortController();
  answers(t, stops(either, new DOMException('The operation timed out.', 'TimeoutError')));
  await assert.rejects(read('usage', { signal: AbortSignal.any([new AbortController().signal, either.signal]) }), silent);
  answers(t, (c) => c.error(new TypeError('network error')));
  await assert.rejects(read('network'), silent);
  answers(t, (c) => c.error(new TypeError('network error')));
  await assert.rejects(read('network', { signal: new AbortController().signal }), silent);
});

test('an answer that the person stops is not silence', async (t) => {
  const person = new AbortController();
  answers(t, stops(person));
  await assert.rejects(read('network', { signal: person.signal }), (error) => error === person.signal.reason);
});

test('an answer is read to its end, and must be JSON', async (t) => {
  answers(t, (c) => {
    c.enqueue(new TextEncoder().encode(']}'));
    c.close();
  });
  assert.deepEqual(await read('network'), { agents: [] });
  answers(t, (c) => c.close());
  await assert.rejects(read('network'), SyntaxError);
});
