// How much comes at this time: messages and bytes of the last seconds in words,
// and the last minute as a line.

import { make, picture } from './dom.js';
import { count, size } from './format.js';

const seconds = 5; // that the words look back upon
const minute = 60; // and the line

export class Rate {
  #words = make('span');
  #line = picture('polyline', { points: '' });
  #place;
  #noun;
  #slots = []; // [messages, bytes] of a second each, the last one still growing
  #timer = 0;

  /**
   * @param {HTMLElement} place that shows it
   * @param {string} noun "message"
   */
  constructor(place, noun) {
    this.#place = place;
    this.#noun = noun;
    const graph = picture('svg', { class: 'graph', viewBox: `0 0 ${minute} 20`, preserveAspectRatio: 'none', 'aria-hidden': 'true' });
    graph.append(this.#line);
    place.replaceChildren(graph, this.#words);
    place.hidden = true;
  }

  start() {
    this.stop();
    this.#slots = [[0, 0]];
    this.#place.hidden = false;
    this.#show();
    this.#timer = setInterval(() => {
      this.#show();
      this.#slots.push([0, 0]);
      if (this.#slots.length > minute) this.#slots.shift();
    }, 1000);
  }

  /** add counts one message. @param {number} bytes */
  add(bytes) {
    const now = this.#slots.at(-1);
    if (!now) return;
    now[0]++;
    now[1] += bytes;
  }

  stop() {
    clearInterval(this.#timer);
    this.#slots = [];
    this.#place.hidden = true;
  }

  #show() {
    const last = this.#slots.slice(-seconds);
    const mean = (i) => last.reduce((all, slot) => all + slot[i], 0) / last.length;
    this.#words.textContent = `${count(mean(0), this.#noun)} and ${size(Math.round(mean(1)))} a second`;
    this.#line.setAttribute('points', points(this.#slots.map(([messages]) => messages)));
  }
}

/** points draws numbers as a line that ends at the right, 60 wide and 20 high. */
export function points(numbers) {
  const top = Math.max(1, ...numbers);
  const from = minute - numbers.length;
  return numbers.map((n, i) => `${from + i + 0.5},${(19 - (18 * n) / top).toFixed(1)}`).join(' ');
}
