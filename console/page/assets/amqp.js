// A stream of a RabbitMQ queue. The answer to the POST is the stream; ending the
// request ends it, and a queue of its own with it.

import { excerpt, fromBase64, utf8Length } from './bytes.js';
import { codeButton } from './code.js';
import { find, make } from './dom.js';
import { exitOf } from './exits.js';
import { Feed } from './feed.js';
import { size } from './format.js';
import { call, gaveUp, isSilence } from './gateway.js';
import { targets } from './history.js';
import { clear, complain, Mistake, needed, object, troubleOf } from './notice.js';
import { showPulse, watchPulse } from './pulse.js';
import { Rate } from './rate.js';
import { jsonLines } from './save.js';
import * as snippets from './snippets.js';
import { events } from './sse.js';
import { offerAgents } from './through.js';
import { body as showBody } from './views.js';

const kept = 256 << 10; // characters of one body

/** startAMQP wires the panel of streams. */
export function startAMQP() {
  const feed = new Feed(find('amqp-feed'), 'Messages', 'message',
    [{ name: 'JSON lines', file: 'messages.jsonl', type: 'application/jsonl', text: jsonLines }]);
  const rate = new Rate(find('amqp-rate'), 'message');
  const port = find('amqp-port');
  const source = find('amqp-source');
  const remember = targets(find('amqp-host'));
  let running = null; // the AbortController of the stream

  offerAgents(find('amqp-through'));
  find('amqp-ssl').addEventListener('change', ({ target }) => {
    // The usual port of the other kind, unless the person chose an unusual one.
    if (port.value === (target.checked ? '5672' : '5671')) port.value = target.checked ? '5671' : '5672';
  });
  source.addEventListener('change', showSource);
  showSource();
  find('amqp-form').addEventListener('submit', (event) => {
    event.preventDefault();
    if (running) running.abort();
    else run();
  });
  codeButton(find('amqp-code'), find('amqp-notice'), () => {
    const request = readForm();
    return { kind: 'amqp', target: `${request.host.includes(':') ? `[${request.host}]` : request.host}:${request.port}`, snippets: (gateway) => snippets.amqp(gateway, request) };
  });

  function showSource() {
    find('amqp-own').hidden = source.value !== 'own';
    find('amqp-existing').hidden = source.value === 'own';
  }

  async function run() {
    clear(find('amqp-notice'));
    let request;
    try {
      request = readForm();
    } catch (error) {
      object(find('amqp-notice'), error);
      return;
    }
    remember(request.host);
    const own = request.queue === undefined;
    const mine = running = new AbortController();
    let begun = false;
    const unwatch = watchPulse((silent) => {
      if (begun) showPulse(find('amqp-status'), silent);
      else if (silent) mine.abort(gaveUp());
    });
    state('opening', 'Asking the broker…');
    try {
      const trouble = await stream(request, mine.signal, {
        connected: (node, queue) => {
          begun = true;
          state('open', `Streaming through ${node} from the queue ${queue}.`);
          rate.start();
        },
        message: (message, id) => {
          const bytes = bodySize(message);
          rate.add(bytes);
          feed.push(row(message, bytes, own ? '' : id));
        },
      });
      complain(find('amqp-notice'), trouble);
      state('closed', 'The stream has ended.');
    } catch (error) {
      const byPerson = mine.signal.aborted && !isSilence(mine.signal);
      if (!byPerson) complain(find('amqp-notice'), isSilence(mine.signal) ? { status: 0, text: '' } : troubleOf(error));
      const stopped = own ? 'Stopped. The queue is gone.' : 'Stopped. The queue is as it was.';
      state('closed', byPerson ? stopped : 'Not streaming.');
    } finally {
      unwatch();
      running = null;
      rate.stop();
    }
  }

  function state(now, sentence) {
    const { host, port: at } = { host: find('amqp-host').value, port: port.value };
    find('amqp-status').textContent = sentence;
    find('amqp-status').dataset.state = now;
    showPulse(find('amqp-status'), false);
    find('amqp-start').textContent = now === 'closed' ? 'Start streaming' : 'Stop';
    find('amqp-start').classList.toggle('primary', now === 'closed');
    find('amqp-fields').disabled = now !== 'closed';
    find('amqp-fields').hidden = now === 'open';
    find('amqp-target').hidden = now !== 'open';
    find('amqp-target').textContent = `${host}:${at}`;
    find('amqp').dataset.live = String(now === 'open');
    if (now === 'open' && document.activeElement === document.body) find('amqp-start').focus(); // where Enter was pressed is gone
  }
  state('closed', 'Not streaming.');
}

