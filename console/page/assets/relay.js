// The relay: WebSockets to any target, through an agent. Several may be open; each
// has its frames and what stood in the form when it was connected.

import { fromBase64, fromHex } from './bytes.js';
import { codeButton, hostAndPort } from './code.js';
import { find, make } from './dom.js';
import { exitOf, headersOf } from './exits.js';
import { Feed } from './feed.js';
import { version } from './gateway.js';
import { messages, targets, withoutPassword } from './history.js';
import { clear, complain, Mistake, needed, object } from './notice.js';
import { showPulse, watchPulse } from './pulse.js';
import { Rate } from './rate.js';
import { open } from './relaysocket.js';
import { har, jsonLines } from './save.js';
import * as snippets from './snippets.js';
import { tabs } from './tabs.js';
import { offerAgents } from './through.js';

const fields = [...find('relay-fields').querySelectorAll('input, select, textarea')];
const words = { opening: 'Cancel', open: 'Disconnect', closed: 'Connect' };

/**
 * A Socket is a tab of the panel.
 *
 * @typedef {{id: number, tab: HTMLElement, panel: HTMLElement, feed: Feed, rate: Rate, name: string, form: string[],
 *   session: ReturnType<typeof open> | null, now: 'closed' | 'opening' | 'open', sentence: string, trouble: object | null,
 *   silent: boolean}} Socket
 */

