// The sites that the gateway keeps up to date for the person: when each is
// crawled again, what has changed in its file, and leaving.

import { differences } from './changes.js';
import { find, make, outward } from './dom.js';
import { count } from './format.js';
import { call, pathOf, read, request } from './gateway.js';
import { clear, complain, troubleOf } from './notice.js';
import { keepFile, lastFile } from './store.js';

const outcomes = { updated: ['available', 'updated'], unchanged: ['', 'unchanged'], failed: ['unavailable', 'failed'], '': ['', 'not yet'] };

let offered = true; // a host may not mount the endpoint
const asked = new Set(); // the sites whose Leave was clicked once, also when the list is drawn anew

/** showSites asks for the sites and draws them, if there are any. */
export async function showSites() {
  if (!offered) return;
  let sites;
  try {
    ({ sites } = await read('sites'));
  } catch (error) {
    offered = error.status !== 404;
    if (offered) complain(find('sites-notice'), troubleOf(error));
    return;
  }
  find('sites').hidden = sites.length === 0;
  find('sites-count').textContent = count(sites.length, 'site');
  find('sites-rows').replaceChildren(...sites.map(row));
}

function row(site) {
  const [tone, word] = outcomes[site.last_outcome] ?? ['', site.last_outcome];
  const changes = make('button', { type: 'button', class: 'small', 'aria-label': `Changes of ${site.base_url}`, disabled: !site.url }, 'Changes');
  const leave = make('button', { type: 'button', class: 'small', 'aria-label': `Leave ${site.base_url}`, 'data-leave': site.id }, asked.has(site.id) ? 'Leave for good?' : 'Leave');
  changes.addEventListener('click', () => act(changes, () => showChanges(site)));
  leave.addEventListener('click', () => {
    if (!asked.has(site.id)) {
      asked.add(site.id);
      leave.textContent = 'Leave for good?';
      setTimeout(() => {
        asked.delete(site.id);
        const button = find('sites-rows').querySelector(`[data-leave="${CSS.escape(String(site.id))}"]`);
        if (button) button.textContent = 'Leave';
      }, 5000);
      return;
    }
    act(leave, async () => {
      await call(`sites/${encodeURIComponent(site.id)}`, { method: 'DELETE' });
      await showSites();
    });
  });
  return make('li', { class: 'site' },
    make('div', { class: 'feed-bar' },
      make('strong', { class: 'total' }, outward(site.base_url)),
      make('span', { class: `pill ${tone}`, title: site.last_error ?? '' }, word), changes, leave),
    make('p', { class: 'quiet' }, times(site), ...(site.url ? [' ', outward(site.url, 'Hosted file')] : [])),
    make('div', { class: 'site-changes', 'data-site': site.id }),
  );
}

function times({ next_crawl_at: next, last_crawl_at: last, interval_minutes: every, last_error: error }) {
  const parts = [
    next ? `Next crawl ${when(next)}` : 'Resting: it is crawled again when you crawl it here or its webhook is called',
    `every ${span(every)}`,
    last ? `last ${when(last)}` : 'not crawled yet',
  ];
  return `${parts.join(', ')}.${error ? ` ${error}.` : ''}`;
}

const when = (at) => new Date(at).toLocaleString([], { dateStyle: 'medium', timeStyle: 'short' });

function span(minutes) {
  for (const [length, noun] of [[1440, 'day'], [60, 'hour']]) if (minutes % length === 0) return count(minutes / length, noun);
  return count(minutes, 'minute');
}

async function act(button, what) {
  clear(find('sites-notice'));
  button.disabled = true;
  try {
    await what();
  } catch (error) {
    complain(find('sites-notice'), troubleOf(error));
  } finally {
    button.disabled = false;
  }
}

// showChanges compares the hosted file with the one that this page saw last: of
// the crawl that was made here, or of the look before.
async function showChanges(site) {
  const text = await hosted(site.url);
  const before = lastFile(site.base_url);
  keepFile(site.base_url, text);
  const place = find('sites-rows').querySelector(`[data-site="${CSS.escape(String(site.id))}"]`);
  place.replaceChildren(before === null
    ? make('p', {}, 'This page has not seen the file before. It has now: what changes from here on will be shown.')
    : differences(before, text));
}

// hosted reads a file, elsewhere through an agent: the page's policy lets it
// connect to its own origin alone.
async function hosted(address) {
  const url = new URL(address);
  if (url.origin !== location.origin) {
    const response = await request(pathOf(address, {}), {});
    if (!response.ok) throw Object.assign(new Error(`the hosted file answered ${response.status}`), { status: response.status });
    return response.text();
  }
  return (await call(url.pathname + url.search)).text();
}