// readForm makes the body of the request. What is left empty is left out, so that
// the gateway's own defaults hold; other mistakes in a field are the gateway's to
// name.
function readForm() {
  const text = (id) => find(id).value.trim();
  const request = {
    host: needed('amqp-host', 'Enter the broker to read from.', 'Its host alone, such as broker.example.com.'),
    port: Number(needed('amqp-port', 'Enter the broker’s port.', 'Most have 5672, and 5671 for TLS.')),
    ssl: find('amqp-ssl').checked,
    virtual_host: find('amqp-vhost').value || '/',
    username: find('amqp-username').value,
    password: find('amqp-password').value,
    ...exitOf('amqp'),
  };
  const add = (name, value) => {
    if (value !== '' && !Number.isNaN(value)) request[name] = value;
  };
  if (find('amqp-source').value === 'own') {
    const keys = find('amqp-key').value.split('\n').map((key) => key.trim()).filter(Boolean);
    request.exchange = find('amqp-exchange').value;
    if (keys.length) request.routing_key = keys.length > 1 ? keys : keys[0];
    if (text('amqp-bindings')) request.bindings = bindings(text('amqp-bindings'));
    add('queue_prefix', text('amqp-prefix'));
  } else {
    request.queue = needed('amqp-queue', 'Enter the name of the queue.');
    add('offset', text('amqp-offset'));
  }
  add('heartbeat', find('amqp-heartbeat').valueAsNumber);
  add('prefetch', find('amqp-prefetch').valueAsNumber);
  if (request.ssl) {
    add('server_name', text('amqp-server-name'));
    add('ca', text('amqp-ca'));
    add('cert', text('amqp-cert'));
    add('cert_key', text('amqp-cert-key'));
  }
  return request;
}

function bindings(text) {
  try {
    return JSON.parse(text);
  } catch {
    throw new Mistake('The further bindings are not JSON.', 'amqp-bindings');
  }
}

// stream reads one stream to its end and returns why it ended, or throws what
// kept it from beginning.
async function stream(request, signal, on) {
  const response = await call('amqp', {
    method: 'POST', signal, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(request),
  });
  try {
    for await (const { type, data, id } of events(response)) {
      const event = JSON.parse(data);
      if (type === 'connected') on.connected(event.node_id, event.queue_name);
      else if (type === 'message') on.message(event, id);
      else if (type === 'error') return { code: event.code, text: event.message };
    }
  } catch (error) {
    if (signal.aborted) throw error;
    return { code: 1006 }; // the connection broke
  }
  return { code: 1006 }; // a stream that ends well ends with an event
}

// bodySize returns how many bytes a message had at the broker.
function bodySize({ body, body_encoding: encoding, body_omitted: absent, body_size: fullSize }) {
  if (absent) return fullSize;
  return encoding ? Math.floor((body.replace(/=+$/, '').length * 3) / 4) : utf8Length(body);
}

/** row makes a row of a message, as docs/amqp.md describes it. */
function row(message, bytes, id) {
  const { body, body_encoding: encoding, body_omitted: absent, body_size: fullSize, ...properties } = message;
  if (id && properties.headers?.['x-stream-offset'] !== undefined) properties.offset = id; // of a stream queue
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
    line: () => ({
      ...properties, body: text, ...(encoding && { body_encoding: encoding }), ...(omitted && { omitted }), ...(absent && { body_omitted: true, body_size: fullSize }),
    }),
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
    all.append(
      make('p', { class: 'quiet' }, 'The body is not UTF-8 text, so the gateway sent it in base64. These are its bytes.'),
      showBody(fromBase64(text.slice(0, 16 << 10)), Math.floor((omitted * 3) / 4)), // whole groups of four
    );
  } else {
    all.append(showBody(text, omitted));
  }
  return all;
}
