// A body in the ways in which people read one: JSON laid out, text, and bytes.

import { excerpt, hexDump } from './bytes.js';
import { make } from './dom.js';
import { count } from './format.js';
import { indent } from './json.js';

const dumped = 16 << 10; // bytes of a text that are shown as bytes

/**
 * readings returns the ways to read a body, the best one first: its name and the
 * function that makes its text. Bytes that are not UTF-8 are bytes alone.
 *
 * @param {string | Uint8Array} data
 * @returns {[string, () => string][]}
 */
export function readings(data) {
  const isText = typeof data === 'string';
  const text = isText ? data : decoded(data);
  const bytes = () => hexDump(isText ? new TextEncoder().encode(excerpt(data, dumped)).subarray(0, dumped) : data);
  if (text === null) return [['Hex', bytes]];
  const laid = indent(text);
  const list = [['Text', () => text], ['Hex', bytes]];
  if (!isText) list.reverse(); // whoever sends bytes means bytes
  if (laid === null) return list;
  const json = ['JSON', () => laid];
  return isText ? [json, ...list] : [...list, json];
}

function decoded(bytes) {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

/**
 * body shows a body, with a button for each way to read it.
 *
 * @param {string | Uint8Array} data
 * @param {number} [omitted] characters or bytes that the page has not kept
 * @returns {HTMLElement}
 */
export function body(data, omitted = 0) {
  const pre = make('pre', { tabindex: 0, 'aria-label': 'Body' });
  const ways = readings(data);
  const buttons = ways.map(([name, text], i) => {
    const button = make('button', { type: 'button', class: 'small', 'aria-pressed': String(i === 0) }, name);
    button.addEventListener('click', () => {
      for (const other of buttons) other.setAttribute('aria-pressed', String(other === button));
      pre.textContent = text();
    });
    return button;
  });
  pre.textContent = ways[0][1]();
  const all = make('div', { class: 'body' });
  if (ways.length > 1) all.append(make('div', { class: 'views', role: 'group', 'aria-label': 'Show as' }, ...buttons));
  all.append(pre);
  if (omitted) {
    const unit = typeof data === 'string' ? 'character' : 'byte';
    all.append(make('p', { class: 'quiet' }, `${count(omitted, unit)} more, not kept by this page.`));
  }
  return all;
}
