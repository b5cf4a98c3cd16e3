// Targets and messages of earlier, for as long as the browser's tab is open.

import { find, make } from './dom.js';
import { earlier, remember } from './store.js';

/**
 * targets has a field offer what was entered in it before, and returns the
 * function that adds to that.
 *
 * @param {HTMLInputElement} field with a list of its own
 * @returns {(target: string) => void}
 */
export function targets(field) {
  const list = find(field.getAttribute('list'));
  const draw = () => list.replaceChildren(...earlier(field.id).map((value) => make('option', { value })));
  draw();
  return (target) => {
    remember(field.id, withoutPassword(target));
    draw();
  };
}

/**
 * withoutPassword returns an address without its user and password. They end at the
 * last @ ahead of the path, and browsers take any number of slashes and backslashes
 * for the two (the URL standard, section 4.4).
 */
export function withoutPassword(address) {
  return address.replace(/^(\w+:[\\/]*)[^\\/?#]*@/, '$1');
}

/**
 * messages has a list choose among the texts that were sent, and returns the
 * function that adds to them.
 *
 * @param {HTMLSelectElement} list
 * @param {HTMLTextAreaElement} field
 * @returns {(text: string) => void}
 */
export function messages(list, field) {
  const name = list.id;
  function draw() {
    const texts = earlier(name);
    list.hidden = texts.length === 0;
    list.replaceChildren(make('option', { value: '' }, 'Sent before…'),
      ...texts.map((text, i) => make('option', { value: String(i) }, text.slice(0, 60).replace(/\s+/g, ' '))));
  }
  list.addEventListener('change', () => {
    const text = earlier(name)[Number(list.value)];
    if (list.value === '' || text === undefined) return;
    field.value = text;
    list.value = '';
    field.focus();
  });
  draw();
  return (text) => {
    if (!text || text.length > 4096) return;
    remember(name, text);
    draw();
  };
}
