// Reads one stream with each of three parsers and prints what it sees.
import { createRequire } from 'node:module';
const require = createRequire(process.env.NODE_PATH + '/');
const { createParser } = require('eventsource-parser');
const { EventSource } = require('eventsource');

const [which, url, body] = process.argv.slice(2);
const request = {
  method: 'POST', body,
  headers: { 'Content-Type': 'application/json', 'X-API-Key': 'test-key-0123456789abcdef' },
};
const show = (name, id, data) => console.log(JSON.stringify([name, id, JSON.parse(data)]));

if (which === 'eventsource') {
  const es = new EventSource(url, { fetch: (u, init) => fetch(u, { ...init, ...request, headers: { ...init.headers, ...request.headers } }) });
  for (const name of ['connected', 'message', 'error']) {
    es.addEventListener(name, (e) => {
      if (e.data === undefined) return; // the connection's own errors
      show(name, e.lastEventId, e.data);
      if (name === 'error') es.close();
    });
  }
} else {
  const resp = await fetch(url, request);
  const parser = createParser({ onEvent: (e) => show(e.event, e.id ?? '', e.data) });
  const text = new TextDecoder();
  for await (const chunk of resp.body) parser.feed(text.decode(chunk, { stream: true }));
}
