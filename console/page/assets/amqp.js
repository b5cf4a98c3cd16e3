// A stream of a RabbitMQ exchange. The answer to the POST is the stream; ending
// the request ends it, and the queue with it.

import { excerpt, fromBase64, hexDump, utf8Length } from './bytes.js';
import { find, make } from './dom.js';
import { Feed } from './feed.js';
import { count, size } from './format.js';
import { call } from './gateway.js';
import { indent } from './json.js';
import { clear, complain, troubleOf } from './notice.js';
import { events } from './sse.js';
import { chosen, offerAgents } from './through.js';

const kept = 256 << 10; // characters of one body

/** startAMQP wires the panel of streams. */
export function startAMQP() {
  const feed = new Feed(find('amqp-feed'), 'Messages', 'message');
  const port = find('amqp-port');
  let running = null; // the AbortController of the stream

  offerAgents(find('amqp-through'));
  find('amqp-ssl').addEventListener('change', ({ target }) => {
    // The usual port of the other kind, unless the person chose an unusual one.
    if (port.value === (target.checked ? '5672' : '5671')) port.value = target.checked ? '5671' : '5672';
  });
  find('amqp-form').addEventListener('submit', (event) => {
    event.preventDefault();
    if (running) running.abort();
    else run();
  });

  async function run() {
    clear(find('amqp-notice'));
    running = new AbortController();
    state('opening', 'Asking the broker…');
    try {
      const trouble = await stream(readWish(), running.signal, feed, (node, queue) => {
        state('open', `Streaming through ${node} from the queue ${queue}.`);
      });
      complain(find('amqp-notice'), trouble);
      state('closed', 'The stream has ended.');
    } catch (error) {
      if (!running.signal.aborted) complain(find('amqp-notice'), troubleOf(error));
      state('closed', running.signal.aborted ? 'Stopped. The queue is gone.' : 'Not streaming.');
    } finally {
      running = null;
    }
  }

  function state(now, sentence) {
    find('amqp-status').textContent = sentence;
    find('amqp-status').dataset.state = now;
    find('amqp-start').textContent = now === 'closed' ? 'Start streaming' : 'Stop';
    find('amqp-start').classList.toggle('primary', now === 'closed');
    find('amqp-fields').disabled = now !== 'closed';
  }
  state('closed', 'Not streaming.');
}

function readWish() {
  const text = (id) => find(id).value.trim();
  const wish = {
    host: text('amqp-host'),
    port: find('amqp-port').valueAsNumber,
    ssl: find('amqp-ssl').checked,
    virtual_host: find('amqp-vhost').value || '/',
    username: find('amqp-username').value,
    password: find('amqp-password').value,
    exchange: find('amqp-exchange').value,
    routing_key: find('amqp-key').value,
    ...chosen(find('amqp-through')),
  };
  if (text('amqp-prefix')) wish.queue_prefix = text('amqp-prefix');
  const heartbeat = find('amqp-heartbeat').valueAsNumber;
  if (!Number.isNaN(heartbeat)) wish.heartbeat = heartbeat;
  return wish;
}

// stream reads one stream to its end and returns why it ended, or throws what
// kept it from beginning.
async function stream(wish, signal, feed, connected) {
  const response = await call('amqp', {
    method: 'POST', signal, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(wish),
  });
  try {
    for await (const { type, data } of events(response)) {
      const event = JSON.parse(data);
      if (type === 'connected') connected(event.node_id, event.queue_name);
      else if (type === 'message') feed.push(row(event));
      else if (type === 'error') return { code: event.code, text: event.message };
    }
  } catch (error) {
    if (signal.aborted) throw error;
    return { code: 1006 }; // the connection broke
  }
  return { code: 1006 }; // a stream that ends well ends with an event
}

/** row makes a row of a message, as docs/amqp.md describes it. */
function row(message) {
  const { body, body_encoding: encoding, body_omitted: absent, body_size: fullSize, ...properties } = message;
  const bytes = absent ? fullSize : encoding ? Math.floor((body.replace(/=+$/, '').length * 3) / 4) : utf8Length(body);
  const text = excerpt(body, kept);
  const omitted = body.length - text.length;
  let preview = text.slice(0, 300).replace(/\s+/g, ' ');
  if (absent) preview = 'Too large for the gateway to pass on';
  else if (encoding) preview = `Not text; base64: ${preview}`;
  return {
    way: 'in',
    kind: message.routing_key || '(no key)',
    label: size(bytes),
    preview,
    weight: 3 * text.length,
    search: `${message.routing_key} ${text}`.toLowerCase(),
    detail: () => detail(text, omitted, encoding, absent, properties),
  };
}

function detail(text, omitted, encoding, absent, properties) {
  const facts = make('dl', { class: 'facts' });
  for (const [name, value] of Object.entries(properties)) {
    if (value === '' || value === null) continue;
    facts.append(make('dt', {}, name.replaceAll('_', ' ')), make('dd', {}, typeof value === 'object' ? JSON.stringify(value) : String(value)));
  }
  const all = make('div', {}, facts);
  if (absent) return all;
  if (encoding === 'base64') {
    const bytes = fromBase64(text.slice(0, 16 << 10)); // whole groups of four
    all.append(
      make('p', { class: 'quiet' }, 'The body is not UTF-8 text, so the gateway sent it in base64. These are its bytes.'),
      make('pre', { tabindex: 0 }, hexDump(bytes)),
    );
  } else {
    all.append(make('pre', { tabindex: 0 }, indent(text) ?? text));
  }
  if (omitted) all.append(make('p', { class: 'quiet' }, `${count(omitted, 'character')} more, not kept by this page.`));
  return all;
}
