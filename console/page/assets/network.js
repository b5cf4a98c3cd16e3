// The agents and the person's own usage, fresh for as long as someone looks.

import { find, make } from './dom.js';
import { count, country, milliseconds, size } from './format.js';
import { read } from './gateway.js';
import { clear, complain, troubleOf } from './notice.js';
import { agentsAre } from './through.js';

const pause = 3000; // between two looks, each of which counts as two requests

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
  const [network, usage] = await Promise.allSettled([agents(mine.signal), read('usage', { signal: mine.signal })]);
  if (mine.signal.aborted) return;
  if (network.status === 'fulfilled') {
    agentsAre(network.value);
    drawAgents(network.value);
  }
  if (usage.status === 'fulfilled') drawUsage(usage.value);
  const failed = [network, usage].find(({ status }) => status === 'rejected');
  if (failed) complain(find('network-notice'), troubleOf(failed.reason));
  else clear(find('network-notice'));
  if (!failed) find('network-fresh').textContent = `As of ${new Date().toLocaleTimeString()}`;
  timer = setTimeout(look, pause);
}

function drawAgents(list) {
  find('network-empty').hidden = list.length > 0;
  find('network-table').hidden = list.length === 0;
  find('network-count').textContent = list.length ? count(list.length, 'agent') : '';
  find('network-rows').replaceChildren(...list.map((agent) => make('tr', {},
    make('th', { scope: 'row' }, agent.slug, make('span', { class: 'quiet' }, ` ${agent.id}`)),
    cell('Country', `${agent.country} · ${country(agent.country)}`),
    cell('State', make('span', { class: `pill ${agent.state}`, title: states[agent.state] ?? '' }, agent.state)),
    cell('Sessions', String(agent.sessions)),
    cell('Round trip', agent.rtt_ms > 0 ? milliseconds(agent.rtt_ms) : 'in process'),
    cell('Exit', agent.exit_ip || '—'),
    cell('Version', agent.version || '—'),
  )));
}

// On a phone the table becomes cards, whose cells bear their column's name.
function cell(column, content) {
  return make('td', { 'data-column': column }, content);
}

function drawUsage(usage) {
  const { rate } = usage;
  const cards = [
    card('Relays', count(usage.relay.active, 'open', 'open'), total(usage.relay)),
    card('AMQP streams', count(usage.amqp.active, 'open', 'open'), total(usage.amqp)),
    card('Crawls', count(usage.crawl.active, 'running', 'running'), total(usage.crawl)),
    card('Pages crawled', `${usage.pages.today ?? '?'} today`, usage.pages.limit === null ? '' : `of ${usage.pages.limit} a day`),
    card('Sent to targets', size(usage.bytes_to_target), 'by sessions that have ended'),
    card('Received for you', size(usage.bytes_to_client), 'by sessions that have ended'),
    rate.burst === null
      ? card('Requests', 'no limit', '')
      : card('Requests left', `${rate.remaining} of ${rate.burst}`, `${rate.per_second} more each second${rate.refused ? `; ${rate.refused} refused` : ''}`),
  ];
  if (usage.sites) {
    cards.splice(4, 0, card('Sites', `${usage.sites.count ?? '?'} kept up to date`, usage.sites.limit === null ? '' : `of at most ${usage.sites.limit}`));
  }
  find('usage-subject').textContent = usage.subject;
  find('usage-cards').replaceChildren(...cards);
}

function total({ total: all, limit }) {
  return `${all} in all${limit === null ? '' : `; at most ${limit} at a time`}`;
}

function card(name, value, detail) {
  return make('div', { class: 'stat' }, make('dt', {}, name), make('dd', {}, make('strong', {}, value), detail ? make('span', { class: 'quiet' }, detail) : ''));
}
