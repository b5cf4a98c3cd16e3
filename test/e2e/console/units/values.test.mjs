import assert from 'node:assert/strict';
import { test } from 'node:test';

const { excerpt, fromBase64, fromHex, hexDump, utf8Length } = await import(`${process.env.ASSETS}/bytes.js`);
const { indent } = await import(`${process.env.ASSETS}/json.js`);
const { clock, count, country, milliseconds, size } = await import(`${process.env.ASSETS}/format.js`);
const { explain } = await import(`${process.env.ASSETS}/explain.js`);

test('hex', () => {
  assert.deepEqual([...fromHex('de AD:be,ef 0x01\n')], [0xde, 0xad, 0xbe, 0xef, 1]);
  assert.deepEqual([...fromHex('')], []);
  assert.throws(() => fromHex('abc'), /one is missing/);
  assert.throws(() => fromHex('zz'), /“z” is not/);
  assert.equal(hexDump(Uint8Array.of(104, 105, 0, 255)), `000000  68 69 00 ff${' '.repeat(36)}  hi··`);
  assert.equal(hexDump(new Uint8Array(17)).split('\n')[1].slice(0, 10), '000010  00');
});

test('base64', () => {
  assert.deepEqual([...fromBase64('3q2-_w')], [0xde, 0xad, 0xbe, 0xff]);
  assert.deepEqual([...fromBase64('3q2+ /w==')], [0xde, 0xad, 0xbe, 0xff]);
  assert.throws(() => fromBase64('?'), /not base64/);
});

test('the length of text as UTF-8', () => {
  for (const text of ['', 'abc', 'é', '€', '😀', 'a😀é\ud83d', '\ude00', '\ud83d\ud83d\ude00']) {
    assert.equal(utf8Length(text), new TextEncoder().encode(text).length, JSON.stringify(text));
  }
});

test('an excerpt cuts no character', () => {
  assert.equal(excerpt('abc', 3), 'abc');
  assert.equal(excerpt('abcd', 3), 'abc');
  assert.equal(excerpt('ab😀d', 3), 'ab');
});

test('JSON keeps every byte but its space', () => {
  for (const text of [
    '{}', '[]', '""', 'null', '-1.50e+10', '12345678901234567890.10', '{"a":1,"a":2}', '{"a":{"b":[1,{"c":[]}]},"d":"x"}',
    '" [ { , : \\" \\\\ "', '{"k\\"]":"[,{"}', '[[[[]]]]', ' [ 1 , 2 ] ', '{"é":"😀\\u2028"}',
  ]) {
    const laid = indent(text);
    assert.deepEqual(JSON.parse(laid), JSON.parse(text));
    const bare = (s) => s.match(/"(?:[^"\\]|\\.)*"|[^\s]/g).join('');
    assert.equal(bare(laid), bare(text));
    assert.equal(indent(laid), laid);
  }
  assert.equal(indent('{"a":[1,2],"b":{}}'), '{\n  "a": [\n    1,\n    2\n  ],\n  "b": {}\n}');
  for (const text of ['', 'hello', '{', "{'a':1}", '[1,]', 'undefined']) assert.equal(indent(text), null);
  const deep = '['.repeat(5000) + ']'.repeat(5000);
  assert.ok(indent(deep).length < 1_000_000);
  const long = JSON.stringify('x"\\'.repeat(20_000));
  assert.equal(indent(long), long);
});

test('numbers for people', () => {
  assert.equal(size(999), '999 B');
  assert.equal(size(1000), '1 kB');
  assert.equal(size(1536), '1.5 kB');
  assert.equal(size(999_960), '1 MB');
  assert.equal(size(2.5e12), '2,500 GB');
  assert.equal(count(1, 'page'), '1 page');
  assert.equal(count(2000, 'page'), '2,000 pages');
  assert.equal(count(2, 'match', 'matches'), '2 matches');
  assert.equal(milliseconds(0.42), '0.4 ms');
  assert.equal(milliseconds(123.4), '123 ms');
  assert.equal(country('AT'), 'Austria');
  assert.equal(country('ZZ'), 'no country set');
  assert.equal(country('not a code'), 'not a code');
  assert.match(clock(new Date(2026, 0, 2, 3, 4, 5, 6)), /^03:04:05\.006$/);
});

