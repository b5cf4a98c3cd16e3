// How much comes at this time: messages and bytes of the last seconds.

import { count, size } from './format.js';

const seconds = 5; // that are looked back upon

export class Rate {
  #element;
  #noun;
  #slots = []; // [messages, bytes] of a second each, the last one still growing
  #timer = 0;

  /**
   * @param {HTMLElement} element that shows it
   * @param {string} noun "message"
   */
  constructor(element, noun) {
    this.#element = element;
    this.#noun = noun;
  }

  start() {
    this.stop();
    this.#slots = [[0, 0]];
    this.#show();
    this.#timer = setInterval(() => {
      this.#show();
      this.#slots.push([0, 0]);
      if (this.#slots.length > seconds) this.#slots.shift();
    }, 1000);
  }

  /** add counts one message. @param {number} bytes */
  add(bytes) {
    const now = this.#slots.at(-1);
    now[0]++;
    now[1] += bytes;
  }

  stop() {
    clearInterval(this.#timer);
    this.#element.textContent = '';
  }

  #show() {
    const sum = (i) => this.#slots.reduce((all, slot) => all + slot[i], 0) / this.#slots.length;
    this.#element.textContent = `${count(sum(0), this.#noun)} and ${size(Math.round(sum(1)))} a second`;
  }
}
