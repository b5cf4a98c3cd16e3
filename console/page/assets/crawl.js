// A crawl: log messages with the progress, one result, the address of the
// hosted file, a close.

import { differences } from './changes.js';
import { codeButton, hostAndPort } from './code.js';
import { copyable, find, make, outward } from './dom.js';
import { exitOf } from './exits.js';
import { Feed } from './feed.js';
import { count, size } from './format.js';
import { gaveUp, socket, ticket } from './gateway.js';
import { targets, withoutPassword } from './history.js';
import { draw, parse } from './markdown.js';
import { clear, complain, Mistake, needed, object, troubleOf } from './notice.js';
import { showPulse, watchPulse } from './pulse.js';
import { jsonLines, save } from './save.js';
import { showSites } from './sites.js';
import * as snippets from './snippets.js';
import { keepFile, lastFile } from './store.js';
import { tabs } from './tabs.js';
import { offerAgents } from './through.js';

/** startCrawl wires the crawl's panel. */
export function startCrawl() {
  const feed = new Feed(find('crawl-feed'), 'Log', 'line',
    [{ name: 'JSON lines', file: 'crawl.jsonl', type: 'application/jsonl', text: jsonLines }]);
  const remember = targets(find('crawl-url'));
  let running = null; // has stop()
  let file = ''; // the result
  let outcomes = []; // of the pages, as they were told

  offerAgents(find('crawl-through'));
  const showView = tabs(find('crawl-views'));
  find('crawl-update').addEventListener('change', ({ target }) => { find('crawl-interval').hidden = !target.checked; });
  find('crawl-form').addEventListener('submit', (event) => {
    event.preventDefault();
    if (running) running.stop();
    else run();
  });
  find('crawl-download').addEventListener('click', () => save('llms.txt', 'text/plain', file));
  copyable(find('crawl-copy'), () => file);
  codeButton(find('crawl-code'), find('crawl-notice'), () => {
    const request = readRequest();
    if (request.enableAutoUpdate) throw new Mistake('A token keeps no site up to date.', 'crawl-update', 'Untick that, or write the program with your key.');
    return { kind: 'crawl', target: hostAndPort(request.url), snippets: (gateway) => snippets.crawl(gateway, request) };
  });

  function run() {
    clear(find('crawl-notice'));
    let request;
    try {
      request = readRequest();
    } catch (error) {
      object(find('crawl-notice'), error);
      return;
    }
    remember(request.url);
    feed.clear();
    file = '';
    outcomes = [];
    find('crawl-result').hidden = true;
    find('crawl-hosted').replaceChildren();
    progress(0, request.maxPages, 'Looking at the site…');
    state('running', 'Crawling.');
    running = crawl(request, {
      log({ content: text, url = '', reason = '' }) {
        const page = /^Crawling page (\d+)\/(\d+)/.exec(text);
        if (page) progress(Number(page[1]), Number(page[2]), `Page ${page[1]} of at most ${page[2]}`);
        if (url) outcomes.push({ url, reason, text });
        const preview = url && !text.includes(url) ? `${text} ${url}` : text;
        feed.push({
          way: 'note', kind: 'log', label: '', preview, links: true, weight: 2 * preview.length, search: preview.toLowerCase(), detail: null,
          line: () => ({ content: text, ...(url && { url }), ...(reason && { reason }) }),
        });
      },
      result(text, stats) {
        file = text;
        showResult(text, stats);
        showOutcomes(outcomes);
        showComparison(request.url, text);
        showView('crawl-rendered');
      },
      hosted: showHosted,
      beside: showFile,
      ended(trouble) {
        running = null;
        find('crawl-progress-line').hidden = true;
        state('idle', trouble ? 'The crawl did not finish.' : file ? 'Done.' : 'Stopped.');
        if (trouble) complain(find('crawl-notice'), trouble);
        if (request.enableAutoUpdate) showSites();
      },
    });
  }

  function state(now, sentence) {
    find('crawl-status').textContent = sentence;
    find('crawl-status').dataset.state = now === 'running' ? 'open' : 'closed';
    showPulse(find('crawl-status'), false);
    find('crawl-start').textContent = now === 'running' ? 'Stop' : 'Start crawling';
    find('crawl-start').classList.toggle('primary', now !== 'running');
    find('crawl-fields').disabled = now === 'running';
  }
  state('idle', 'Not crawling.');
}

