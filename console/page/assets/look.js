// Light, dark, or as the device has it.

import { find } from './dom.js';
import { forget, keep, recall } from './store.js';

const words = { auto: 'automatic', light: 'light', dark: 'dark' };
const order = Object.keys(words);

/** startLook wires the button that goes through the themes. */
export function startLook() {
  const button = find('theme');
  let theme = order.includes(recall('theme')) ? recall('theme') : 'auto';

  function draw() {
    if (theme === 'auto') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    button.setAttribute('aria-label', `Theme: ${words[theme]}`);
    button.title = `Theme: ${words[theme]}`;
    button.querySelector('use').setAttribute('href', `#icon-${theme}`);
  }
  button.addEventListener('click', () => {
    theme = order[(order.indexOf(theme) + 1) % order.length];
    if (theme === 'auto') forget('theme');
    else keep('theme', theme);
    draw();
  });
  draw();
}
