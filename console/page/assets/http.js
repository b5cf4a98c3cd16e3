// An HTTP request through an exit, in the path form, and its answer: status,
// headers, times and body, which is shown as it comes.

import { codeButton, hostAndPort } from './code.js';
import { find, make, outward } from './dom.js';
import { exitOf, headersOf } from './exits.js';
import { count, milliseconds, size } from './format.js';
import { gaveUp, isSilence, pathOf, request as send } from './gateway.js';
import { targets } from './history.js';
import { clear, complain, Mistake, needed, object, troubleOf } from './notice.js';
import { showPulse, watchPulse } from './pulse.js';
import { save } from './save.js';
import * as snippets from './snippets.js';
import { tabs } from './tabs.js';
import { offerAgents } from './through.js';
import { body as showBody } from './views.js';

const kept = 2 << 20; // bytes of a body
const pace = 250; // milliseconds between two looks at a body that grows

// What a page cannot set, because the browser sets it (the Fetch standard, section
// 2.2.2), and what the gateway does not send on for a browser.
const forbidden = /^(accept-(charset|encoding)|access-control-request-.*|connection|content-length|cookie2?|date|dnt|expect|host|keep-alive|origin|referer|set-cookie|te|trailer|transfer-encoding|upgrade|via|proxy-.*|sec-.*)$/i;

/** startHTTP wires the panel of requests. */
export function startHTTP() {
  const remember = targets(find('http-url'));
  const method = find('http-method');
  let running = null; // the AbortController of the request
  let answered = null; // {bytes, name} of the answer that is shown

  offerAgents(find('http-through'));
  const showView = tabs(find('http-views'));
  showView('http-body');
  method.addEventListener('change', showBodyField);
  showBodyField();
  find('http-echo').addEventListener('click', () => {
    find('http-url').value = 'http://echo.farwire.alt/';
    find('http-url').focus();
  });
  find('http-form').addEventListener('submit', (event) => {
    event.preventDefault();
    if (running) running.abort();
    else run();
  });
  find('http-download').addEventListener('click', () => { if (answered) save(answered.name, 'application/octet-stream', answered.bytes); });
  codeButton(find('http-code'), find('http-notice'), () => {
    const asked = readForm();
    return { kind: 'http', target: hostAndPort(asked.url), snippets: (gateway) => snippets.http(gateway, asked) };
  });

  // keep holds what of a body can be downloaded; null: nothing is to be seen of an answer.
  function keep(answer) {
    answered = answer;
    find('http-download').hidden = !answer;
    if (answer) return;
    find('http-answer').hidden = true;
    find('http-empty').hidden = false;
    find('http-code-line').replaceChildren();
  }
  keep(null);

  function showBodyField() {
    find('http-sends').hidden = /^(GET|HEAD)$/.test(method.value);
  }

  async function run() {
    clear(find('http-notice'));
    let asked;
    try {
      asked = readForm();
      for (const name of Object.keys(asked.headers)) judge(name, asked.headers[name]);
    } catch (error) {
      object(find('http-notice'), error);
      return;
    }
    remember(asked.url);
    const mine = running = new AbortController();
    state('opening', 'Waiting for the answer…');
    let begun = false; // then what has come of it stays
    const unwatch = watchPulse((silent) => {
      if (begun) showPulse(find('http-status'), silent);
      else if (silent) mine.abort(gaveUp());
    });
    try {
      await exchange(asked, mine.signal, () => {
        begun = true;
        find('http-download').hidden = true;
        state('open', 'Receiving…');
      }, keep);
      state('closed', 'Done.');
    } catch (error) {
      if (!begun) keep(null); // the last answer is not this one's
      const byPerson = mine.signal.aborted && !isSilence(mine.signal);
      if (!byPerson) complain(find('http-notice'), begun ? { text: '', brokenOff: true } : troubleOf(error));
      state('closed', byPerson ? 'Stopped.' : begun ? 'The answer is not whole.' : 'There is no answer.');
    } finally {
      unwatch();
      running = null;
    }
  }

  function state(now, sentence) {
    find('http-status').textContent = sentence;
    find('http-status').dataset.state = now;
    showPulse(find('http-status'), false);
    find('http-send').textContent = now === 'closed' ? 'Send' : 'Stop';
    find('http-send').classList.toggle('primary', now === 'closed');
    find('http-fields').disabled = now !== 'closed';
  }
  state('closed', 'Nothing sent yet.');
}