// Every answer that the documents of the gateway name gets a sentence of its
// own; none falls through to the last words of the table.
test('trouble is explained', () => {
  const cases = [
    [{ status: 0 }, 'The gateway does not answer.'],
    [{ waited: 20 }, 'There was no answer in time.'],
    [{ status: 401, text: 'API key missing' }, 'The gateway wants to know whose request this is.'],
    [{ code: 1008, text: 'Unauthorized' }, 'The gateway wants to know whose request this is.'],
    [{ status: 403, text: 'API key invalid' }, 'The gateway does not know this key.'],
    [{ status: 403, text: 'token invalid or expired' }, 'The token is not valid any more.'],
    [{ code: 1008, text: 'Invalid or expired token' }, 'The token is not valid any more.'],
    [{ status: 403, text: 'origin not allowed' }, 'This page may not speak for you here.'],
    [{ status: 429, text: 'rate limit exceeded', retryAfter: 4 }, 'That was faster than your key allows.'],
    [{ code: 1008, text: 'limit reached: 3 relays' }, 'A limit of your key has been reached.'],
    [{ status: 503, text: 'the gateway is draining' }, 'The gateway is shutting down.'],
    [{ code: 1001, text: 'draining' }, 'The gateway is shutting down.'],
    [{ code: 1001, text: 'the gateway is draining' }, 'The gateway is shutting down.'],
    [{ status: 503 }, 'The answer is 503: unavailable.'],
    [{ status: 503, text: 'upstream connect error' }, 'The answer is 503: unavailable.'],
    [{ status: 503, text: 'ended by request' }, 'This was ended by request.'],
    [{ code: 1008, text: 'ended by request' }, 'This was ended by request.'],
    [{ status: 503, text: 'key revoked' }, 'This key is not valid any more.'],
    [{ code: 1008, text: 'key revoked' }, 'This key is not valid any more.'],
    [{ code: 1008, text: "limit reached: the session's time" }, 'A limit of your key has been reached.'],
    [{ code: 1001 }, 'The other side has stopped.'],
    [{ code: 1001, text: 'going away' }, 'The other side has stopped.'],
    [{ code: 1002, text: 'reserved bits are set' }, 'Something was sent that is not a valid frame.'],
    [{ code: 1003 }, 'The other side does not take messages of this kind.'],
    [{ code: 1007, text: 'compressed data cannot be inflated' }, 'Something was sent that is not a valid frame.'],
    [{ code: 1009, text: 'compressed message becomes too large' }, 'A message was too large for the other side.'],
    [{ code: 1012, text: 'agent is going away' }, 'The agent was stopped on purpose.'],
    [{ code: 1011, text: 'agent error: agent is going away' }, 'The agent was stopped on purpose.'],
    [{ code: 1011, text: 'agent error: gateway is going away' }, 'Another gateway, which the agent is attached to, is gone.'],
    [{ code: 1011, text: 'agent error: gateway lost' }, 'Another gateway, which the agent is attached to, is gone.'],
    [{ code: 1012, text: 'service restart' }, 'The other side is restarting.'],
    [{ code: 1013, text: 'agent lost' }, 'The agent was lost.'],
    [{ code: 1013, text: 'target lost' }, 'The connection to the other side was lost.'],
    [{ code: 1013, text: 'target stalled' }, 'The connection to the other side was lost.'],
    [{ code: 1013, text: 'try again later' }, 'The other side has no room for this now.'],
    [{ code: 1011, text: 'internal error' }, 'Something went wrong inside the gateway.'],
    [{ code: 1011, text: 'no agent is attached that fits agent de1' }, 'No agent fits your choice right now.'],
    [{ code: 1011, text: 'agent error: agent lost' }, 'The agent was lost.'],
    [{ code: 1008, text: 'target refused: address not allowed' }, 'The agent does not go to that address.'],
    [{ code: 1011, text: 'target unreachable: connection refused' }, 'Nothing listens at that address.'],
    [{ code: 1011, text: 'target unreachable: no such host' }, 'There is no host of that name.'],
    [{ code: 1011, text: 'target timed out' }, 'The other side did not answer in time.'],
    [{ code: 1011, text: 'TLS: certificate has expired' }, 'The other side could not prove who it is.'],
    [{ code: 1011, text: 'target lost' }, 'The connection to the other side was lost.'],
    [{ code: 1000, text: 'idle timeout' }, 'The target was silent for as long as you allow.'],
    [{ code: 1006 }, 'The connection to the gateway was lost.'],
    [{ code: 4001, text: 'anything' }, 'The target closed with a code of its own.'],
    [{ code: 1011, text: 'agent error: username or password refused' }, 'The broker refused the username or the password.'],
    [{ code: 1011, text: 'agent error: virtual host "x" not found' }, 'The broker has no such virtual host.'],
    [{ code: 1011, text: 'agent error: exchange "x" not found' }, 'The broker has no such exchange.'],
    [{ code: 1011, text: 'agent error: no permission: x' }, 'The broker does not let this user read there.'],
    [{ code: 1011, text: 'agent error: not AMQP; did you mean ssl: true?' }, 'The broker speaks TLS on this port.'],
    [{ code: 1011, text: 'agent error: not TLS; did you mean ssl: false?' }, 'The broker does not speak TLS on this port.'],
    [{ code: 1008, text: 'the reader stalled' }, 'This page read too slowly.'],
    [{ code: 1008, text: 'Invalid URL format' }, 'That is not the address of a site.'],
    [{ code: 1008, text: 'Maximum pages limit reached' }, 'That is more pages than this gateway allows.'],
    [{ code: 1008, text: 'enableAutoUpdate is not available: this gateway keeps no sites or hosts no files' }, 'This gateway does not keep sites up to date.'],
    [{ code: 1011, text: 'robots.txt forbids crawling this site' }, 'The site asks not to be crawled.'],
    [{ code: 1011, text: 'robots.txt of this site is unreachable: the server answers with an error' }, 'The site’s robots.txt is unavailable.'],
    [{ code: 1011, text: 'Crawl timeout exceeded' }, 'The site was too slow.'],
    [{ code: 1011, text: 'Failed to fetch page: 500 Internal Server Error' }, 'The first page could not be fetched.'],
    [{ code: 1008, text: 'url must be a string' }, 'The request cannot be served as it is.'],
    [{ status: 400, text: 'host is required' }, 'The request cannot be served as it is.'],
    [{ status: 404, text: 'no such endpoint' }, 'There is no such endpoint.'],
  ];
  for (const [trouble, title] of cases) {
    const explained = explain(trouble);
    assert.equal(explained.title, title, JSON.stringify(trouble));
    assert.ok(explained.said.includes(trouble.text ?? ''));
  }
  // A session that had begun may have been closed by its target, in words of its own.
  const targets = [
    [{ code: 4001, text: 'API key invalid' }, 'The target closed with a code of its own.'],
    [{ code: 4008, text: 'rate limit exceeded' }, 'The target closed with a code of its own.'],
    [{ code: 4003, text: 'Unauthorized' }, 'The target closed with a code of its own.'],
    [{ code: 4000, text: 'key revoked' }, 'The target closed with a code of its own.'],
    [{ code: 1008, text: 'Invalid token' }, 'The other side does not allow this.'],
    [{ code: 1008, text: 'target refused' }, 'The other side does not allow this.'],
    [{ code: 1000, text: 'rate limit exceeded, come back later' }, 'Closed.'],
    [{ code: 1000, text: 'session timeout' }, 'Closed.'],
    [{ code: 1001, text: 'draining connections' }, 'The other side has stopped.'],
    [{ code: 1011, text: 'no agent is attached' }, 'The other side has failed.'],
    [{ code: 1011, text: 'internal error in the matching engine' }, 'The other side has failed.'],
    [{ code: 1012, text: 'gateway is going away' }, 'The other side is restarting.'],
    [{ code: 1013, text: 'proxy lost' }, 'The other side has no room for this now.'],
  ];
  for (const [trouble, title] of targets) {
    const explained = explain({ ...trouble, live: true });
    assert.equal(explained.title, title, JSON.stringify(trouble));
    assert.equal(explained.by, 'The close frame said: ', JSON.stringify(trouble));
    assert.ok(explained.said.includes(trouble.text));
  }
  // These are the gateway's, of a session that had begun too.
  const gateways = [
    [1000, 'idle timeout'], [1001, 'draining'], [1001, 'the gateway is draining'], [1008, 'ended by request'], [1008, 'key revoked'],
    [1008, "limit reached: the session's time"], [1011, 'internal error'], [1012, 'agent is going away'],
    [1013, 'agent lost'], [1013, 'target lost'], [1013, 'target stalled'],
  ];
  for (const [code, text] of gateways) {
    assert.deepEqual(explain({ code, text, live: true }), explain({ code, text }), text);
    assert.equal(explain({ code, text, live: true }).by, 'The gateway said: ', text);
  }
  assert.match(explain({ status: 429, text: 'rate limit exceeded', retryAfter: 4 }).advice, /Wait 4 seconds/);
  assert.equal(explain({ text: 'never seen' }).title, 'That did not work.');
});
