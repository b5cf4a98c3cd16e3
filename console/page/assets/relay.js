// The relay: a WebSocket to any target, through an agent. The first message
// says where to; after the gateway's answer every frame is the target's.

import { excerpt, fromBase64, fromHex, hexDump, utf8Length } from './bytes.js';
import { find, make } from './dom.js';
import { Feed } from './feed.js';
import { count, size } from './format.js';
import { credential, socket } from './gateway.js';
import { indent } from './json.js';
import { clear, complain, object } from './notice.js';
import { chosen, offerAgents } from './through.js';

const kept = 64 << 10; // of one frame, for whoever opens it

/** startRelay wires the relay's panel. */
export function startRelay() {
  const form = find('relay-form');
  const message = find('relay-message');
  const feed = new Feed(find('relay-feed'), 'Frames', 'frame');
  let session = null; // of the socket that is open or opening

  offerAgents(find('relay-through'));
  find('relay-echo').addEventListener('click', () => {
    find('relay-url').value = 'ws://echo.farwire.alt';
    find('relay-url').focus();
  });

  form.addEventListener('submit', (event) => {
    event.preventDefault();
    if (session) session.end();
    else connect();
  });

  message.addEventListener('submit', (event) => {
    event.preventDefault();
    send();
  });
  find('relay-text').addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      send();
    }
  });

  function connect() {
    clear(find('relay-notice'));
    let request;
    try {
      request = readRequest();
    } catch (error) {
      object(find('relay-notice'), error.message);
      return;
    }
    session = open(request, feed, {
      connected(node, subprotocol) {
        find('relay-more').open = false; // what it holds is settled; the message moves up
        state('open', `Connected through ${node}${subprotocol ? `, speaking ${subprotocol}` : ''}.`);
      },
      ended(trouble) {
        session = null;
        state('closed', trouble ? 'Not connected.' : 'Closed.');
        if (trouble) complain(find('relay-notice'), trouble);
      },
    });
    state('opening', 'Connecting…');
  }

  function send() {
    const text = find('relay-text');
    clear(find('relay-message-notice'));
    let data = text.value;
    try {
      if (find('relay-kind').value === 'hex') data = fromHex(data);
      else if (find('relay-kind').value === 'base64') data = fromBase64(data);
    } catch (error) {
      object(find('relay-message-notice'), error.message);
      return;
    }
    if (!session?.send(data)) return;
    text.focus();
    text.select();
  }

  function state(now, sentence) {
    find('relay-status').textContent = sentence;
    find('relay-status').dataset.state = now;
    find('relay-connect').textContent = { opening: 'Cancel', open: 'Disconnect', closed: 'Connect' }[now];
    find('relay-connect').classList.toggle('primary', now === 'closed');
    find('relay-fields').disabled = now !== 'closed';
    find('relay-send').disabled = now !== 'open';
  }
  state('closed', 'Not connected.');
}

function readRequest() {
  const request = { url: find('relay-url').value.trim(), ...chosen(find('relay-through')) };
  if (!/^wss?:\/\//i.test(request.url)) throw new Error('A target begins with ws:// or wss://.');
  const headers = find('relay-headers').value.split('\n').map((line) => line.trim()).filter(Boolean);
  if (headers.length) {
    request.headers = {};
    for (const line of headers) {
      const [, name, value] = /^([^:\s]+)\s*:\s*(.*)$/.exec(line) ?? [];
      if (!name) throw new Error(`“${line}” is no header. Write each on a line of its own, as Name: value.`);
      if (Object.hasOwn(request.headers, name)) throw new Error(`The header ${name} stands there twice.`);
      Object.defineProperty(request.headers, name, { value, enumerable: true }); // any name, __proto__ too
    }
  }
  const protocols = find('relay-protocols').value.split(/[\s,]+/).filter(Boolean);
  if (protocols.length) request.subprotocols = protocols;
  const idle = find('relay-idle').valueAsNumber;
  if (idle > 0) request.idle_timeout = idle;
  const proxy = find('relay-proxy').value.trim();
  if (proxy) request.proxy = proxy;
  return request;
}

// open connects and puts all that crosses into the feed. A session ends once:
// by the person, by a close frame, or by an error before there was a session.
function open(request, feed, { connected, ended }) {
  const ws = socket('ws');
  let live = false;
  let refusal = ''; // the gateway's message ahead of its close
  let leaving = false;

  ws.addEventListener('open', () => ws.send(JSON.stringify({ ...credential(), ...request })));
  ws.addEventListener('message', ({ data }) => {
    if (live) {
      feed.push(frame('in', data));
      return;
    }
    const answer = JSON.parse(data); // the gateway's own
    if (answer.type === 'error') {
      refusal = answer.message;
      return;
    }
    live = true;
    feed.push(note('open', '', `${request.url} through ${answer.node_id}`));
    connected(answer.node_id, answer.subprotocol);
  });
  ws.addEventListener('close', ({ code, reason }) => {
    if (live || refusal) feed.push(note('close', String(code), refusal || reason || 'without a reason'));
    ended(leaving || (live && code === 1000 && !reason) ? null : { code, text: refusal || reason });
  });

  return {
    send(data) {
      if (!live || ws.readyState !== WebSocket.OPEN) return false;
      ws.send(data);
      feed.push(frame('out', data));
      return true;
    },
    end() {
      leaving = true;
      ws.close(1000);
    },
  };
}

/** frame makes a row of what crossed. @param {string | ArrayBuffer | Uint8Array} data */
function frame(way, data) {
  if (typeof data === 'string') {
    const text = excerpt(data, kept);
    const omitted = data.length - text.length; // what detail remembers must not be data itself
    return {
      way, kind: 'text', label: size(utf8Length(data)), preview: oneLine(text), weight: 3 * text.length,
      search: text.toLowerCase(),
      detail: () => body(indent(text) ?? text, omitted, 'character'),
    };
  }
  const all = new Uint8Array(data);
  const bytes = all.slice(0, kept / 8);
  const omitted = all.length - bytes.length;
  const hex = Array.from(bytes.subarray(0, 48), (b) => b.toString(16).padStart(2, '0')).join(' ');
  return {
    way, kind: 'binary', label: size(all.length), preview: hex, weight: bytes.length, search: hex,
    detail: () => body(hexDump(bytes), omitted, 'byte'),
  };
}

function note(kind, label, preview) {
  return { way: 'note', kind, label, preview, weight: 0, search: `${kind} ${label} ${preview}`.toLowerCase(), detail: null };
}

function oneLine(text) {
  return text.slice(0, 300).replace(/\s+/g, ' ');
}

function body(text, omitted, unit) {
  const pre = make('pre', { tabindex: 0 }, text);
  return omitted ? make('div', {}, pre, make('p', { class: 'quiet' }, `${count(omitted, unit)} more, not kept by this page.`)) : pre;
}
