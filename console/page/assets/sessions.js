// The person's own running sessions, whichever program holds them, and their end.

import { find, make } from './dom.js';
import { count, size } from './format.js';
import { call, read } from './gateway.js';
import { complain, troubleOf } from './notice.js';

const kinds = { relay: 'Relay', amqp: 'AMQP stream', crawl: 'Crawl', http: 'Request', tunnel: 'Tunnel' };

let offered = true; // a host may not mount the endpoint

/**
 * showSessions asks for them and draws them; where the host does not offer them
 * there is nothing to see.
 *
 * @param {AbortSignal} signal
 * @param {() => void} again called when one was ended
 */
export async function showSessions(signal, again) {
  if (!offered) return;
  let list;
  try {
    list = (await read('sessions', { signal })).sessions;
  } catch (error) {
    if (error.status !== 404) throw error;
    offered = false;
    find('sessions').hidden = true;
    return;
  }
  find('sessions').hidden = false;
  find('sessions-count').textContent = list.length ? count(list.length, 'session') : '';
  find('sessions-empty').hidden = list.length > 0;
  find('sessions-table').hidden = list.length === 0;
  const focused = document.activeElement?.closest('#sessions-rows') && document.activeElement.dataset.session;
  find('sessions-rows').replaceChildren(...list.map((session) => row(session, again)));
  if (focused) find('sessions-rows').querySelector(`[data-session="${CSS.escape(focused)}"]`)?.focus();
}

function row(session, again) {
  const kind = kinds[session.kind] ?? session.kind;
  const end = make('button', { type: 'button', class: 'small', 'data-session': session.id, 'aria-label': `End the ${kind} to ${session.target || 'its target'}` }, 'End');
  end.addEventListener('click', async () => {
    end.disabled = true;
    try {
      await call(`sessions/${encodeURIComponent(session.id)}`, { method: 'DELETE' });
    } catch (error) {
      if (error.status !== 404) complain(find('network-notice'), troubleOf(error)); // it may have ended by itself
    }
    again();
  });
  return make('tr', {},
    make('th', { scope: 'row' }, kind),
    cell('Target', session.target || '—'),
    cell('Agent', session.agent || '—'),
    cell('Since', make('time', { datetime: session.since }, new Date(session.since).toLocaleTimeString())),
    cell('Sent', size(session.bytes_in)),
    cell('Received', size(session.bytes_out)),
    cell('From', session.remote || '—'),
    cell('', end),
  );
}

function cell(column, content) {
  return make('td', { 'data-column': column }, content);
}
