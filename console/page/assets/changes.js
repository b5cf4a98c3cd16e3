// A comparison of two files of a site, for people.

import { compare } from './compare.js';
import { make, outward } from './dom.js';
import { count } from './format.js';

/** summary says in a line how two files differ. */
export function summary({ fresh, gone, changed }) {
  if (fresh.length + gone.length + changed.length === 0) return 'Nothing has changed.';
  return `${count(fresh.length, 'page')} new, ${gone.length} gone, ${changed.length} changed.`;
}

/**
 * differences shows what one file has that another has not.
 *
 * @param {string} before
 * @param {string} after
 * @returns {HTMLElement}
 */
export function differences(before, after) {
  const found = compare(before, after);
  const all = make('div', { class: 'changes' }, make('p', {}, summary(found)));
  const section = (name, kind, list, more = () => []) => {
    if (!list.length) return;
    all.append(make('h3', {}, name), make('ul', { class: `plain-list ${kind}` },
      ...list.map((page) => make('li', {}, make('strong', {}, page.title), ' ', outward(page.address), ...more(page)))));
  };
  section('New', 'fresh', found.fresh);
  section('Gone', 'gone', found.gone);
  section('Changed', 'changed', found.changed, ({ before: was, after: is }) => [
    make('del', {}, excerptOf(was)), make('ins', {}, excerptOf(is)),
  ]);
  return all;
}

const excerptOf = ({ title, text }) => [title, text].filter(Boolean).join(' — ').slice(0, 400);
