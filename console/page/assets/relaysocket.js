// One WebSocket through the gateway: the first message says where to; after the
// gateway's answer every frame is the target's. And frames as rows of a feed.

import { excerpt, utf8Length } from './bytes.js';
import { size } from './format.js';
import { credential, socket } from './gateway.js';
import { withoutPassword } from './history.js';
import { frameLine } from './save.js';
import { body } from './views.js';

const kept = 64 << 10; // of one frame, for whoever opens it

/**
 * open connects. A session ends once: by the person, by a close frame, or by an
 * error before there was a session, which is told and leaves no row.
 *
 * @param {Record<string, any>} request
 * @param {{row: (row: object) => void, connected: (node: string, subprotocol: string) => void,
 *   crossed: (bytes: number) => void, ended: (trouble: import('./explain.js').Trouble | null) => void}} on
 */
export function open(request, on) {
  const ws = socket('ws');
  const target = withoutPassword(request.url); // as rows and files have it
  let live = false;
  let refusal = ''; // the gateway's message ahead of its close
  let leaving = false;
  let over = false;

  ws.addEventListener('open', () => ws.send(JSON.stringify({ ...credential(), ...request })));
  ws.addEventListener('message', ({ data }) => {
    if (live) {
      on.crossed(lengthOf(data));
      on.row(frame('in', data, target));
      return;
    }
    const answer = JSON.parse(data); // the gateway's own
    if (answer.type === 'error') {
      refusal = answer.message;
      return;
    }
    live = true;
    on.row(note('open', '', `${target} through ${answer.node_id}`, target));
    on.connected(answer.node_id, answer.subprotocol);
  });
  ws.addEventListener('close', ({ code, reason }) => {
    if (over) return;
    if (live) on.row(note('close', String(code), reason || 'without a reason', target));
    on.ended(leaving || (live && code === 1000 && !reason) ? null : { code, text: refusal || reason, live });
  });

  return {
    send(data) {
      if (!live || ws.readyState !== WebSocket.OPEN) return false;
      ws.send(data);
      on.crossed(lengthOf(data));
      on.row(frame('out', data, target));
      return true;
    },
    end() {
      leaving = true;
      ws.close(1000);
    },
    // giveUp ends a session that does not begin, since the gateway is silent.
    giveUp() {
      if (live) return;
      over = true;
      ws.close();
      on.ended({ status: 0, text: '' });
    },
  };
}

const lengthOf = (data) => (typeof data === 'string' ? utf8Length(data) : data.byteLength);

/**
 * frame makes a row of what crossed. Each row has its target, because a feed that was
 * full or cleared has lost the row of the session's begin.
 *
 * @param {'in' | 'out'} way
 * @param {string | ArrayBuffer | Uint8Array} data
 * @param {string} target
 */
function frame(way, data, target) {
  if (typeof data === 'string') {
    const text = excerpt(data, kept);
    return finish({
      way, target, kind: 'text', label: size(utf8Length(data)), preview: oneLine(text), weight: 3 * text.length,
      search: text.toLowerCase(), data: text, omitted: data.length - text.length,
    });
  }
  const all = new Uint8Array(data);
  const bytes = all.slice(0, kept / 8);
  const hex = Array.from(bytes.subarray(0, 48), (b) => b.toString(16).padStart(2, '0')).join(' ');
  return finish({
    way, target, kind: 'binary', label: size(all.length), preview: hex, weight: bytes.length, search: hex,
    data: bytes, omitted: all.length - bytes.length,
  });
}

function finish(row) {
  return Object.assign(row, { detail: () => body(row.data, row.omitted), line: () => frameLine(row) });
}

function note(kind, label, preview, target) {
  const row = { way: 'note', target, kind, label, preview, weight: 0, search: `${kind} ${label} ${preview}`.toLowerCase(), detail: null };
  return Object.assign(row, { line: () => frameLine(row) });
}

function oneLine(text) {
  return text.slice(0, 300).replace(/\s+/g, ' ');
}