function readForm() {
  const url = needed('http-url', 'Enter the address to ask.', 'For example https://api.example.com/v1/items.');
  if (!/^https?:\/\//i.test(url) || !URL.canParse(url)) throw new Mistake('An address begins with http:// or https://.', 'http-url');
  if (new URL(url).username || new URL(url).password) {
    throw new Mistake('An address with a password is not sent.', 'http-url', 'Put what the target wants to see into a header.');
  }
  const options = exitOf('http');
  const timeout = find('http-timeout').valueAsNumber;
  if (timeout > 0) options.timeout = timeout;
  const method = find('http-method').value;
  const text = find('http-text').value;
  const headers = headersOf('http-headers') ?? {};
  const body = /^(GET|HEAD)$/.test(method) || text === '' ? null : text;
  if (body !== null && !Object.keys(headers).some((name) => /^content-type$/i.test(name))) headers['Content-Type'] = typeOf(body);
  return { url, method, path: pathOf(url, options), headers, body };
}

function typeOf(text) {
  try {
    JSON.parse(text);
    return 'application/json';
  } catch {
    return 'text/plain;charset=utf-8';
  }
}

// judge throws where a header would not be sent, because nothing would say so.
function judge(name, value) {
  const advice = '“Copy as” makes a program of it that can.';
  if (forbidden.test(name)) throw new Mistake(`A browser lets no page send the header ${name}.`, 'http-headers', advice);
  if (/^x-api-key$/i.test(name)) throw new Mistake('X-API-Key is the header in which this page shows your own key.', 'http-headers');
  if (/^authorization$/i.test(name) && /^basic /i.test(value)) {
    throw new Mistake('The gateway sends no Basic password of a browser on.', 'http-headers', advice);
  }
}

// exchange sends and shows what comes. Once an answer begins it calls receiving, and at its
// end, however it ends, keep with as much of the body as was kept.
async function exchange({ url, method, path, headers, body }, signal, receiving, keep) {
  const begun = performance.now();
  const response = await send(path, { method, headers, body, signal });
  const first = performance.now() - begun;
  receiving();
  find('http-empty').hidden = true;
  find('http-answer').hidden = false;
  if (matchMedia('(max-width: 60rem)').matches) find('http-answer-title').scrollIntoView(); // it is below the form there
  showHead(response, url);
  const type = response.headers.get('Content-Type') ?? '';
  const chunks = [];
  let all = 0;
  let have = 0;
  let drawn = begun;
  let timer = 0;
  const show = (ended) => {
    showTimes(first, ended ? performance.now() - begun : null, all);
    find('http-body').replaceChildren(bodyOf(join(chunks, have), type, all - have));
    drawn = performance.now();
    clearTimeout(timer);
    timer = 0;
  };
  show(false);
  const reader = response.body?.getReader();
  try {
    while (reader) {
      const { value, done } = await reader.read();
      if (done) break;
      all += value.length;
      const part = value.subarray(0, Math.max(0, kept - have));
      if (part.length) chunks.push(part);
      have += part.length;
      timer ||= setTimeout(show, Math.max(0, drawn + pace - performance.now()), false);
    }
  } finally {
    show(true);
    keep({ bytes: join(chunks, have), name: new URL(url).pathname.split('/').pop() || 'answer' });
  }
}

function join(chunks, length) {
  const all = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}

function bodyOf(bytes, type, omitted) {
  if (bytes.length === 0) return make('p', { class: 'quiet' }, 'The body is empty.');
  const charset = /charset="?([\w-]+)/i.exec(type)?.[1] ?? 'utf-8';
  let data = bytes;
  try {
    data = new TextDecoder(charset, { fatal: omitted === 0 }).decode(bytes);
    if (data.includes('\0')) data = bytes;
  } catch {
    // No text of that kind, or of no kind that is known: bytes.
  }
  const shown = make('div', {}, showBody(typeof data === 'string' ? data : data.subarray(0, 64 << 10)));
  const hidden = typeof data === 'string' ? 0 : Math.max(0, bytes.length - (64 << 10));
  if (omitted + hidden) shown.append(make('p', { class: 'quiet' }, `${count(omitted + hidden, 'byte')} more, not shown.`));
  return shown;
}

function showHead(response, url) {
  const { status, statusText, headers } = response;
  const tone = status < 300 ? 'available' : status < 400 ? 'limited' : 'unavailable';
  find('http-code-line').replaceChildren(make('span', { class: `pill ${tone}` }, `${status} ${statusText}`.trim()), ' ',
    `through ${headers.get('X-Farwire-Node') ?? 'an agent'}`);
  const at = response.redirected ? targetOf(response.url) : '';
  find('http-moved').replaceChildren(...(at && at !== url ? ['Redirected to ', outward(at)] : []));
  const list = [...headers].filter(([name]) => !/^x-farwire-/.test(name));
  find('http-headers-count').textContent = `Headers (${list.length})`;
  find('http-head').replaceChildren(make('dl', { class: 'facts' },
    ...list.flatMap(([name, value]) => [make('dt', {}, name), make('dd', {}, value)])),
  make('p', { class: 'quiet' }, 'As the gateway passes them on to a browser: policies of the target’s are replaced, and cookies are kept from pages.'));
}

// targetOf takes an address out of the path form.
function targetOf(address) {
  const [, scheme, rest] = /^\/to\/[^/]*\/(https?)\/(.*)$/.exec(address.slice(new URL(address).origin.length)) ?? [];
  return scheme ? `${scheme}://${rest}` : '';
}

function showTimes(first, whole, bytes) {
  const stat = (name, value) => make('div', { class: 'stat' }, make('dt', {}, name), make('dd', {}, make('strong', {}, value)));
  find('http-times').replaceChildren(
    stat('First byte after', milliseconds(first)),
    stat('Whole after', whole === null ? '…' : milliseconds(whole)),
    stat('Body', size(bytes)),
  );
}
