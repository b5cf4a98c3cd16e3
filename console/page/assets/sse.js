// Server-sent events (the HTML standard, section 9.2.6) from the body of a
// fetch. The browser's own EventSource cannot send a POST, and connects again
// by itself, which would be a new queue.

import { createParser } from './eventsource-parser/parse.js';

/**
 * @typedef {{type: string, data: string, id: string}} Event
 */

/**
 * parser returns a function that takes the stream's text piece by piece and
 * returns the events that each piece completes. Pieces may be cut anywhere.
 *
 * @returns {(piece: string) => Event[]}
 */
export function parser() {
  let events = [];
  let id = ''; // the last one, which holds for the events behind it too
  const { feed } = createParser({
    onId: (last) => { id = last; },
    onEvent: ({ event, data }) => { events.push({ type: event ?? 'message', data, id }); },
  });
  return (piece) => {
    feed(piece);
    const complete = events;
    events = [];
    return complete;
  };
}

/**
 * events yields the events of a response until it ends. What stands behind the
 * last blank line is no event. Leaving the loop early ends the request.
 *
 * @param {Response} response
 * @returns {AsyncGenerator<Event>}
 */
export async function* events(response) {
  const parse = parser();
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true }); // the parser sees to it
  const reader = response.body.getReader();
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      yield* parse(decoder.decode(value, { stream: true }));
    }
  } finally {
    await reader.cancel().catch(() => {}); // it may have failed already, and its reader knows
  }
}
