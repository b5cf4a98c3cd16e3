import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';

const { amqp, crawl, http, python, relay, shell } = await import(`${process.env.ASSETS}/snippets.js`);

const hostile = ["it's", '"', '$HOME `id` $(id)', '\\', 'a\nb', '@file', '', '-x', 'é😀\u2028', "'; touch owned; '", '%s', '\t\x7f'];

test('a word of the shell is what it was', () => {
  for (const word of hostile) {
    assert.equal(execFileSync('sh', ['-c', `printf %s. ${shell(word)}`], { encoding: 'utf8' }), `${word}.`);
  }
});

test('a literal of Python is what it was', () => {
  const value = { strings: hostile, n: [1, 2.5, -3e10], b: [true, false, null], empty: [{}, []], "it's": 'a key' };
  const out = execFileSync('python3', ['-c', `import json\nprint(json.dumps(${python(value)}))`], { encoding: 'utf8' });
  assert.deepEqual(JSON.parse(out), value);
});

test('each form has a program for each language that can do it', () => {
  const gateway = { http: (path) => new URL(path, 'https://gw.test/x/').href, ws: (path) => new URL(path, 'wss://gw.test/x/').href, token: 'a.b.c' };
  const request = { url: 'wss://t.test/a?b=c&d', headers: { 'X-A': '1', Empty: '' }, geo: 'DE', session: 's', subprotocols: ['x', 'y'] };
  assert.deepEqual(Object.keys(relay(gateway, request)), ['curl', 'JavaScript', 'Python', 'farwire']);
  const { searchParams } = new URL(/'(https:[^']*)'/.exec(relay(gateway, request).curl)[1]);
  assert.deepEqual([...searchParams], [['fw_url', request.url], ['fw_geo', 'DE'], ['fw_session', 's'], ['fw_header', 'X-A: 1'], ['fw_header', 'Empty: ']]);
  assert.match(relay(gateway, request).farwire, /--session s .*--header 'X-A: 1'.*--subprotocol x,y/s);
  assert.deepEqual(Object.keys(http(gateway, { method: 'GET', path: '/to/-/http/t/[1]', headers: {}, body: null })), ['curl', 'JavaScript', 'Python']);
  assert.match(http(gateway, { method: 'GET', path: '/to/-/http/t/[1]', headers: {}, body: null }).curl, /--globoff/);
  assert.deepEqual(Object.keys(amqp(gateway, { host: 'h' })), ['curl', 'JavaScript', 'Python']);
  assert.deepEqual(Object.keys(crawl(gateway, { url: 'https://t.test/', maxPages: 5, descLength: 500, format: 'pages' })), ['JavaScript', 'Python', 'farwire']);
  // Without a token, where the host knows its callers, nothing stands in its place.
  for (const text of Object.values(relay({ ...gateway, token: '' }, request))) assert.doesNotMatch(text, /apiKey|X-API-Key|--key/);
});