/** startRelay wires the relay's panel. */
export function startRelay() {
  const form = find('relay-form');
  const sockets = []; // in the order of their tabs
  let current; // the one that is shown
  let made = 0;
  const rememberTarget = targets(find('relay-url'));
  const rememberMessage = messages(find('relay-sent'), find('relay-text'));
  const blank = snapshot();

  offerAgents(find('relay-through'));
  const showTab = tabs(find('relay-sockets'), (panel) => {
    if (current) current.form = snapshot();
    current = sockets.find((s) => s.panel.id === panel);
    restore(current.form);
    draw();
  });

  find('relay-echo').addEventListener('click', () => {
    find('relay-url').value = 'ws://echo.farwire.alt';
    find('relay-url').focus();
  });
  find('relay-another').addEventListener('click', () => {
    add(snapshot());
    find('relay-url').focus();
    find('relay-url').select();
  });
  find('relay-remove').addEventListener('click', () => remove(current));
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    if (current.session) current.session.end();
    else connect(current);
  });
  find('relay-message').addEventListener('submit', (event) => {
    event.preventDefault();
    send();
  });
  find('relay-text').addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      send();
    }
  });
  codeButton(find('relay-code'), find('relay-notice'), () => {
    const request = readRequest();
    return { kind: 'relay', target: hostAndPort(request.url), snippets: (gateway) => snippets.relay(gateway, request) };
  });

  function add(values) {
    const id = ++made;
    const panel = make('section', { id: `relay-socket-${id}`, class: 'card feed', role: 'tabpanel', 'aria-labelledby': `relay-tab-${id}`, hidden: true });
    panel.append(find('relay-empty').content.cloneNode(true));
    const tab = make('button', { type: 'button', role: 'tab', id: `relay-tab-${id}`, 'aria-controls': panel.id, 'aria-selected': 'false', tabindex: -1 });
    const place = make('p', { class: 'rate quiet' });
    const s = { id, tab, panel, name: 'New', form: values, session: null, now: 'closed', sentence: 'Not connected.', trouble: null, silent: false };
    s.feed = new Feed(panel, 'Frames', 'frame', [
      { name: 'JSON lines', file: 'frames.jsonl', type: 'application/jsonl', text: jsonLines },
      { name: 'HAR', file: 'frames.har', type: 'application/json', text: (rows) => har(rows, version) },
    ]);
    panel.append(place);
    s.rate = new Rate(place, 'frame');
    sockets.push(s);
    find('relay-sockets').append(tab);
    find('relay-feed').append(panel);
    showTab(panel.id);
  }

  function remove(s) {
    s.session?.end();
    const at = sockets.indexOf(s);
    sockets.splice(at, 1);
    s.tab.remove();
    s.panel.remove();
    s.rate.stop();
    current = null;
    if (!sockets.length) add(blank);
    else showTab(sockets[Math.min(at, sockets.length - 1)].panel.id);
    current.tab.focus();
  }

  function connect(s) {
    s.trouble = null;
    clear(find('relay-notice'));
    let request;
    try {
      request = readRequest();
    } catch (error) {
      object(find('relay-notice'), error);
      return;
    }
    rememberTarget(request.url);
    s.target = withoutPassword(request.url);
    s.name = nameOf(request.url);
    s.session = open(request, {
      row: (row) => s.feed.push(row),
      crossed: (bytes) => s.rate.add(bytes),
      connected(node, subprotocol) {
        s.rate.start();
        state(s, 'open', `Connected through ${node}${subprotocol ? `, speaking ${subprotocol}` : ''}.`);
      },
      ended(trouble) {
        unwatch();
        s.session = null;
        s.silent = false;
        s.trouble = trouble;
        s.rate.stop();
        state(s, 'closed', trouble ? 'Not connected.' : 'Closed.');
      },
    });
    const unwatch = watchPulse((silent) => {
      s.silent = silent;
      if (silent && s.now === 'opening') s.session.giveUp();
      else draw();
    });
    state(s, 'opening', 'Connecting…');
  }

  function send() {
    const text = find('relay-text');
    clear(find('relay-message-notice'));
    let data = text.value;
    try {
      if (find('relay-kind').value === 'hex') data = fromHex(data);
      else if (find('relay-kind').value === 'base64') data = fromBase64(data);
    } catch (error) {
      object(find('relay-message-notice'), new Mistake(error.message, 'relay-text'));
      return;
    }
    if (!current.session?.send(data)) return;
    rememberMessage(text.value);
    text.focus();
    text.select();
  }

  function state(s, now, sentence) {
    s.now = now;
    s.sentence = sentence;
    draw();
  }

  // draw shows the socket that is in front. While it stands, of its form there is
  // left where it goes to.
  function draw() {
    const { now, sentence, trouble } = current;
    const at = document.activeElement; // what has the focus may be about to go
    const lost = at === document.body || find('relay-fields').contains(at) || find('relay-message').contains(at);
    find('relay-status').textContent = sentence;
    find('relay-status').dataset.state = now;
    showPulse(find('relay-status'), current.silent);
    find('relay-connect').textContent = words[now];
    find('relay-connect').classList.toggle('primary', now === 'closed');
    find('relay-fields').disabled = now !== 'closed';
    find('relay-fields').hidden = now === 'open';
    find('relay-target').hidden = now !== 'open';
    find('relay-target').textContent = current.target ?? '';
    find('relay-another').hidden = now !== 'open';
    find('relay-remove').hidden = sockets.length < 2 || now === 'open';
    find('relay-message').hidden = now !== 'open';
    find('relay').dataset.live = String(now === 'open');
    if (trouble) complain(find('relay-notice'), trouble);
    else clear(find('relay-notice'));
    find('relay-sockets').hidden = sockets.length < 2;
    if (lost && now === 'open' && matchMedia('(pointer: fine)').matches) find('relay-text').focus({ preventScroll: true });
    if (lost && now === 'closed' && at !== document.body && !at.checkVisibility()) find('relay-connect').focus();
    for (const s of sockets) s.tab.replaceChildren(make('span', { class: 'state', 'data-state': s.silent ? 'silent' : s.now }, `${s.id} ${s.name}`));
  }

  add(blank);
}

const nameOf = (url) => new URL(url).host + new URL(url).pathname.replace(/\/$/, '');

const snapshot = () => fields.map((field) => field.value);

function restore(values) {
  fields.forEach((field, i) => { field.value = values[i]; });
}

function readRequest() {
  const url = needed('relay-url', 'Enter the target to connect to.', 'For example wss://stream.example.com/feed.');
  if (!/^wss?:\/\//i.test(url)) throw new Mistake('A target begins with ws:// or wss://.', 'relay-url');
  if (!URL.canParse(url)) throw new Mistake('That is not the address of a target.', 'relay-url');
  const request = { url, ...exitOf('relay') };
  const headers = headersOf('relay-headers');
  if (headers) request.headers = headers;
  const protocols = find('relay-protocols').value.split(/[\s,]+/).filter(Boolean);
  if (protocols.length) request.subprotocols = protocols;
  const idle = find('relay-idle').valueAsNumber;
  if (idle > 0) request.idle_timeout = idle;
  const proxy = find('relay-proxy').value.trim();
  if (proxy) request.proxy = proxy;
  return request;
}
