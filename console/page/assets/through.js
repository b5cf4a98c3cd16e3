// Through which agent: a list of countries and agents, kept as the network is.

import { make } from './dom.js';
import { count, country } from './format.js';

const lists = [];
let drawn = ''; // what the lists offer now

/** offerAgents makes a select one of those that offer the agents. */
export function offerAgents(select) {
  lists.push(select);
}

/**
 * agentsAre fills the lists. A choice that is gone stays in its list, and says
 * so: a pinned agent is never silently replaced.
 *
 * @param {{slug: string, country: string}[]} agents
 */
export function agentsAre(agents) {
  const now = JSON.stringify(agents.map(({ slug, country: code }) => [slug, code]));
  if (now === drawn) return;
  drawn = now;
  const countries = grouped(agents);
  for (const select of lists) {
    const chosen = select.value;
    select.replaceChildren(make('option', { value: '' }, 'Any agent'));
    const inCountries = [...countries].sort(([a], [b]) => country(a).localeCompare(country(b)))
      .map(([code, here]) => make('option', { value: `geo:${code}` }, `${code} · ${country(code)} (${count(here.length, 'agent')})`));
    const byName = agents.map((a) => make('option', { value: `agent:${a.slug}` }, `${a.slug} · ${a.country}`));
    if (inCountries.length) select.append(make('optgroup', { label: 'A country' }, ...inCountries));
    if (byName.length) select.append(make('optgroup', { label: 'One agent' }, ...byName));
    if (chosen && ![...select.options].some((option) => option.value === chosen)) {
      select.append(make('option', { value: chosen }, `${chosen.replace(/^\w+:/, '')} (not attached)`));
    }
    select.value = chosen;
  }
}

function grouped(agents) {
  const groups = new Map();
  for (const a of agents) groups.set(a.country, [...(groups.get(a.country) ?? []), a]);
  return groups;
}

/** chosen returns the fields of a request that say through whom it goes. */
export function chosen(select) {
  const [field, value] = select.value.split(/:(.*)/s);
  return value ? { [field]: value } : {};
}
