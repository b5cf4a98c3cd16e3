// Trouble, told in sentences, in the place of the page where it arose. The
// place is a polite live region: it is read out when there is a pause.

import { explain } from './explain.js';
import { icon, make, spoken } from './dom.js';

/**
 * complain shows what went wrong.
 *
 * @param {HTMLElement} place
 * @param {import('./explain.js').Trouble} trouble
 */
export function complain(place, trouble) {
  const { title, advice, said } = explain(trouble);
  show(place, 'bad', title, advice, said);
}

/** object shows that something the person wrote cannot be used. */
export function object(place, title, advice = '') {
  show(place, 'bad', title, advice, '');
}

/** clear takes the notice away. */
export function clear(place) {
  place.replaceChildren();
}

function show(place, kind, title, advice, said) {
  const text = make('div', {}, make('strong', {}, title));
  if (advice) text.append(' ', advice);
  if (said) text.append(make('p', { class: 'said' }, spoken('The gateway said: '), said));
  place.replaceChildren(make('div', { class: `notice ${kind}` }, icon('warning'), text));
}

/** troubleOf makes trouble of an error that a call threw. */
export function troubleOf(error) {
  if (typeof error?.status === 'number') return { status: error.status, text: error.message, retryAfter: error.retryAfter };
  return { text: String(error?.message ?? error) };
}
