import assert from 'node:assert/strict';
import { test } from 'node:test';

const { withoutPassword } = await import(`${process.env.ASSETS}/history.js`);

test('an address loses its user and password and nothing else', () => {
  for (const [address, bare] of [
    ['wss://user:secret@h.test/a?b=c', 'wss://h.test/a?b=c'],
    ['wss://user@h.test', 'wss://h.test'],
    ['ws://:secret@h.test:81/', 'ws://h.test:81/'],
    ['https://user:se@cr@et@h.test/', 'https://h.test/'],
    ['WSS://u%40x:s%2Fe@[::1]:8080/p', 'WSS://[::1]:8080/p'],
    ['wss:///user:secret@h.test/', 'wss:///h.test/'],
    ['ws:\\\\user:secret@h.test/', 'ws:\\\\h.test/'],
    ['wss://h.test/a@b', 'wss://h.test/a@b'],
    ['wss://h.test?to=a@b', 'wss://h.test?to=a@b'],
    ['wss://h.test#a@b', 'wss://h.test#a@b'],
    ['wss://h.test\\a@b', 'wss://h.test\\a@b'],
    ['wss://h.test', 'wss://h.test'],
    ['', ''],
  ]) {
    assert.equal(withoutPassword(address), bare);
  }
});