function readRequest() {
  const url = needed('crawl-url', 'Enter the site to crawl.', 'For example https://docs.example.com/.');
  if (!/^https?:\/\//i.test(url)) throw new Mistake('A site begins with http:// or https://.', 'crawl-url', 'For example https://docs.example.com/.');
  const request = {
    url,
    maxPages: Number(needed('crawl-pages', 'Enter how many pages the file may have.')),
    descLength: Number(needed('crawl-length', 'Enter how long an excerpt may be.', '500 characters are usual.')),
    format: find('crawl-format').value,
    llmEnhance: find('crawl-model').checked,
    useBrightdata: find('crawl-browser').checked,
    full: find('crawl-full').checked,
    markdown: find('crawl-markdown').checked,
    ...exitOf('crawl'),
  };
  if (find('crawl-update').checked) {
    request.enableAutoUpdate = true;
    const every = Number(needed('crawl-every', 'Enter how often the site is crawled.'));
    request.recrawlIntervalMinutes = Math.max(1, Math.round(every * Number(find('crawl-unit').value)));
  }
  return request;
}

// crawl talks to the gateway from the ticket to the close. The ticket is used
// at once, so its five minutes do not end while the crawl runs.
function crawl(request, { log, result, hosted, beside, ended: tellEnd }) {
  const leaving = new AbortController();
  let ws;
  let begun = false;
  let over = false;
  const unwatch = watchPulse((silent) => {
    if (begun) showPulse(find('crawl-status'), silent);
    else if (silent) giveUp();
  });

  function ended(trouble) {
    if (over) return;
    over = true;
    unwatch();
    tellEnd(trouble);
  }

  // giveUp ends a crawl that does not begin, since the gateway is silent.
  function giveUp() {
    leaving.abort(gaveUp());
    ended({ status: 0, text: '' });
    ws?.close();
  }

  async function open() {
    ws = socket('ws/crawl', await ticket(leaving.signal));
    let refusal = '';
    ws.addEventListener('open', () => ws.send(JSON.stringify(request)));
    ws.addEventListener('message', ({ data }) => {
      begun = true;
      const message = JSON.parse(data);
      if (message.type === 'log') log(message);
      else if (message.type === 'result') result(message.content, message.stats);
      else if (message.type === 'url') hosted(message.content, message.base_url, message.webhook_secret);
      else if (message.type === 'file') beside(message.name, message.url);
      else if (message.type === 'error') {
        refusal = message.content;
        if (message.webhook_secret) hosted('', message.base_url, message.webhook_secret);
      }
    });
    ws.addEventListener('close', ({ code, reason }) => {
      ended(leaving.signal.aborted || code === 1000 ? null : { code, text: refusal || reason });
    });
  }
  open().catch((error) => ended(leaving.signal.aborted ? null : troubleOf(error)));

  return {
    stop() {
      leaving.abort();
      ws?.close(1000);
    },
  };
}

function progress(done, most, text) {
  find('crawl-progress-line').hidden = false;
  find('crawl-progress').max = most;
  find('crawl-progress').value = done;
  find('crawl-progress-text').textContent = text;
}

function showResult(text, stats) {
  find('crawl-result').hidden = false;
  find('crawl-rendered').replaceChildren(draw(parse(text), 2));
  find('crawl-source').replaceChildren(make('pre', { tabindex: 0, 'aria-label': 'The file as text' }, text));
  const facts = [size(new Blob([text]).size)];
  if (stats) {
    facts.unshift(count(stats.pages, 'page'), `${Math.max(0.1, stats.seconds).toFixed(1)} s`);
    if (stats.limited) facts.push('stopped at its limit, with pages left');
    if (stats.timed_out) facts.push('stopped when its time was over');
  }
  find('crawl-facts').textContent = facts.join(' · ');
}

// showOutcomes lists what became of each page: those that are in the file, and
// those that are not, with the reason.
function showOutcomes(outcomes) {
  const left = outcomes.filter(({ reason }) => reason);
  find('view-pages').textContent = `Pages (${outcomes.length})`;
  find('crawl-outcomes').replaceChildren(
    make('p', { class: 'quiet' }, left.length ? `${count(outcomes.length - left.length, 'page')} in the file, ${left.length} left out.` : 'Every page that was asked for is in the file.'),
    make('ul', { class: 'plain-list outcomes' }, ...outcomes.map(({ url, reason, text }) => make('li', {},
      make('span', { class: `pill ${reason ? 'limited' : 'available'}` }, reason || 'in the file'), ' ', outward(url),
      ...(reason ? [make('span', { class: 'quiet' }, ` ${text.slice(text.lastIndexOf(': ') + 2)}`)] : [])))),
  );
}

// showComparison compares the file with the last one of the same site and layout
// that this page has seen.
function showComparison(address, text) {
  const bare = withoutPassword(address);
  const site = URL.canParse(bare) ? new URL(bare).href : bare;
  const before = lastFile(site);
  keepFile(site, text);
  find('crawl-changes').replaceChildren(before !== null && isIndex(before) === isIndex(text)
    ? differences(before, text)
    : make('p', { class: 'quiet' }, 'This is the first file of this site that this page has seen. Crawl it again, and the two are compared.'));
}

const isIndex = (text) => /^- \[/m.test(text) && !/^## .*\n\n> https?:/m.test(text);

// The secret is sent once, when a site is enrolled, and the page does not keep
// it either: whoever crawls again or leaves has it only where they put it.
function showHosted(address, site, secret) {
  const hosted = find('crawl-hosted');
  hosted.replaceChildren(...(address ? [fact('Hosted at', outward(address), address)] : []));
  if (secret) {
    hosted.append(
      fact('Webhook secret', make('code', { class: 'secret' }, secret), secret),
      make('p', { class: 'quiet' }, 'Copy the secret now: it is shown this once. With it and the base URL ', make('code', {}, site),
        ' whoever publishes the site can ask for a new crawl at ', make('code', {}, 'POST /hooks/site-changed'), '.'),
    );
  } else if (site) {
    hosted.append(make('p', { class: 'quiet' }, 'This site is kept up to date. Its webhook secret was shown when it was enrolled.'));
  }
}

// showFile adds a file beside llms.txt. Those of single pages stand in a list that
// can be opened: there may be a thousand of them.
function showFile(name, address) {
  const hosted = find('crawl-hosted');
  if (!name.endsWith('.md')) {
    hosted.append(fact(name, outward(address), address));
    return;
  }
  let list = hosted.querySelector('details.files ul');
  if (!list) {
    list = make('ul');
    hosted.append(make('details', { class: 'files' }, make('summary'), list));
  }
  list.append(make('li', {}, outward(address, name)));
  list.previousSibling.textContent = count(list.children.length, 'Markdown file');
}

function fact(name, value, text) {
  const button = make('button', { type: 'button', class: 'small', 'aria-label': `Copy ${name.toLowerCase()}` }, 'Copy');
  copyable(button, () => text);
  return make('p', { class: 'copy-line' }, make('span', { class: 'quiet' }, name), value, button);
}
