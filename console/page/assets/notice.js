// Trouble, told in sentences, in the place of the page where it arose. The
// place is a polite live region: it is read out when there is a pause.

import { explain } from './explain.js';
import { find, icon, make, spoken } from './dom.js';

/**
 * complain shows what went wrong.
 *
 * @param {HTMLElement} place
 * @param {import('./explain.js').Trouble} trouble
 */
export function complain(place, trouble) {
  const { title, advice, said, by } = explain(trouble);
  show(place, 'bad', title, advice, said, by);
}

/** A Mistake is something that the person wrote and that cannot be used. */
export class Mistake extends Error {
  /**
   * @param {string} title a sentence
   * @param {string} [field] the id of the field where it stands
   * @param {string} [advice] another sentence
   */
  constructor(title, field = '', advice = '') {
    super(title);
    this.field = field;
    this.advice = advice;
  }
}

/**
 * needed returns what a field holds, or throws a Mistake that names the field when
 * that is empty.
 */
export function needed(id, title, advice = '') {
  const value = find(id).value.trim();
  if (!value) throw new Mistake(title, id, advice);
  return value;
}

/**
 * object shows a mistake and leads to its field.
 *
 * @param {HTMLElement} place
 * @param {Error} mistake
 */
export function object(place, mistake) {
  show(place, 'bad', mistake.message, mistake.advice ?? '', '');
  if (!mistake.field) return;
  const field = find(mistake.field);
  for (let box = field.closest('details'); box; box = box.parentElement.closest('details')) box.open = true;
  field.setAttribute('aria-invalid', 'true');
  field.addEventListener('input', () => field.removeAttribute('aria-invalid'), { once: true });
  field.focus();
}

/** report shows what was thrown: a mistake in a field, or trouble. */
export function report(place, error) {
  if (error instanceof Mistake) object(place, error);
  else complain(place, troubleOf(error));
}

/** clear takes the notice away. */
export function clear(place) {
  place.replaceChildren();
}

function show(place, kind, title, advice, said, by = '') {
  const text = make('div', {}, make('strong', {}, title));
  if (advice) text.append(' ', advice);
  if (said) text.append(make('p', { class: 'said' }, spoken(by), said));
  place.replaceChildren(make('div', { class: `notice ${kind}` }, icon('warning'), text));
}

/** troubleOf makes trouble of an error that a call threw. */
export function troubleOf(error) {
  if (typeof error?.status === 'number') return { status: error.status, text: error.message, retryAfter: error.retryAfter };
  return { text: String(error?.message ?? error) };
}
