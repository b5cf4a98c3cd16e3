// A feed shows what arrives: the newest rows, never more than it can hold,
// however fast they come. New rows wait for the next frame of the screen and
// enter the page together, so a thousand messages cost one layout.

import { make, icon, spoken } from './dom.js';
import { clock, count } from './format.js';

const most = 1000; // rows
const heaviest = 32 << 20; // bytes of what the rows hold

/**
 * @typedef {object} Row
 * @property {string} kind one word, such as text or binary
 * @property {'in' | 'out' | 'note'} way
 * @property {string} label beside the kind: a size, a routing key
 * @property {string} preview one line
 * @property {number} weight bytes that it keeps in memory
 * @property {string} search lower-case text that the filter looks at
 * @property {(() => Node) | null} detail makes what opening the row shows; null: it has no more to show
 * @property {Date} [at] when it came; now, if left out
 */

export class Feed {
  #rows = []; // those of the page, the oldest first
  #waiting = []; // those for the next frame
  #weight = 0;
  #seen = 0; // of all rows
  #held = 0; // that came while paused and went again
  #paused = false;
  #needle = '';
  #scheduled = false;

  /**
   * @param {HTMLElement} host a section that holds its empty state
   * @param {string} title
   * @param {string} noun of a row: "frame"
   */
  constructor(host, title, noun) {
    this.noun = noun;
    this.empty = host.querySelector('.empty');
    this.list = make('ol', { class: 'rows', 'aria-label': title });
    this.box = make('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': title });
    this.box.append(this.empty, this.list);
    this.total = make('span', { class: 'quiet total' });
    this.filter = make('input', { type: 'search', class: 'filter', placeholder: 'Filter', 'aria-label': `Filter ${noun}s`, autocomplete: 'off' });
    this.pauseButton = make('button', { type: 'button', class: 'small', 'aria-pressed': 'false' }, 'Pause');
    const clearButton = make('button', { type: 'button', class: 'small' }, 'Clear', spoken(` ${noun}s`));
    host.append(
      make('div', { class: 'feed-bar' }, make('h2', {}, title), this.total, this.filter, this.pauseButton, clearButton),
      this.box,
    );
    this.filter.addEventListener('input', () => this.#refilter());
    this.pauseButton.addEventListener('click', () => this.#pause(!this.#paused));
    clearButton.addEventListener('click', () => this.clear());
    this.#count();
  }

  /** push adds a row. @param {Row} row */
  push(row) {
    row.at ??= new Date();
    this.#seen++;
    this.#waiting.push(row);
    this.#weight += row.weight;
    this.#shed();
    this.#schedule();
  }

  clear() {
    this.#rows = [];
    this.#waiting = [];
    this.#weight = this.#seen = this.#held = 0;
    this.list.replaceChildren();
    this.#count();
  }

  // shed lets go of the oldest rows beyond what the feed holds. While it is
  // paused the page stays as it is, and what waits is what goes.
  #shed() {
    const full = () => this.#waiting.length + (this.#paused ? 0 : this.#rows.length) > most || this.#weight > heaviest;
    while (full() && this.#rows.length && !this.#paused) this.#drop(this.#rows.shift());
    while (full() && this.#waiting.length > 1) {
      this.#drop(this.#waiting.shift());
      if (this.#paused) this.#held++;
    }
  }

  #drop(row) {
    this.#weight -= row.weight;
    row.element?.remove();
  }

  #schedule() {
    if (this.#scheduled) return;
    this.#scheduled = true;
    requestAnimationFrame(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  #flush() {
    if (!this.#paused && this.#waiting.length) {
      const following = this.box.scrollHeight - this.box.scrollTop - this.box.clientHeight < 48;
      const fresh = document.createDocumentFragment();
      for (const row of this.#waiting) {
        row.element = draw(row);
        row.element.hidden = !row.search.includes(this.#needle);
        fresh.append(row.element);
      }
      this.#rows.push(...this.#waiting);
      this.#waiting = [];
      this.list.append(fresh);
      if (following) this.box.scrollTop = this.box.scrollHeight;
    }
    this.#count();
  }

  #pause(paused) {
    this.#paused = paused;
    this.pauseButton.setAttribute('aria-pressed', String(paused));
    if (!paused) this.#held = 0;
    this.#shed();
    this.#schedule();
  }

  #refilter() {
    this.#needle = this.filter.value.trim().toLowerCase();
    for (const row of this.#rows) row.element.hidden = !row.search.includes(this.#needle);
    this.#count();
  }

  #count() {
    this.empty.hidden = this.#seen > 0;
    this.list.hidden = this.#seen === 0;
    const parts = [];
    if (this.#seen) parts.push(count(this.#seen, this.noun));
    if (this.#seen > this.#rows.length + this.#waiting.length) parts.push(`the last ${this.#rows.length} shown`);
    if (this.#needle) parts.push(`${this.#rows.filter((row) => !row.element.hidden).length} match`);
    if (this.#paused) parts.push(`${this.#waiting.length + this.#held} waiting`);
    this.total.textContent = parts.join(' · ');
  }
}

const ways = {
  in: ['in', 'Received'],
  out: ['out', 'Sent'],
  note: ['note', ''],
};

function draw(row) {
  const [symbol, word] = ways[row.way];
  const line = [
    make('span', { class: `way ${row.way}` }, icon(symbol), word ? spoken(word) : ''),
    make('time', { datetime: row.at.toISOString() }, clock(row.at)),
    make('span', { class: 'kind' }, row.kind),
    make('span', { class: 'label' }, row.label),
    make('span', { class: 'preview' }, row.preview),
  ];
  if (!row.detail) return make('li', { class: 'row' }, make('div', { class: 'line' }, ...line));
  const details = make('details', {}, make('summary', { class: 'line' }, ...line));
  // Most rows are never opened; what they hold is laid out when they are.
  details.addEventListener('toggle', () => {
    if (details.open && details.childElementCount === 1) details.append(make('div', { class: 'detail' }, row.detail()));
  });
  return make('li', { class: 'row' }, details);
}
