// A feed shows what arrives: the newest rows, never more than it can hold,
// however fast they come. New rows wait, and enter the page together a few
// times a second, with the next frame of the screen: a thousand messages cost
// one layout, and rows that are overtaken while they wait cost none.

import { find, linked, make } from './dom.js';
import { clock, count } from './format.js';
import { save } from './save.js';

const most = 1000; // rows
const heaviest = 32 << 20; // bytes of what the rows hold
const pace = 100; // milliseconds between two changes of the page
const breath = 3000; // between two things that a screen reader is told

/**
 * @typedef {object} Row
 * @property {string} kind one word, such as text or binary
 * @property {'in' | 'out' | 'note'} way
 * @property {string} label beside the kind: a size
 * @property {string} preview one line
 * @property {number} weight bytes that it keeps in memory
 * @property {string} search lower-case text that the filter looks at
 * @property {(() => Node) | null} detail makes what opening the row shows; null: it has no more to show
 * @property {() => object} line what it is in a file of JSON lines
 * @property {string} [target] of the session that it is of
 * @property {string | Uint8Array} [data] of a frame, and how much of it is not kept
 * @property {number} [omitted]
 * @property {boolean} [links] whether the preview's addresses are links
 * @property {Date} [at] when it came; now, if left out
 *
 * @typedef {{name: string, file: string, type: string, text: (rows: Row[]) => string}} Format of a file with the rows
 */

export class Feed {
  #rows = []; // those of the page, the oldest first
  #waiting = []; // those for the next change of the page
  #weight = 0; // of both
  #seen = 0; // of all rows
  #skipped = 0; // that came while paused and went again
  #paused = false;
  #following = true; // the newest row is in sight, and stays so
  #needle = '';
  #scheduled = false;
  #changed = 0; // when the page was, last
  #told = 0; // of the rows seen, those that a screen reader was told of
  #telling = 0; // the timer of that
  #spokenAt = -breath;
  #newest = null;

