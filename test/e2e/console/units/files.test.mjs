import assert from 'node:assert/strict';
import { test } from 'node:test';

const { compare, pages } = await import(`${process.env.ASSETS}/compare.js`);
const { points } = await import(`${process.env.ASSETS}/rate.js`);
const { readings } = await import(`${process.env.ASSETS}/views.js`);
const { toBase64 } = await import(`${process.env.ASSETS}/save.js`);

const excerpts = (list) => `# Site\n\n> https://s.test/\n\n${list.map(([title, at, text]) => `## ${title}\n\n> https://s.test${at}\n\n${text}\n`).join('\n')}`;

test('files of both layouts are read page by page', () => {
  const file = pages(excerpts([['Home', '/', 'Welcome.'], ['A', '/a', 'First.\n\nSecond.']]));
  assert.deepEqual([...file], [['https://s.test/', { title: 'Home', text: 'Welcome.' }], ['https://s.test/a', { title: 'A', text: 'First.\nSecond.' }]]);
  const index = pages('# Site\n\n> What it is.\n\n## Guides\n\n- [A](https://s.test/a): One.\n- [B](https://s.test/b)\n');
  assert.deepEqual([...index], [['https://s.test/a', { title: 'A', text: 'One.' }], ['https://s.test/b', { title: 'B', text: '' }]]);
  assert.equal(pages('').size, 0);
});

test('two files differ in what is new, gone and changed', () => {
  const before = excerpts([['Home', '/', 'Welcome.'], ['A', '/a', 'x'], ['B', '/b', 'y']]);
  const after = excerpts([['Home', '/', 'Welcome.'], ['A', '/a', 'z'], ['C', '/c', 'y']]);
  const { fresh, gone, changed } = compare(before, after);
  assert.deepEqual(fresh.map((p) => p.address), ['https://s.test/c']);
  assert.deepEqual(gone.map((p) => p.address), ['https://s.test/b']);
  assert.deepEqual(changed.map((p) => [p.before.text, p.after.text]), [['x', 'z']]);
  assert.deepEqual(compare(after, after), { fresh: [], gone: [], changed: [] });
});

test('a body is read in the ways that fit it', () => {
  const ways = (data) => readings(data).map(([name]) => name);
  assert.deepEqual(ways('{"a":1}'), ['JSON', 'Text', 'Hex']);
  assert.deepEqual(ways('plain'), ['Text', 'Hex']);
  assert.deepEqual(ways(Uint8Array.of(0xff)), ['Hex']);
  assert.deepEqual(ways(new TextEncoder().encode('[1]')), ['Hex', 'Text', 'JSON']);
  assert.match(readings('é')[1][1](), /c3 a9/);
});

test('a line ends at the right and stays in its frame', () => {
  assert.equal(points([0]), '59.5,19.0');
  const drawn = points(Array.from({ length: 60 }, (_, i) => i * 100)).split(' ').map((p) => p.split(',').map(Number));
  assert.ok(drawn.every(([x, y]) => x >= 0 && x <= 60 && y >= 0 && y <= 20));
  assert.equal(drawn.at(-1)[1], 1);
});

test('base64 of many bytes', () => {
  const bytes = Uint8Array.from({ length: 100_000 }, (_, i) => i & 255);
  assert.equal(toBase64(bytes), Buffer.from(bytes).toString('base64'));
});
