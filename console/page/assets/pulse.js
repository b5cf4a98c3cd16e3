// Whether the gateway answers, asked for as long as something waits for it or is open:
// a process that stands still keeps its connections, and a page would wait for ever.

import { answers } from './gateway.js';

const pause = 5000; // between two looks, which need no key and count for no limit
const silence = 10000; // after which the gateway counts as silent

const watchers = new Set();
let timer = 0;

/**
 * watchPulse calls tell when the gateway has fallen silent, and again when it answers,
 * until the returned function is called.
 *
 * @param {(silent: boolean) => void} tell
 * @returns {() => void}
 */
export function watchPulse(tell) {
  const watcher = { tell, silent: false };
  watchers.add(watcher);
  timer ||= setTimeout(look, pause);
  return () => watchers.delete(watcher);
}

async function look() {
  if (watchers.size && !document.hidden) {
    const waiting = [...watchers]; // who comes meanwhile waits for the next look
    const silent = !(await answers(silence));
    for (const watcher of waiting) {
      if (!watchers.has(watcher) || watcher.silent === silent) continue;
      watcher.silent = silent;
      watcher.tell(silent);
    }
  }
  timer = watchers.size ? setTimeout(look, pause) : 0;
}

/**
 * showPulse says behind the sentence of a state that the gateway is silent, and has it
 * grey meanwhile.
 *
 * @param {HTMLElement} place
 * @param {boolean} isSilent
 */
export function showPulse(place, isSilent) {
  place.classList.toggle('silent', isSilent);
  place.querySelector('.silence')?.remove();
  if (isSilent) place.append(Object.assign(document.createElement('span'), { className: 'silence', textContent: ' The gateway does not answer.' }));
}
