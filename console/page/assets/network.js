// The agents, the person's own sessions and usage, fresh for as long as someone
// looks, and grey when the gateway has fallen silent.

import { find, make } from './dom.js';
import { count, country, milliseconds, size } from './format.js';
import { read } from './gateway.js';
import { clear, complain, troubleOf } from './notice.js';
import { showSessions } from './sessions.js';
import { agentsAre } from './through.js';
import { tryThrough } from './try.js';

const pause = 3000; // between two looks, each of which counts as three requests
const silence = 5000; // after which the gateway counts as silent

const states = {
  available: 'Available',
  limited: 'Limited: failed lately',
  unavailable: 'Unavailable: fails again and again',
  recovering: 'Recovering',
  draining: 'Draining: takes nothing new',
};

let watching = false; // whether the panel is the one that is shown
let timer;
let asking = null; // the AbortController of the look under way
let heard = null; // when the gateway answered last
const tried = new Map(); // by slug: what the last try came to

/** watchNetwork begins or ends looking, as its panel is shown or not. */
export function watchNetwork(shown) {
  watching = shown;
  look();
}

/** startNetwork wires the panel. A page that nobody sees asks nothing. */
export function startNetwork() {
  document.addEventListener('visibilitychange', look);
  find('network-refresh').addEventListener('click', look);
}

/** lookOnce fetches the agents for the lists of the other panels. */
export async function lookOnce() {
  try {
    agentsAre(await agents());
  } catch {
    agentsAre([]); // “Any agent” is still right; the panel itself says what is wrong
  }
}

async function agents(signal) {
  return (await read('network', { signal })).agents;
}

async function look() {
  clearTimeout(timer);
  asking?.abort();
  if (!watching || document.hidden) return;
  const mine = asking = new AbortController();
  const signal = AbortSignal.any([mine.signal, AbortSignal.timeout(silence)]);
  const [network, usage, sessions] = await Promise.allSettled([agents(signal), read('usage', { signal }), showSessions(signal, look)]);
  if (mine.signal.aborted) return;
  if (network.status === 'fulfilled') {
    agentsAre(network.value);
    drawAgents(network.value);
  }
  if (usage.status === 'fulfilled') drawUsage(usage.value);
  const failed = [network, usage, sessions].find(({ status }) => status === 'rejected');
  if (failed) complain(find('network-notice'), troubleOf(failed.reason));
  else clear(find('network-notice'));
  if (!failed) heard = new Date();
  // What is shown was true once, and may not be now.
  const silent = failed?.reason.status === 0;
  find('network').classList.toggle('stale', silent);
  if (heard) find('network-fresh').textContent = `${silent ? 'Last answer at' : 'As of'} ${heard.toLocaleTimeString()}`;
  timer = setTimeout(look, pause);
}

function drawAgents(list) {
  find('network-empty').hidden = list.length > 0;
  find('network-table').hidden = list.length === 0;
  find('network-count').textContent = list.length ? count(list.length, 'agent') : '';
  const focused = document.activeElement?.closest('#network-rows') && document.activeElement.dataset.agent;
  find('network-rows').replaceChildren(...list.map((agent) => make('tr', {},
    make('th', { scope: 'row' }, agent.slug, make('span', { class: 'quiet' }, ` ${agent.id}`)),
    cell('Country', `${agent.country} · ${country(agent.country)}`),
    cell('State', make('span', { class: `pill ${agent.state}`, title: states[agent.state] ?? '' }, agent.state)),
    cell('Sessions', String(agent.sessions)),
    cell('Round trip', agent.rtt_ms > 0 ? milliseconds(agent.rtt_ms) : 'in process'),
    cell('Exit', agent.exit_ip || '—'),
    cell('Links', make('span', { title: 'The gateways that hold a link of this agent' }, (agent.gateways ?? []).join(', ') || '—')),
    cell('Version', agent.version || '—'),
    cell('Try', tryButton(agent.slug)),
  )));
  if (focused) find('network-rows').querySelector(`[data-agent="${CSS.escape(focused)}"]`)?.focus();
}

// On a phone the table becomes cards, whose cells bear their column's name.
function cell(column, content) {
  return make('td', { 'data-column': column }, content);
}

// The table is drawn anew while a try runs, so its outcome is kept beside it.
function tryButton(slug) {
  const result = tried.get(slug) ?? '';
  const button = make('button', { type: 'button', class: 'small', 'aria-label': `Try ${slug}`, 'data-agent': slug }, 'Try');
  const said = make('span', { class: 'quiet' }, result);
  button.addEventListener('click', async () => {
    const say = (text) => {
      tried.set(slug, text);
      const now = find('network-rows').querySelector(`[data-agent="${CSS.escape(slug)}"]`);
      if (now) now.nextElementSibling.textContent = text;
      find('network-tried').textContent = `${slug}: ${text}`;
    };
    say('…');
    try {
      const { connect, echo } = await tryThrough(slug);
      say(`${milliseconds(echo)} echo, ${milliseconds(connect)} to connect`);
    } catch (trouble) {
      say(trouble.waited ? `no answer in ${trouble.waited} s` : 'failed');
      complain(find('network-notice'), trouble);
    }
  });
  return make('span', { class: 'try' }, button, said);
}

function drawUsage(usage) {
  const cards = [
    card('Relays', count(usage.relay.active, 'open', 'open'), total(usage.relay)),
    card('HTTP requests', count(usage.http.active, 'running', 'running'), total(usage.http)),
    card('Tunnels', count(usage.tunnel.active, 'open', 'open'), total(usage.tunnel)),
    card('AMQP streams', count(usage.amqp.active, 'open', 'open'), total(usage.amqp)),
    card('Crawls', count(usage.crawl.active, 'running', 'running'), total(usage.crawl)),
    card('Pages crawled', `${usage.pages.today ?? '?'} today`, usage.pages.limit === null ? '' : `of ${usage.pages.limit} a day`),
    card('Sent to targets', size(usage.bytes_to_target), 'running sessions included'),
    card('Received for you', size(usage.bytes_to_client), 'running sessions included'),
    left('Requests', usage.rate),
    left('HTTP requests and tunnels', usage.http_rate),
  ];
  if (usage.sites) {
    cards.splice(6, 0, card('Sites', `${usage.sites.count ?? '?'} kept up to date`, usage.sites.limit === null ? '' : `of at most ${usage.sites.limit}`));
  }
  find('usage-subject').textContent = usage.subject;
  find('usage-cards').replaceChildren(...cards);
}

function left(what, { burst, remaining, per_second: each, refused }) {
  return burst === null
    ? card(what, 'no limit', '')
    : card(`${what} left`, `${remaining} of ${burst}`, `${each} more each second${refused ? `; ${refused} refused` : ''}`);
}

function total({ total: all, limit }) {
  return `${all} in all${limit === null ? '' : `; at most ${limit} at a time`}`;
}

function card(name, value, detail) {
  return make('div', { class: 'stat' }, make('dt', {}, name), make('dd', {}, make('strong', {}, value), detail ? make('span', { class: 'quiet' }, detail) : ''));
}
