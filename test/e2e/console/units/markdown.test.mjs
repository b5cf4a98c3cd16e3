import assert from 'node:assert/strict';
import { test } from 'node:test';

const { inline, parse } = await import(`${process.env.ASSETS}/markdown.js`);

test('markdown: the layout of pages', () => {
  assert.deepEqual(parse('# T\n\n> https://a.example/\n\n## P\n\n> https://a.example/p\n\nFirst line.\nSecond.\n'), [
    { kind: 'heading', level: 1, runs: [{ text: 'T' }] },
    { kind: 'quote', runs: [{ text: 'https://a.example/', href: 'https://a.example/' }] },
    { kind: 'heading', level: 2, runs: [{ text: 'P' }] },
    { kind: 'quote', runs: [{ text: 'https://a.example/p', href: 'https://a.example/p' }] },
    { kind: 'paragraph', runs: [{ text: 'First line.\nSecond.' }] },
  ]);
});

test('markdown: the layout of an index', () => {
  assert.deepEqual(parse('## Optional\n- [A b](https://a.example/x%28y%29): a note\n- [C](http://c.example)'), [
    { kind: 'heading', level: 2, runs: [{ text: 'Optional' }] },
    { kind: 'list', items: [
      [{ text: 'A b', href: 'https://a.example/x%28y%29' }, { text: ': a note' }],
      [{ text: 'C', href: 'http://c.example/' }],
    ] },
  ]);
});

test('markdown: an address in a sentence ends before its stop', () => {
  assert.deepEqual(inline('See https://a.example/b?c=d#e.'), [
    { text: 'See ' }, { text: 'https://a.example/b?c=d#e', href: 'https://a.example/b?c=d#e' }, { text: '.' },
  ]);
});

// What people have put where a link or text belongs, to have it run.
const hostile = [
  '<script>alert(1)</script>',
  '<img src=x onerror=alert(1)>',
  '<svg/onload=alert(1)>',
  '<a href="javascript:alert(1)">x</a>',
  '"><script>alert(1)</script>',
  '[x](javascript:alert(1))',
  '[x](JaVaScRiPt:alert(1))',
  '[x](java\tscript:alert(1))',
  '[x](java\nscript:alert(1))',
  '[x]( javascript:alert(1))',
  '[x](\u0001javascript:alert(1))',
  '[x](javascript&colon;alert(1))',
  '[x](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)',
  '[x](vbscript:msgbox(1))',
  '[x](file:///etc/passwd)',
  '[x](blob:https://a.example/1)',
  '[x](//evil.example/)',
  '[x](/usage)',
  '[x](#relay)',
  '[x](https:javascript:alert(1))',
  '[x](https://a.example/"onmouseover="alert(1))',
  '![x](https://a.example/x.png)',
  '[![x](javascript:alert(1))](javascript:alert(2))',
  '[a](https://a.example/)[b](javascript:alert(1))',
  '`[x](javascript:alert(1))`',
  '[x]: javascript:alert(1)',
  '<javascript:alert(1)>',
  '<https://a.example/<script>alert(1)</script>>',
  '# <script>alert(1)</script>',
  '> <iframe srcdoc="<script>alert(1)</script>">',
  '- <style>@import "https://evil.example"</style>',
  '\u202Egnp.exe',
  '\0<script>\0alert(1)</script>',
];

const runsOf = (block) => (block.kind === 'list' ? block.items.flat() : block.runs);

for (const text of hostile) {
  test(`markdown: ${JSON.stringify(text)}`, () => {
    const runs = parse(text).flatMap(runsOf);
    for (const { href } of runs) {
      if (href === undefined) continue;
      const { protocol } = new URL(href);
      assert.match(protocol, /^https?:$/);
      assert.doesNotMatch(href, /["<>\s]/);
    }
    // Nothing is lost: what is not understood stays text.
    const shown = runs.map((run) => run.text).join('');
    if (!/\]\(https?:/.test(text)) assert.equal(shown.replace(/\s/g, ''), text.replace(/^(#|>|-) /, '').replace(/\s/g, ''));
  });
}

test('markdown: no input takes long', () => {
  for (const piece of ['[', '](', '[a](', '[a](https://', 'https://', '> ', '# ', '- ', '[[]', '*', '\\']) {
    const started = performance.now();
    parse(piece.repeat(200_000 / piece.length));
    const took = performance.now() - started;
    assert.ok(took < 5000, `${JSON.stringify(piece)} took ${took} ms`);
  }
});
