// “Copy as”: what a form asks for, as code, in a dialog. The code shows a token
// that reaches one target and ends soon, and never a key.

import { copyable, find, make } from './dom.js';
import { address, passFor } from './gateway.js';
import { clear, report } from './notice.js';

const gateway = { http: (path) => address(path), ws: (path) => address(path, 'ws'), token: '' };

let shown = ''; // the program that is seen

/** startCode wires the dialog. */
export function startCode() {
  copyable(find('code-copy'), () => shown);
  find('code-close').addEventListener('click', () => find('code').close());
}

/**
 * codeButton has a button show a form as code.
 *
 * @param {HTMLButtonElement} button
 * @param {HTMLElement} place for what keeps it from that
 * @param {() => {kind: string, target: string, snippets: (gateway: import('./snippets.js').Gateway) => import('./snippets.js').Snippets}} describe
 *   reads the form; what it throws is shown
 */
export function codeButton(button, place, describe) {
  button.addEventListener('click', async () => {
    clear(place);
    button.disabled = true;
    try {
      const { kind, target, snippets } = describe();
      const pass = await passFor(kind, target);
      show(snippets({ ...gateway, token: pass.token }), promise(kind, target, pass));
    } catch (error) {
      report(place, error);
    } finally {
      button.disabled = false;
    }
  });
}

/** hostAndPort returns what a token is narrowed to. @param {string} url */
export function hostAndPort(url) {
  const { hostname, port, protocol } = new URL(url);
  return `${hostname}:${port || (/^(https|wss):$/.test(protocol) ? 443 : 80)}`;
}

function promise(kind, target, { ends, narrow }) {
  if (!narrow) return 'The token in it is the one that you entered, with all that it may do.';
  const words = { relay: 'a relay', http: 'requests', amqp: 'an AMQP stream', crawl: 'a crawl' };
  return `The token in it is good for ${words[kind]} to ${target} and for nothing else, until ${ends.toLocaleTimeString()}.`;
}

function show(snippets, sentence) {
  const languages = Object.keys(snippets);
  const buttons = languages.map((language) => {
    const button = make('button', { type: 'button', class: 'small' }, language);
    button.addEventListener('click', () => choose(language));
    return button;
  });
  function choose(language) {
    shown = snippets[language];
    find('code-text').textContent = shown;
    buttons.forEach((button) => button.setAttribute('aria-pressed', String(button.textContent === language)));
  }
  find('code-languages').replaceChildren(...buttons);
  find('code-promise').textContent = sentence;
  choose(languages[0]);
  find('code').showModal();
}
