// Which exit a request leaves through: the two fields that every form has.

import { find } from './dom.js';
import { Mistake } from './notice.js';
import { chosen } from './through.js';

/**
 * exitOf reads the fields of a form: the country or the agent, and the sticky
 * session.
 *
 * @param {string} form the beginning of the fields' ids, such as relay
 * @returns {{geo?: string, agent?: string, session?: string}}
 */
export function exitOf(form) {
  const exit = chosen(find(`${form}-through`));
  const session = find(`${form}-session`).value.trim();
  if (!session) return exit;
  if (!/^[A-Za-z0-9._-]{1,64}$/.test(session)) {
    throw new Mistake('A session is a name of up to 64 letters, digits, dots, dashes and underscores.', `${form}-session`);
  }
  return { ...exit, session };
}

/**
 * headersOf reads the lines of a field as headers, in their order.
 *
 * @param {string} field
 * @returns {Record<string, string> | undefined} undefined for a field without values
 */
export function headersOf(field) {
  const lines = find(field).value.split('\n').map((line) => line.trim()).filter(Boolean);
  if (!lines.length) return undefined;
  const headers = {};
  for (const line of lines) {
    const [, name, value] = /^([^:\s]+)\s*:\s*(.*)$/.exec(line) ?? [];
    if (!name) throw new Mistake(`“${line}” is not a valid header. Write each on a line of its own, as Name: value.`, field);
    if (Object.hasOwn(headers, name)) throw new Mistake(`The header ${name} stands there twice.`, field);
    Object.defineProperty(headers, name, { value, enumerable: true }); // any name, __proto__ too
  }
  return headers;
}