  /**
   * @param {HTMLElement} host a section that holds its empty state
   * @param {string} title
   * @param {string} noun of a row: "frame"
   * @param {Format[]} formats
   */
  constructor(host, title, noun, formats) {
    this.noun = noun;
    this.empty = host.querySelector('.empty');
    this.list = make('ol', { class: 'rows', 'aria-label': title });
    this.box = make('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': title });
    this.box.append(this.empty, this.list);
    this.total = make('span', { class: 'quiet total' });
    this.filter = make('input', { type: 'search', class: 'filter', placeholder: 'Filter', 'aria-label': `Filter ${noun}s`, autocomplete: 'off' });
    this.pauseButton = make('button', { type: 'button', class: 'small', 'aria-pressed': 'false' }, 'Pause');
    const clearButton = make('button', { type: 'button', class: 'small', 'aria-label': `Clear ${noun}s` }, 'Clear');
    this.spoken = make('p', { class: 'spoken', role: 'status' });
    host.append(
      make('div', { class: 'feed-bar' }, make('h2', {}, title), this.total, this.filter, this.pauseButton, clearButton, this.#exports(formats)),
      this.spoken, this.box,
    );
    // A box of another size, of a screen that was turned or a panel that was hidden, is
    // scrolled by the browser: that is not where a person has gone.
    const measure = () => `${this.box.clientWidth} ${this.box.clientHeight}`;
    let measured = measure();
    this.box.addEventListener('scroll', () => { if (measure() === measured) this.#look(); });
    new ResizeObserver(() => {
      measured = measure();
      this.#follow();
    }).observe(this.box);
    this.list.addEventListener('click', (event) => this.#toggle(event.target.closest('button.line')));
    this.filter.addEventListener('input', () => this.#refilter());
    this.pauseButton.addEventListener('click', () => this.#pause(!this.#paused));
    clearButton.addEventListener('click', () => this.clear());
    this.#count();
  }

  /** push adds a row. @param {Row} row */
  push(row) {
    row.at ??= new Date();
    this.#seen++;
    this.#newest = row;
    this.#waiting.push(row);
    this.#weight += row.weight;
    while (this.#waiting.length > most || (this.#weight > heaviest && this.#waiting.length > 1)) {
      this.#weight -= this.#waiting.shift().weight;
      if (this.#paused) this.#skipped++;
    }
    this.#schedule();
  }

  clear() {
    this.#rows = [];
    this.#waiting = [];
    this.#weight = this.#seen = this.#skipped = this.#told = 0;
    this.#following = true;
    this.list.replaceChildren();
    this.#count();
    this.#follow();
  }

  // exports makes the button that saves the rows, or a menu of them.
  #exports(formats) {
    const buttons = formats.map(({ name, file, type, text }) => {
      const button = make('button', { type: 'button', class: 'small' }, name);
      button.addEventListener('click', () => {
        save(file, type, text([...this.#rows, ...this.#waiting]));
        const menu = button.closest('details');
        if (menu) menu.open = false;
      });
      return button;
    });
    const menu = make('details', { class: 'menu' }, make('summary', { class: 'small', 'aria-label': `Export ${this.noun}s` }, 'Export'), make('div', {}, ...buttons));
    menu.addEventListener('keydown', ({ key }) => {
      if (key !== 'Escape') return;
      menu.open = false;
      menu.firstElementChild.focus();
    });
    menu.addEventListener('focusout', ({ relatedTarget }) => { if (relatedTarget && !menu.contains(relatedTarget)) menu.open = false; });
    return menu;
  }

  // tell says what has come to whoever does not see it: not each row, which
  // nobody could listen to, but how many there are and the newest.
  #tell() {
    if (this.#telling || this.#told === this.#seen || this.#paused) return;
    this.#telling = setTimeout(() => {
      this.#telling = 0;
      const fresh = this.#seen - this.#told;
      if (fresh <= 0 || !this.box.checkVisibility()) return;
      this.#told = this.#seen;
      const { way, kind, preview } = this.#newest;
      this.spoken.textContent = `${fresh > 1 ? `${count(fresh, this.noun)}, the newest: ` : ''}${words[way]} ${kind} ${preview.slice(0, 150)}`;
    }, Math.max(0, this.#spokenAt + breath - performance.now()));
    this.#spokenAt = Math.max(performance.now(), this.#spokenAt + breath);
  }

  #schedule() {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setTimeout(() => requestAnimationFrame((now) => {
      this.#scheduled = false;
      this.#changed = now;
      if (!this.#paused) this.#admit();
      this.#count();
      this.#tell();
    }), Math.max(0, this.#changed + pace - performance.now()));
  }

  // admit lets the waiting rows into the page, and the oldest out of it. What
  // it asks of the page it asks once, at the end.
  #admit() {
    if (!this.#waiting.length) return;
    const fresh = document.createDocumentFragment();
    for (const row of this.#waiting) {
      row.element = draw(row);
      row.element.hidden = !row.search.includes(this.#needle);
      fresh.append(row.element);
    }
    this.#rows.push(...this.#waiting);
    this.#waiting = [];
    while (this.#rows.length > most || (this.#weight > heaviest && this.#rows.length > 1)) {
      const oldest = this.#rows.shift();
      this.#weight -= oldest.weight;
      oldest.element.remove();
    }
    this.list.append(fresh);
    this.list.hidden = false;
    this.#follow();
  }

  #look() {
    this.#following = this.box.scrollHeight - this.box.scrollTop - this.box.clientHeight < 48;
  }

  // What an empty feed says is read from its beginning.
  #follow() {
    if (this.#following) this.box.scrollTop = this.#seen ? this.box.scrollHeight : 0;
  }

  #toggle(line) {
    const row = line && this.#rows.find(({ element }) => element.contains(line));
    if (!row) return;
    const open = line.getAttribute('aria-expanded') === 'true';
    line.setAttribute('aria-expanded', String(!open));
    if (open) {
      line.nextElementSibling.remove();
    } else {
      line.after(make('div', { class: 'detail' }, row.detail()));
      // What was asked for comes into sight, as far as its row stays there.
      const [seen, all] = [this.box.getBoundingClientRect(), row.element.getBoundingClientRect()];
      this.box.scrollTop += Math.max(0, Math.min(all.bottom - seen.bottom, all.top - seen.top));
    }
    this.#look(); // what is read now is not to be carried off by the next row
  }

  #pause(paused) {
    this.#paused = paused;
    this.pauseButton.setAttribute('aria-pressed', String(paused));
    this.#skipped = 0;
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
    if (this.#needle) parts.push(count(this.#rows.filter((row) => !row.element.hidden).length, 'match', 'matches'));
    if (this.#paused) parts.push(`${this.#waiting.length + this.#skipped} waiting`);
    this.total.textContent = parts.join(' · ');
  }
}

const words = { in: 'Received', out: 'Sent', note: '' };

// draw fills a copy of the page's template, the cheapest way to an element.
function draw(row) {
  const item = find(row.detail ? 'row' : 'row-without-detail').content.firstElementChild.cloneNode(true);
  const [way, time, kind, label, preview] = item.firstElementChild.children;
  way.classList.add(row.way);
  way.firstElementChild.textContent = words[row.way];
  time.textContent = clock(row.at);
  kind.textContent = row.kind;
  label.textContent = row.label;
  if (row.links) preview.append(...linked(row.preview));
  else preview.textContent = row.preview;
  return item;
}
