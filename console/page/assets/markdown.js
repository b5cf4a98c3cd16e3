// The Markdown of the two layouts of llms.txt, and no more: headings, quotes,
// lists, paragraphs, links. Parsing makes plain objects that a test can look
// at; drawing makes elements of them. Text stays text, so that nothing a site
// says can become markup, and only an address of http or https becomes a link.

import { make, outward } from './dom.js';

/**
 * @typedef {{text: string, href?: string}} Run a run of text, which may be a link
 * @typedef {{kind: 'heading', level: number, runs: Run[]}
 *   | {kind: 'quote' | 'paragraph', runs: Run[]}
 *   | {kind: 'list', items: Run[][]}} Block
 */

/**
 * parse reads a file into its blocks, in their order.
 *
 * @param {string} text
 * @returns {Block[]}
 */
export function parse(text) {
  const blocks = [];
  let open = null; // the block that the next line may go on with
  for (const line of text.split(/\r\n|\n|\r/)) {
    if (line.trim() === '') {
      open = null;
      continue;
    }
    const [kind, content, level] = read(line);
    if (kind === 'heading') {
      blocks.push({ kind, level, runs: inline(content) });
      open = null;
    } else if (open?.kind === kind) {
      open.lines.push(content);
    } else {
      open = { kind, lines: [content] };
      blocks.push(open);
    }
  }
  return blocks.map((block) => {
    if (block.kind === 'heading') return block;
    if (block.kind === 'list') return { kind: 'list', items: block.lines.map(inline) };
    return { kind: block.kind, runs: inline(block.lines.join('\n')) };
  });
}

function read(line) {
  const heading = /^(#{1,6}) +(.*)$/.exec(line);
  if (heading) return ['heading', heading[2].trim(), heading[1].length];
  if (line.startsWith('>')) return ['quote', line.slice(1).trim()];
  if (/^[-*] /.test(line)) return ['list', line.slice(2).trim()];
  return ['paragraph', line];
}

// A link in brackets, or an address that stands by itself. Neither part holds
// another link, so that no input makes the search slow.
const links = /\[([^[\]\n]{1,2000})\]\(([^()\s<>]{1,2000})\)|https?:\/\/[^\s<>"'()[\]]{1,2000}/g;

/**
 * inline cuts a text into runs.
 *
 * @param {string} text
 * @returns {Run[]}
 */
export function inline(text) {
  const runs = [];
  const plain = (piece) => { if (piece) runs.push({ text: piece }); };
  let from = 0;
  for (const match of text.matchAll(links)) {
    // A sentence's own stop is not part of an address in it.
    const whole = match[1] === undefined ? match[0].replace(/[.,;:!?]+$/, '') : match[0];
    const href = webAddress(match[2] ?? whole);
    if (!href) continue;
    plain(text.slice(from, match.index));
    runs.push({ text: match[1] ?? whole, href });
    from = match.index + whole.length;
  }
  plain(text.slice(from));
  return runs;
}

function webAddress(text) {
  if (!/^https?:\/\//i.test(text)) return null;
  try {
    return new URL(text).href;
  } catch {
    return null;
  }
}

/**
 * draw makes elements of blocks. Headings begin at the level that they are
 * given under, as the page has headings of its own.
 *
 * @param {Block[]} blocks
 * @param {number} under
 * @returns {DocumentFragment}
 */
export function draw(blocks, under) {
  const drawn = document.createDocumentFragment();
  for (const block of blocks) drawn.append(drawBlock(block, under));
  return drawn;
}

function drawBlock(block, under) {
  switch (block.kind) {
    case 'heading':
      return make(`h${Math.min(6, under + block.level)}`, { class: `level-${block.level}` }, ...block.runs.map(drawRun));
    case 'quote':
      return make('blockquote', {}, make('p', {}, ...block.runs.map(drawRun)));
    case 'list':
      return make('ul', {}, ...block.items.map((runs) => make('li', {}, ...runs.map(drawRun))));
    default:
      return make('p', {}, ...block.runs.map(drawRun));
  }
}

function drawRun({ text, href }) {
  return href ? outward(href, text) : document.createTextNode(text);
}
